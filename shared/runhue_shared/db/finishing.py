"""When a run is over: its writers finish one by one, and the last decides."""

from collections.abc import Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction


class FinishRow(NamedTuple):
    """A writer said that it is done; `time` is Unix seconds, `state` finished, failed or killed."""

    writer_id: int
    seq: int
    state: str
    exit_code: int
    time: float


class FinishedRun(NamedTuple):
    """A run whose writers are all done."""

    run_id: int
    project_id: int
    state: str


def record_finish(tx: Transaction, rows: Sequence[FinishRow]) -> None:
    """Keep how each writer ended, and which writer of its run was the newest then.

    Then is when the writer was last heard: a run that was killed may be resumed before this is folded.
    """
    with tx.cursor() as cursor:
        cursor.executemany(
            "UPDATE run_writer w SET finished_seq = %s, finish_state = %s, exit_code = %s, finished_at = %s,"
            " finish_newest_no = (SELECT max(n.no) FROM run_writer n"
            "  WHERE n.run_id = w.run_id AND n.joined_at <= w.last_seen_at)"
            " WHERE w.id = %s",
            [
                (row.seq, row.state, row.exit_code, row.time, row.writer_id)
                for row in sorted(rows, key=lambda row: row.writer_id)
            ],
        )


def settle_runs(tx: Transaction, run_ids: Sequence[int], silent_after: float) -> list[FinishedRun]:
    """End the runs that have no open writer left, with the worst state of their last writers.

    A writer is open until it finishes, unless it was silent for `silent_after` seconds, or since before the
    newest writer joined (then the run was resumed without it). Of the others those count that finished after
    the newest writer had joined: what an earlier session came to is history.
    """
    rows = tx.execute(
        "WITH newest AS (SELECT run_id, max(no) AS no, max(joined_at) AS joined_at FROM run_writer"
        "  WHERE run_id = ANY(%s) GROUP BY run_id),"
        " ended AS (SELECT DISTINCT ON (w.run_id) w.run_id, w.finish_state, w.exit_code,"
        "  max(w.finished_at) OVER (PARTITION BY w.run_id) AS finished_at"
        "  FROM run_writer w JOIN newest n ON n.run_id = w.run_id AND w.finish_newest_no = n.no"
        "  WHERE NOT EXISTS (SELECT 1 FROM run_writer o WHERE o.run_id = w.run_id AND o.finished_seq IS NULL"
        "   AND o.last_seen_at > now() - make_interval(secs => %s) AND o.last_seen_at >= n.joined_at)"
        "  ORDER BY w.run_id, array_position(ARRAY['failed', 'killed', 'finished'], w.finish_state),"
        "  abs(w.exit_code) DESC, w.no)"
        " UPDATE run r SET state = e.finish_state, exit_code = e.exit_code,"
        " finished_at = to_timestamp(e.finished_at) FROM ended e WHERE r.id = e.run_id"
        " RETURNING r.id, r.project_id, r.state",
        (list(run_ids), silent_after),
    )
    return [FinishedRun(*row) for row in rows]
