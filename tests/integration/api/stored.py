"""Rows for the API to read, put where ingest and folding put them."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runhue_server.aggregation.fold import fold_partition
from runhue_shared import db
from runhue_shared.db.inbox import InboxRow, WriterProgress, store
from runhue_shared.db.metrics import MetricIds
from runhue_shared.events import LogBatch, encode_batch, encode_rows
from runhue_shared.settings import settings

PART = 7


@dataclass(frozen=True)
class Team:
    """A team with a key of each scope."""

    id: int
    name: str
    admin: str
    reader: str
    writer: str


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Stored:
    """A project of ours, into which tests put runs as folding would."""

    team: Team
    id: int
    name: str

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.team.name}/{self.name}"

    def add_run(
        self,
        public_id: str,
        *,
        config: dict[str, Any] | None = None,
        logged: dict[str, Any] | None = None,
        manual: dict[str, Any] | None = None,
        created_at: float = 1_000.0,
        **columns: Any,
    ) -> int:
        """A run with a config, and with a last value per metric; returns its internal id."""
        row = {
            "team_id": self.team.id,
            "project_id": self.id,
            "public_id": public_id,
            "part": 0,
            "name": public_id,
            "state": "finished",
            "started_at": created_at,
            "config": json.dumps(config or {}),
            **columns,
        }
        with db.transaction() as tx:
            names = ", ".join(row)
            marks = ", ".join(["%s"] * len(row))
            (run_id,) = tx.execute(
                f"INSERT INTO run ({names}, created_at, heartbeat_at)"
                f" VALUES ({marks}, to_timestamp(%s), to_timestamp(%s)) RETURNING id",
                (*row.values(), created_at, created_at),
            ).fetchone() or (0,)
            for path, value in (config or {}).items():
                tx.execute(
                    "INSERT INTO run_config (team_id, run_id, project_id, path, type, number, string, bool)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                    (self.team.id, run_id, self.id, path, *typed(value)),
                )
            for name, value in (logged or {}).items():
                self._log(tx, run_id, name, value)
            for name, value in (manual or {}).items():
                type_, number, _, _ = typed(value)
                tx.execute(
                    "INSERT INTO run_summary (team_id, run_id, metric_id, type, number, json)"
                    " VALUES (%s, %s, %s, %s, %s, %s)",
                    (self.team.id, run_id, self._metric(tx, name), type_, number, json.dumps(value)),
                )
        return int(run_id)

    def log(self, public_id: str, rows: Sequence[Mapping[str, Any]], **parts: Any) -> int:
        """A run with history, as a writer sends it and folding takes it; returns its internal id.

        A row may name its `_step`; `parts` are further parts of the batch, with seqs behind the rows'.
        """
        steps = [
            (at, row.get("_step", at), {k: v for k, v in row.items() if k != "_step"})
            for at, row in enumerate(rows)
        ]
        batch = LogBatch(0, len(steps) + 99, rows=encode_rows(steps) if steps else None, **parts)
        body, _ = encode_batch(batch)
        run_id = self.add_run(public_id, part=PART, state="running", writer_count=1)
        with db.transaction() as tx:
            tx.execute(
                "INSERT INTO inbox_partition (part, team_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (PART, self.team.id),
            )
            (writer,) = tx.execute(
                "INSERT INTO run_writer (team_id, run_id, writer, no, part, started_at)"
                " VALUES (%s, %s, %s, 1, %s, 1000) RETURNING id",
                (self.team.id, run_id, "0" * 32, PART),
            ).fetchone() or (0,)
            row = InboxRow(PART, self.team.id, run_id, writer, 0, batch.seq_hi, zlib.crc32(body), body)
            store(tx, [row], [WriterProgress(writer, batch.seq_hi, 1, 0)])
        with db.transaction() as tx:
            fold_partition(tx, PART, MetricIds(), settings())
        return run_id

    def _log(self, tx: db.Transaction, run_id: int, name: str, value: Any) -> None:
        type_, number, _, _ = typed(value)
        text = None if type_ == "number" else json.dumps(value)
        tx.execute(
            "INSERT INTO run_metric (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord,"
            " last, last_json) VALUES (%s, %s, %s, %s, 1, 0, 9, 0, %s, %s)",
            (self.team.id, run_id, self._metric(tx, name), type_, number, text),
        )

    def _metric(self, tx: db.Transaction, name: str) -> int:
        (metric,) = tx.execute(
            "INSERT INTO metric (team_id, project_id, folded, name) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (project_id, stream, folded) DO UPDATE SET folded = excluded.folded RETURNING id",
            (self.team.id, self.id, name.casefold(), name),
        ).fetchone() or (0,)
        return int(metric)


def typed(value: Any) -> tuple[str, float | None, str | None, bool | None]:
    """(type, number, string, bool) as the typed tables hold a value."""
    if isinstance(value, bool):
        return "bool", None, None, value
    if isinstance(value, int | float):
        return "number", float(value), None, None
    if isinstance(value, str):
        return "string", None, value, None
    return "null" if value is None else "other", None, None, None
