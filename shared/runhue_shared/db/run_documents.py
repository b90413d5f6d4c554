"""How edits change a run's documents: key by key the one with the greatest ord wins."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg import sql

from runhue_shared.db import Transaction
from runhue_shared.db.dead_letters import storable
from runhue_shared.events import flatten
from runhue_shared.series.values import is_json, json_text
from runhue_shared.settings import Settings

_COLUMNS = {
    "name": "name",
    "notes": "notes",
    "tags": "tags",
    "group": "group_name",
    "job_type": "job_type",
}
ATTRIBUTES = tuple(_COLUMNS)
_MAX_TEXT = 1_000_000


class EditRefused(ValueError):
    """A part of an edit was not applied; the rest was. `code` is stable, `fix` says what to do."""

    def __init__(self, code: str, field: str, message: str, limit: int | None, fix: str) -> None:
        super().__init__(f"{message}: {fix}")
        self.code = code
        self.field = field
        self.limit = limit
        self.fix = fix


class Edit(NamedTuple):
    """Keys set and removed by one call, at `ord` in the run's order."""

    ord: int
    values: Mapping[str, Any]
    removed: Sequence[str] = ()


@dataclass(slots=True)
class Document:
    """Values by top-level key; `ords` says, also for keys that were removed, which edit set each."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    ords: dict[str, int] = field(default_factory=dict)

    def apply(self, edits: Iterable[Edit], limits: Settings) -> list[EditRefused]:
        """Apply edits in their order; an older edit changes no key that a later one set."""
        return [refused for edit in sorted(edits, key=_ord) for refused in self._apply(edit, limits)]

    def _apply(self, edit: Edit, limits: Settings) -> list[EditRefused]:
        values, refused = self._checked(edit.values, limits)
        later = {key: value for key, value in values.items() if edit.ord >= self.ords.get(key, -1)}
        removed = [key for key in edit.removed if edit.ord >= self.ords.get(key, -1)]
        changed = {key: value for key, value in self.values.items() if key not in removed} | later
        if later and (size := len(json_text(changed).encode())) > limits.max_config_bytes:
            return [*refused, _too_large(self.name, size, limits.max_config_bytes)]
        self.values = changed
        self.ords.update(dict.fromkeys([*later, *removed], edit.ord))
        return refused

    def _checked(
        self, values: Mapping[str, Any], limits: Settings
    ) -> tuple[dict[str, Any], list[EditRefused]]:
        """The values that can be stored, and why the others cannot."""
        kept: dict[str, Any] = {}
        refused = []
        for key, value in values.items():
            reason = self._refusal(key, value, limits)
            if reason is None:
                kept[key] = value
            else:
                refused.append(reason)
        return kept, refused

    def _refusal(self, key: str, value: Any, limits: Settings) -> EditRefused | None:  # any decoded value
        if not is_json(value, limits.max_json_depth):
            return _too_deep(key, limits.max_json_depth)
        if self.name == "metadata":  # is never asked by key
            return None
        for path in flatten({key: value}):
            if len(path) > limits.max_key_length:
                return _key_too_long(path, limits.max_key_length)
            if self.name == "summary" and "\0" in path:
                return _key_has_nul(path)
        return None


def _ord(edit: Edit) -> int:
    return edit.ord


def _too_deep(key: str, limit: int) -> EditRefused:
    message = f"{key[:80]!r} is nested deeper than {limit}, or is no JSON value"
    return EditRefused("json_too_deep", key, message, limit, "log it flatter, or as a file")


def _key_too_long(path: str, limit: int) -> EditRefused:
    message = f"key {path[:80]!r}... has {len(path)} characters, the limit is {limit}"
    return EditRefused("key_too_long", path, message, limit, "shorten it")


def _key_has_nul(path: str) -> EditRefused:
    message = f"metric key {path[:80]!r} holds a NUL character"
    return EditRefused("key_has_nul", path, message, None, "leave it out")


def _too_large(name: str, size: int, limit: int) -> EditRefused:
    message = f"the run's {name} would have {size} bytes, the limit is {limit}"
    return EditRefused(f"{name}_too_large", name, message, limit, "log large values as files")


@dataclass(slots=True)
class RunDocuments:
    """What edits change of one run."""

    run_id: int
    team_id: int
    project_id: int
    config: Document
    summary: Document
    metadata: Document
    attribute_ords: dict[str, int]
    attributes: dict[str, Any]

    def set_attributes(self, ord_: int, changes: Mapping[str, Any], limits: Settings) -> list[EditRefused]:
        """Set attributes unless a later edit set them; None clears one, and metadata merges by key."""
        for name in ATTRIBUTES:
            if name in changes and ord_ >= self.attribute_ords.get(name, -1):
                self.attribute_ords[name] = ord_
                self.attributes[name] = changes[name]
        metadata = changes.get("metadata")
        return [] if metadata is None else self.metadata.apply([Edit(ord_, metadata)], limits)


def lock_documents(tx: Transaction, run_ids: Sequence[int]) -> dict[int, RunDocuments]:
    """The runs' documents, by run; nobody else edits them until the transaction ends."""
    rows = tx.execute(
        "SELECT id, team_id, project_id, config, config_ord, summary, summary_ord, metadata, attributes_ord"
        " FROM run WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        (list(run_ids),),
    )
    return {row[0]: _documents(*row) for row in rows}


def _documents(run_id: int, team_id: int, project_id: int, *texts: str) -> RunDocuments:
    config, config_ords, summary, summary_ords, metadata, attribute_ords = map(json.loads, texts)
    metadata_ords = attribute_ords.pop("metadata", {})
    return RunDocuments(
        run_id,
        team_id,
        project_id,
        Document("config", config, config_ords),
        Document("summary", summary, summary_ords),
        Document("metadata", metadata, metadata_ords),
        attribute_ords,
        {},
    )


def write_documents(tx: Transaction, documents: Iterable[RunDocuments]) -> None:
    """Store the documents as they are now, without their typed leaves."""
    runs = list(documents)
    with tx.cursor() as cursor:
        cursor.executemany(
            "UPDATE run SET config = %s, config_ord = %s, summary = %s, summary_ord = %s, metadata = %s,"
            " attributes_ord = %s WHERE id = %s",
            [
                (
                    json_text(run.config.values),
                    json_text(run.config.ords),
                    json_text(run.summary.values),
                    json_text(run.summary.ords),
                    json_text(run.metadata.values),
                    json_text(run.attribute_ords | {"metadata": run.metadata.ords}),
                    run.run_id,
                )
                for run in runs
            ],
        )
        for name, column in _COLUMNS.items():
            changed = [run for run in runs if name in run.attributes]
            if changed:
                cursor.executemany(
                    sql.SQL("UPDATE run SET {} = %s WHERE id = %s").format(sql.Identifier(column)),
                    [(_stored(name, run.attributes[name]), run.run_id) for run in changed],
                )


def _stored(name: str, value: Any) -> Any:  # text, list of text or None
    if name == "tags":
        return [storable(tag, _MAX_TEXT) for tag in value or []]
    return None if value is None else storable(value, _MAX_TEXT)
