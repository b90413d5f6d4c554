"""Versions of a workspace's coloring, each stored with the event that tells of it (docs/color.md G1, G3)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.coloring.buckets import Domain
from runhue_shared.coloring.legend import Legend, legend_as_json, legend_bucket
from runhue_shared.coloring.settings import ColorSettings, parse_settings
from runhue_shared.coloring.values import Reason, RunValue
from runhue_shared.db import Transaction, outbox
from runhue_shared.db.legends import (
    Built,
    Previous,
    legend_of_body,
    save_legend,
)
from runhue_shared.db.scale_values import RunChange
from runhue_shared.db.scales import Scale

MOST_CHANGES = 5_000
"""An event with more changed runs lists none of them and asks clients to fetch afresh."""

Cause = Literal["run_values", "settings", "membership", "rebuild"]


@dataclass(frozen=True, slots=True)
class HeldColoring:
    """The locked coloring in force of one workspace; `cut_age` is in seconds."""

    workspace_id: int
    team_id: int
    scale_id: int
    version: int
    settings_rev: int
    settings_text: str
    legend_body: str
    domain_low: float | None
    domain_high: float | None
    cut_age: float | None

    @property
    def settings(self) -> ColorSettings:
        """The settings in force."""
        return settings_of_text(self.settings_text)

    @property
    def legend(self) -> Legend:
        """The legend in force."""
        return legend_of_body(self.legend_body)

    @property
    def previous(self) -> Previous:
        """What the next legend under the same settings goes by."""
        return Previous(self.legend, self.domain, self.cut_age)

    @property
    def domain(self) -> Domain | None:
        """What the legend in force was built of."""
        if self.domain_low is None or self.domain_high is None:
            return None
        return Domain(self.domain_low, self.domain_high)


@lru_cache(maxsize=1024)
def settings_of_text(text: str) -> ColorSettings:
    """Settings as they are stored."""
    return parse_settings(msgspec.json.decode(text))


class Placed(NamedTuple):
    """Where a run is under a legend: a bucket, or the reason why in none."""

    value: RunValue | None
    bucket: int | None
    reason: Reason | None


def place(legend: Legend, value: RunValue | None, reason: Reason | None) -> Placed:
    """Put a run's value in its bucket. Source: docs/color.md S1, S3, S11."""
    if value is None:
        return Placed(None, None, reason)
    if legend.scale == "log" and isinstance(value, float) and value <= 0:
        return Placed(None, None, "non_positive")
    bucket = legend_bucket(legend, value)
    return Placed(value, bucket, "not_in_population" if bucket is None else None)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What the next version of a workspace's coloring is, and how it came about.

    `changes` is None when clients have to fetch afresh; without a new legend the event does not repeat it.
    """

    workspace_id: int
    version: int
    settings_rev: int
    scale: Scale
    built: Built
    cause: Cause
    changes: Sequence[RunChange] | None
    has_new_legend: bool = True


_HOLD = sql.SQL(
    "SELECT c.workspace_id, c.team_id, c.scale_id, c.version, c.settings_rev, s.settings AS settings_text,"
    " l.body AS legend_body, c.domain_low, c.domain_high,"
    " extract(epoch FROM clock_timestamp() - c.cut_at)::float8 AS cut_age FROM workspace_coloring c"
    " JOIN color_settings s ON s.workspace_id = c.workspace_id AND s.settings_rev = c.settings_rev"
    " JOIN legend l ON l.team_id = c.team_id AND l.legend_id = c.legend_id"
    " WHERE {} = ANY(%s) ORDER BY c.workspace_id FOR NO KEY UPDATE OF c"
)
_HOLD_OF_SCALES = _HOLD.format(sql.SQL("c.scale_id"))
_HOLD_OF_WORKSPACES = _HOLD.format(sql.SQL("c.workspace_id"))


def hold_colorings(tx: Transaction, scale_ids: Sequence[int]) -> list[HeldColoring]:
    """The colorings in force that go by these scales, locked; the caller holds the scales.

    One that is just leaving for another scale is waited for, and left out.
    """
    with tx.cursor(row_factory=class_row(HeldColoring)) as cursor:
        cursor.execute(_HOLD_OF_SCALES, (list(scale_ids),), prepare=True)
        return cursor.fetchall()


def hold_coloring(tx: Transaction, workspace_id: int) -> HeldColoring | None:
    """A workspace's coloring in force, locked; None before the first. The caller holds the workspace."""
    # Locked on its own first: after a wait, Postgres would join the newer row with the older legend.
    tx.execute("SELECT 1 FROM workspace_coloring WHERE workspace_id = %s FOR NO KEY UPDATE", (workspace_id,))
    with tx.cursor(row_factory=class_row(HeldColoring)) as cursor:
        cursor.execute(_HOLD_OF_WORKSPACES, ([workspace_id],))
        return cursor.fetchone()


def publish_versions(tx: Transaction, versions: Sequence[NewVersion]) -> None:
    """Put versions in force, keep them for readers that page, and append their events."""
    if not versions:
        return
    legends = {(new.scale.team_id, new.built.legend) for new in versions if new.has_new_legend}
    for team_id, legend in sorted(legends, key=lambda pair: (pair[0], pair[1].legend_id)):
        save_legend(tx, team_id, legend)
    _put_in_force(tx, versions)
    outbox.append_all(
        tx,
        [(new.scale.team_id, new.scale.project_id, "coloring.updated", _event(new)) for new in versions],
    )


def _put_in_force(tx: Transaction, versions: Sequence[NewVersion]) -> None:
    rows = [
        {
            "workspace_id": new.workspace_id,
            "team_id": new.scale.team_id,
            "version": new.version,
            "scale_id": new.scale.id,
            "scale_version": new.scale.version,
            "settings_rev": new.settings_rev,
            "legend_id": new.built.legend.legend_id,
            "population": new.scale.population,
            "valued": new.scale.valued - new.built.not_positive,
            "domain_low": new.built.domain.low if new.built.domain else None,
            "domain_high": new.built.domain.high if new.built.domain else None,
            "is_cut": new.built.is_cut,
        }
        for new in versions
    ]
    tx.execute(
        "WITH n AS MATERIALIZED (SELECT * FROM json_to_recordset(%s) AS n (workspace_id bigint, team_id int,"
        "  version bigint, scale_id bigint, scale_version bigint, settings_rev int, legend_id text,"
        "  population bigint, valued bigint, domain_low float8, domain_high float8, is_cut boolean)),"
        " put AS (INSERT INTO workspace_coloring (workspace_id, team_id, scale_id, version, settings_rev,"
        "  legend_id, domain_low, domain_high, cut_at)"
        "  SELECT workspace_id, team_id, scale_id, version, settings_rev, legend_id, domain_low, domain_high,"
        "  CASE WHEN is_cut THEN clock_timestamp() END FROM n"
        "  ON CONFLICT (workspace_id) DO UPDATE SET scale_id = excluded.scale_id,"
        "  version = excluded.version, settings_rev = excluded.settings_rev,"
        "  legend_id = excluded.legend_id, domain_low = excluded.domain_low,"
        "  domain_high = excluded.domain_high, cut_at = coalesce(excluded.cut_at, workspace_coloring.cut_at))"
        " INSERT INTO workspace_coloring_version (workspace_id, team_id, version, scale_id, scale_version,"
        " settings_rev, legend_id, population, valued) SELECT workspace_id, team_id, version, scale_id,"
        " scale_version, settings_rev, legend_id, population, valued FROM n",
        (msgspec.json.encode(rows).decode(),),
        prepare=True,
    )


def _event(new: NewVersion) -> str:
    """`coloring.updated` as docs/api.md has it."""
    legend = new.built.legend
    changes = new.changes
    resync = changes is None or len(changes) > MOST_CHANGES
    listed = () if changes is None or resync else changes
    payload = {
        "type": "coloring.updated",
        "spec": 1,
        "event_id": f"{new.workspace_id}.{new.version}",
        "workspace_id": new.workspace_id,
        "scale_id": new.scale.id,
        "version": new.version,
        "prev_version": new.version - 1,
        "cause": new.cause,
        "emitted_at": time.time(),
        "legend_id": legend.legend_id,
        "legend": legend_as_json(legend) if new.has_new_legend else None,
        "changed": [_changed(change, legend) for change in listed if change.is_member],
        "removed": [change.run_id for change in listed if not change.is_member],
        "resync": resync,
    }
    return msgspec.json.encode(payload).decode()


def _changed(change: RunChange, legend: Legend) -> dict[str, object]:
    placed = place(legend, change.value, change.reason)
    entry: dict[str, object] = {"run_id": change.run_id, "value": placed.value, "bucket": placed.bucket}
    if placed.reason is not None:
        entry["reason"] = placed.reason
    return entry
