"""Stored media settings in the words of the API; what a client sent may have any shape."""

from collections.abc import Iterator, Mapping
from typing import Any

from runhue_server.api.run_answers import JsonObject
from runhue_shared.db.media_settings import StoredSetting

DELIMITER = "_wandb_delimeter_"
"""Between a media key and the name of its mask or group of boxes (wandb's spelling)."""

_LABELS = {"mask_classes": "mask", "box_classes": "box"}


def chart_answer(setting: StoredSetting) -> JsonObject:
    """A chart or legacy chart."""
    is_legacy = setting.kind == "legacy_chart"
    panel = setting.value if is_legacy else _object(setting.value, "panel_config")
    fields = _object(panel, "historyFieldSettings" if is_legacy else "fieldSettings")
    preset = panel.get("id" if is_legacy else "panelDefId")
    return {
        "key": setting.key,
        "kind": setting.kind,
        "table_key": setting.key if is_legacy else _table_key(panel, setting.key),
        "panel_def_id": preset if isinstance(preset, str) else "",
        "fields": fields,
        "strings": {} if is_legacy else _object(panel, "stringSettings"),
        "value": setting.value,
    }


def labels_answer(setting: StoredSetting) -> JsonObject:
    """The class labels of a mask or a group of boxes."""
    key, delimiter, name = setting.key.rpartition(DELIMITER)
    return {
        "kind": _LABELS[setting.kind],
        "key": key if delimiter else setting.key,
        "name": name if delimiter else "",
        "labels": _object(setting.value, "value"),
    }


def is_labels(setting: StoredSetting) -> bool:
    """Whether the setting names classes; else it is a chart."""
    return setting.kind in _LABELS


def _object(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


def _table_key(panel: Mapping[str, Any], key: str) -> str:
    """The table that the chart's query asks for; by wandb's rule without one."""
    queries = _object(panel, "userQuery").get("queryFields")
    return next(_asked_tables(queries), f"{key}_table")


def _asked_tables(fields: Any) -> Iterator[str]:  # JSON that a client sent
    """Values of `tableKey` arguments in a query's fields, outermost first."""
    level = fields if isinstance(fields, list) else []
    while level:
        below: list[Any] = []
        for field in level:
            if isinstance(field, dict):
                yield from _table_arguments(field.get("args"))
                inner = field.get("fields")
                below += inner if isinstance(inner, list) else []
        level = below


def _table_arguments(arguments: Any) -> Iterator[str]:  # JSON that a client sent
    for argument in arguments if isinstance(arguments, list) else []:
        if isinstance(argument, dict) and argument.get("name") == "tableKey":
            value = argument.get("value")
            if isinstance(value, str):
                yield value
