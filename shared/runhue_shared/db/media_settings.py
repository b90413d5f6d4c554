"""How logged media are shown: custom charts, and the class names of masks and boxes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.events import MediaSetting
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import is_json, json_text
from runhue_shared.settings import Settings, settings

MAX_PER_RUN = 1_000
"""So many settings a run may have."""


class SettingRow(NamedTuple):
    """One setting; `ord` is its place in the run's order, `value` JSON."""

    team_id: int
    run_id: int
    kind: str
    key: str
    ord: int
    value: str


@dataclass(frozen=True, slots=True)
class StoredSetting:
    """One setting in the JSON shapes of `events.MediaSetting`."""

    kind: str
    key: str
    value: dict[str, Any]  # JSON


def refusal(setting: MediaSetting, limits: Settings) -> tuple[str, str] | None:
    """(code, message) for a setting that cannot be kept; None for one that can."""
    key = setting.key
    if "\0" in key:
        return "key_has_nul", f"key {key[:80]!r} of a media setting holds a NUL character: leave it out"
    if len(key) > limits.max_key_length:
        lengths = f"has {len(key)} characters, the limit is {limits.max_key_length}"
        return "key_too_long", f"key {key[:80]!r}... of a media setting {lengths}: shorten it"
    if not is_json(setting.value, limits.max_json_depth):
        return "json_too_deep", f"{key[:80]!r} is nested deeper than {limits.max_json_depth}: log it flatter"
    size = len(json_text(setting.value).encode())
    if size > limits.max_config_bytes:
        sizes = f"has {size} bytes, the limit is {limits.max_config_bytes}"
        return "media_setting_too_large", f"media setting {key[:80]!r} {sizes}: make it smaller"
    return None


def put_settings(tx: Transaction, rows: Sequence[SettingRow]) -> list[SettingRow]:
    """Keep of each setting what was said last; returns those refused because their run has `MAX_PER_RUN`."""
    counts = _counts(tx, sorted({row.run_id for row in rows}))
    known = _known(tx, rows)
    refused: list[SettingRow] = []
    kept: list[SettingRow] = []
    for row in rows:
        place = (row.run_id, row.kind, row.key)
        if place not in known and counts.get(row.run_id, 0) >= MAX_PER_RUN:
            refused.append(row)
            continue
        if place not in known:
            known.add(place)
            counts[row.run_id] = counts.get(row.run_id, 0) + 1
        kept.append(row)
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO media_setting AS m (team_id, run_id, kind, key, ord, value)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, kind, key)"
            " DO UPDATE SET ord = excluded.ord, value = excluded.value WHERE m.ord < excluded.ord",
            kept,
        )
    return refused


def _counts(tx: Transaction, run_ids: Sequence[int]) -> dict[int, int]:
    rows = tx.execute(
        "SELECT run_id, count(*) FROM media_setting WHERE run_id = ANY(%s) GROUP BY run_id", (list(run_ids),)
    )
    return dict(rows.fetchall())


def _known(tx: Transaction, rows: Sequence[SettingRow]) -> set[tuple[int, str, str]]:
    found = tx.execute(
        "SELECT m.run_id, m.kind, m.key"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (run, kind, key)"
        " JOIN media_setting m ON m.run_id = k.run AND m.kind = k.kind AND m.key = k.key",
        ([row.run_id for row in rows], [row.kind for row in rows], [row.key for row in rows]),
    )
    return {(run_id, kind, key) for run_id, kind, key in found}


def set_media(
    tx: Transaction, team_id: int, run_id: int, changes: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> list[tuple[str, str]]:
    """Set (kind, key, value), later than everything so far; a setting that is so already is left alone.

    Returns (key, reason) of those that are refused.
    """
    held = {(one.kind, one.key): one.value for one in of_run(tx, run_id)}
    new = [change for change in changes if held.get(change[:2]) != change[2]]
    if not new:
        return []
    row = tx.execute(
        "UPDATE run SET writer_count = writer_count + 1 WHERE id = %s RETURNING writer_count", (run_id,)
    ).fetchall()
    ord_ = int(row[0][0]) << SEQ_BITS
    refused: list[tuple[str, str]] = []
    rows: list[SettingRow] = []
    for kind, key, value in new:
        reason = refusal(MediaSetting(0, kind, key, dict(value)), settings())  # type: ignore[arg-type]  # asked as text
        if reason is not None:
            refused.append((key, reason[1]))
        else:
            rows.append(SettingRow(team_id, run_id, kind, key, ord_, json_text(value)))
    full = f"the run has {MAX_PER_RUN} media settings, the limit: further ones are not kept"
    return [*refused, *((row.key, full) for row in put_settings(tx, rows))]


def of_run(tx: Transaction, run_id: int) -> list[StoredSetting]:
    """The run's settings, by kind and key."""
    rows = tx.execute(
        "SELECT kind, key, value FROM media_setting WHERE run_id = %s"
        ' ORDER BY kind COLLATE "C", key COLLATE "C"',
        (run_id,),
    )
    return [StoredSetting(kind, key, json.loads(value)) for kind, key, value in rows]
