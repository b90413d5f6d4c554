"""What is told of many runs at once, one statement each: where they came from, how much they logged."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction


class ClientFacts(NamedTuple):
    """What the wandb client told of a run, JSON texts as they came; `metadata` is our own SDK's.

    `by_client`: whether the wandb client made the run. `username`: who made it, else the team's name.
    """

    run_id: int
    by_client: bool
    username: str
    host: str | None
    program: str | None
    repo: str | None
    commit: str | None
    description: str | None
    wandb_config: str
    metadata: str


def client_facts(tx: Transaction, run_ids: Sequence[int]) -> dict[int, ClientFacts]:
    """By run, for those that are there."""
    rows = tx.execute(
        "SELECT r.id, c.run_id IS NOT NULL, coalesce(c.username, t.name), c.host, c.program, c.repo,"
        " c.commit, c.description, coalesce(c.wandb_config, '{}'), r.metadata FROM run r"
        " JOIN team t ON t.id = r.team_id LEFT JOIN run_client c ON c.run_id = r.id WHERE r.id = ANY(%s)",
        (list(run_ids),),
    )
    return {row[0]: ClientFacts(*row) for row in rows}


class LineCounts(NamedTuple):
    """How many rows a run logged, how many system samples it has, how many lines of console."""

    history: int
    events: int
    log: int


def line_counts(tx: Transaction, run_ids: Sequence[int]) -> dict[int, LineCounts]:
    """By run, for those that are there. Rows and samples are counted by their steps."""
    rows = tx.execute(
        "SELECT r.id, coalesce(h.n, 0), coalesce(e.n, 0),"
        " (SELECT count(*) FROM run_console c WHERE c.run_id = r.id) FROM run r"
        " LEFT JOIN LATERAL (SELECT max(v.n) AS n FROM run_metric v JOIN metric m ON m.id = v.metric_id"
        "  WHERE v.run_id = r.id AND m.stream = 'history' AND m.folded = '_step') h ON true"
        " LEFT JOIN LATERAL (SELECT max(v.n) AS n FROM run_metric v JOIN metric m ON m.id = v.metric_id"
        "  WHERE v.run_id = r.id AND m.stream = 'system' AND m.folded = '_step') e ON true"
        " WHERE r.id = ANY(%s)",
        (list(run_ids),),
    )
    return {row[0]: LineCounts(*row[1:]) for row in rows}


def system_samples_of_runs(
    tx: Transaction, run_ids: Sequence[int]
) -> list[tuple[int, str, float | None, str | None]]:
    """(run id, name, number, JSON text) of the last sample of every system metric, by name."""
    rows = tx.execute(
        "SELECT DISTINCT ON (v.run_id, m.name) v.run_id, m.name, v.last, v.last_json"
        " FROM run_metric v JOIN metric m ON m.id = v.metric_id"
        " WHERE v.run_id = ANY(%s) AND m.stream = 'system'"
        " ORDER BY v.run_id, m.name, v.last_step DESC, v.last_ord DESC",
        (list(run_ids),),
    )
    return rows.fetchall()


def waiting_writers(tx: Transaction, project_id: int, public_id: str | None = None) -> dict[int, int]:
    """Last durable seq of the writers, of one run or of the whole project, that have batches to fold."""
    rows = tx.execute(_WAITING if public_id is None else _WAITING_OF_RUN, (project_id, public_id))
    return dict(rows.fetchall())


# By way of the inbox, which is short: writers are as many as the server ever had.
_WAITING = (
    "SELECT w.id, w.durable_seq FROM run_writer w JOIN run r ON r.id = w.run_id WHERE r.project_id = %s"
    " AND %s::text IS NULL AND w.applied_seq < w.durable_seq AND w.id IN (SELECT i.writer_id FROM inbox i)"
)
_WAITING_OF_RUN = (
    "SELECT w.id, w.durable_seq FROM run_writer w JOIN run r ON r.id = w.run_id"
    " WHERE r.project_id = %s AND r.public_id = %s AND w.applied_seq < w.durable_seq"
)


def any_behind(tx: Transaction, durable: Mapping[int, int]) -> bool:
    """Whether one of the writers, by id, is not folded up to that seq."""
    row = tx.execute(
        "SELECT EXISTS (SELECT 1 FROM unnest(%s::bigint[], %s::bigint[]) AS d (id, seq)"
        " JOIN run_writer w ON w.id = d.id WHERE w.applied_seq < d.seq)",
        (list(durable), list(durable.values())),
    ).fetchall()[0]
    return bool(row[0])
