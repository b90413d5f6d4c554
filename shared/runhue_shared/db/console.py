"""Records of a run that are kept one by one: console lines, alerts, metric definitions."""

from collections.abc import Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.db.arrays import bigints, doubles, integers, texts


class ConsoleRow(NamedTuple):
    """One line; `ord` is its place in the run's order, `logged_at` Unix seconds."""

    team_id: int
    run_id: int
    ord: int
    stream: str
    logged_at: float
    line: str


class AlertRow(NamedTuple):
    """One alert; `raised_at` is Unix seconds."""

    team_id: int
    run_id: int
    ord: int
    title: str
    text: str
    level: str
    raised_at: float


class DefinitionRow(NamedTuple):
    """One `define_metric` call; `definition` is JSON."""

    team_id: int
    run_id: int
    name: str
    ord: int
    definition: str


def add_console(tx: Transaction, rows: Sequence[ConsoleRow]) -> None:
    """Keep lines; the same line twice is kept once."""
    if rows:
        team_ids, run_ids, ords, streams, times, lines = zip(*rows, strict=True)
        tx.execute(
            "INSERT INTO run_console (team_id, run_id, ord, stream, logged_at, line)"
            " SELECT * FROM unnest("
            "%b::int[], %b::bigint[], %b::bigint[], %b::text[], %b::float8[], %b::text[])"
            " ON CONFLICT (run_id, ord) DO NOTHING",
            (
                integers(team_ids),
                bigints(run_ids),
                bigints(ords),
                texts(streams),
                doubles(times),
                texts(lines),
            ),
        )


def add_alerts(tx: Transaction, rows: Sequence[AlertRow]) -> None:
    """Keep alerts; the same alert twice is kept once."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO run_alert (team_id, run_id, ord, title, text, level, raised_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, ord) DO NOTHING",
            rows,
        )


def define_metrics(tx: Transaction, rows: Sequence[DefinitionRow]) -> None:
    """Keep the latest definition of each name."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO metric_definition AS d (team_id, run_id, name, ord, definition)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (run_id, name)"
            " DO UPDATE SET ord = excluded.ord, definition = excluded.definition WHERE d.ord < excluded.ord",
            rows,
        )
