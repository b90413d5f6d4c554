"""Custom charts: a table and the preset that draws it, in the form of wandb's config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runhue._errors import BadMedia
from runhue._media.media import Expanded, MediaSetting
from runhue._media.table import Table

LEAF_COLUMNS = frozenset({"id", "name", "_defaultColorIndex"})
"""Columns of a chart's rows beside its table's: what the page knows of the run (see `_query`)."""


@dataclass(frozen=True)
class Chart(Expanded):
    """A table drawn by a preset. Logged under a key, the table is stored under `<key>_table`.

    `fields` maps what the preset draws to columns, `string_fields` its texts such as `title`.
    With `split_table` the table is listed in a section of its own on the page.
    """

    table: Table
    preset: str
    fields: Mapping[str, Any]
    string_fields: Mapping[str, Any]
    split_table: bool = False

    def expanded(self, key: str) -> dict[str, Any]:
        return {self._table_key(key): self.table}

    def settings(self, key: str) -> Sequence[MediaSetting]:
        panel: dict[str, Any] = {
            "panelDefId": self.preset,
            "fieldSettings": dict(self.fields),
            "transform": {"name": "tableWithLeafColNames"},
            "userQuery": _query(self._table_key(key)),
        }
        if self.string_fields:
            panel["stringSettings"] = dict(self.string_fields)
        return [MediaSetting("chart", key, {"panel_type": "Vega2", "panel_config": panel})]

    def _table_key(self, key: str) -> str:
        return f"Custom Chart Tables/{key}_table" if self.split_table else f"{key}_table"


@dataclass(frozen=True)
class LegacyChart(Expanded):
    """A table drawn by a preset of 2020, stored under the key itself."""

    table: Table
    preset: str

    def expanded(self, key: str) -> dict[str, Any]:
        return {key: self.table}

    def settings(self, key: str) -> Sequence[MediaSetting]:
        shown = {"id": self.preset, "historyFieldSettings": {"x-axis": "_step", "key": key}}
        return [MediaSetting("legacy_chart", key, shown)]


def _query(table_key: str) -> dict[str, Any]:
    """What the page asks for: each run's id, name and color, and the last table it logged."""
    runs: list[dict[str, Any]] = [
        {"name": name, "fields": []} for name in ("id", "name", "_defaultColorIndex")
    ]
    table = {"name": "summaryTable", "args": [{"name": "tableKey", "value": table_key}], "fields": []}
    run_sets = {"name": "runSets", "args": [{"name": "runSets", "value": "${runSets}"}]}
    return {"queryFields": [{**run_sets, "fields": [*runs, table]}]}


def chart_of(
    table: object,
    preset: str,
    fields: Mapping[str, Any],
    string_fields: Mapping[str, Any] | None = None,
    split_table: bool = False,
    *,
    argument: str = "table",
) -> Chart:
    """A chart, when its table has the columns that it draws.

    Raises:
        BadMedia: `table` is none, or a field names no column of it; the message names the argument.
    """
    checked = table_given(table, argument)
    columns = [str(column) for column in checked.columns]
    for field, column in fields.items():
        if isinstance(column, str) and column not in columns and column not in LEAF_COLUMNS:
            raise BadMedia(f"{field} must be a column of {argument} ({', '.join(columns)}), got {column!r}")
    return Chart(checked, preset, dict(fields), dict(string_fields or {}), split_table)


def table_given(table: object, argument: str) -> Table:
    """The table that was given.

    Raises:
        BadMedia: it is none.
    """
    if not isinstance(table, Table):
        raise BadMedia(f"{argument} must be a runhue.Table, got {type(table).__name__}")
    return table
