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


class NumberedRow(NamedTuple):
    """A line that may be said again under its number.

    `ord` is the number's place in the run's order and names the line, `said` that of this saying.
    """

    team_id: int
    run_id: int
    ord: int
    stream: str
    logged_at: float
    line: str
    said: int
    label: str | None


class ClientLine(NamedTuple):
    """A line as the wandb client reads it.

    `number`: its position in the run's console, from 0 without gaps. `cursor`: what the next page goes on
    behind. `level`: error for stderr, else info. `timestamp`: Unix seconds.
    """

    number: int
    cursor: int
    timestamp: float
    level: str
    label: str | None
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


def put_numbered(tx: Transaction, rows: Sequence[NumberedRow]) -> None:
    """Keep of each line what was said last, whatever order the sayings come in."""
    latest: dict[tuple[int, int], NumberedRow] = {}
    for row in rows:
        held = latest.get((row.run_id, row.ord))
        if held is None or held.said < row.said:
            latest[row.run_id, row.ord] = row
    if latest:
        team_ids, run_ids, ords, streams, times, lines, said, labels = zip(*latest.values(), strict=True)
        tx.execute(
            "INSERT INTO run_console AS c (team_id, run_id, ord, stream, logged_at, line, said, label)"
            " SELECT * FROM unnest(%b::int[], %b::bigint[], %b::bigint[], %b::text[], %b::float8[],"
            " %b::text[], %b::bigint[], %b::text[])"
            " ON CONFLICT (run_id, ord) DO UPDATE SET stream = excluded.stream,"
            " logged_at = excluded.logged_at, line = excluded.line, said = excluded.said,"
            " label = excluded.label WHERE c.said < excluded.said",
            (
                integers(team_ids),
                bigints(run_ids),
                bigints(ords),
                texts(streams),
                doubles(times),
                texts(lines),
                bigints(said),
                texts(labels),
            ),
        )


def count_lines(tx: Transaction, run_id: int) -> int:
    """How many lines the run's console has."""
    return int(tx.execute("SELECT count(*) FROM run_console WHERE run_id = %s", (run_id,)).fetchall()[0][0])


def client_lines(tx: Transaction, run_id: int, after: int, limit: int) -> list[ClientLine]:
    """Up to `limit` lines behind the cursor `after` (-1: from the first), in their order."""
    rows = tx.execute(
        "SELECT row_number() OVER (ORDER BY ord) - 1 + (SELECT count(*) FROM run_console"
        "  WHERE run_id = %(run)s AND ord <= %(after)s), ord, logged_at, stream, label, line"
        " FROM (SELECT * FROM run_console WHERE run_id = %(run)s AND ord > %(after)s"
        "  ORDER BY ord LIMIT %(limit)s) AS page ORDER BY ord",
        {"run": run_id, "after": after, "limit": limit},
    )
    return [_client_line(*row) for row in rows]


def last_client_lines(tx: Transaction, run_id: int, count: int) -> list[ClientLine]:
    """The last `count` lines, in their order."""
    rows = tx.execute(
        "SELECT (SELECT count(*) FROM run_console WHERE run_id = %(run)s)"
        "  - row_number() OVER (ORDER BY ord DESC), ord, logged_at, stream, label, line"
        " FROM (SELECT * FROM run_console WHERE run_id = %(run)s ORDER BY ord DESC LIMIT %(count)s) AS page"
        " ORDER BY ord",
        {"run": run_id, "count": count},
    )
    return [_client_line(*row) for row in rows]


def _client_line(
    number: int, cursor: int, logged_at: float, stream: str, label: str | None, line: str
) -> ClientLine:
    return ClientLine(number, cursor, logged_at, "error" if stream == "stderr" else "info", label, line)


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
