"""What runs took back: rows after a step that were logged before the rewind."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction, outbox
from runhue_shared.series.pyramid import LEVELS, block_bits


class RewindRow(NamedTuple):
    """Rows with a place before `ord` and a step after `step` are none."""

    team_id: int
    run_id: int
    ord: int
    step: int


def add_rewinds(tx: Transaction, rows: Sequence[RewindRow]) -> list[RewindRow]:
    """Keep rewinds; returns those that were not known."""
    new = []
    for row in sorted(set(rows)):
        done = tx.execute(
            "INSERT INTO run_rewind (team_id, run_id, ord, step) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (run_id, ord) DO NOTHING",
            row,
        )
        if done.rowcount:
            new.append(row)
    return new


def rewinds_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, list[RewindRow]]:
    """The runs' rewinds in their order; a run without any is absent."""
    found: dict[int, list[RewindRow]] = {}
    rows = tx.execute(
        "SELECT team_id, run_id, ord, step FROM run_rewind WHERE run_id = ANY(%s) ORDER BY run_id, ord",
        (list(run_ids),),
    )
    for row in rows:
        rewind = RewindRow(*row)
        found.setdefault(rewind.run_id, []).append(rewind)
    return found


def drop_blocks(tx: Transaction, run_id: int, metric_ids: Sequence[int], from_step: int) -> None:
    """Drop the pyramid's blocks that count steps at or after `from_step`; reading goes to chunks there."""
    levels = list(range(len(LEVELS)))
    tx.execute(
        "DELETE FROM series_lod l USING unnest(%s::smallint[], %s::bigint[]) AS k (level, block)"
        " WHERE l.run_id = %s AND l.metric_id = ANY(%s) AND l.level = k.level AND l.block >= k.block",
        (levels, [from_step >> block_bits(level) for level in levels], run_id, list(metric_ids)),
    )


def replace_bodies(tx: Transaction, part: int, bodies: Mapping[int, bytes]) -> None:
    """Put other bodies into batches of the partition's inbox, by inbox id."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "UPDATE inbox SET body = %b, crc = %s WHERE part = %s AND id = %s",
            [(body, zlib.crc32(body), part, inbox_id) for inbox_id, body in sorted(bodies.items())],
        )


def announce(tx: Transaction, run_ids: Sequence[int]) -> None:
    """Tell subscribers, once this is committed, that these runs' history ends earlier than it did."""
    rows = tx.execute(
        "SELECT r.team_id, r.project_id, r.public_id, coalesce((SELECT max(v.last_step) FROM run_metric v"
        "  JOIN metric m ON m.id = v.metric_id WHERE v.run_id = r.id AND m.stream = 'history'), -1),"
        " (SELECT w.step FROM run_rewind w WHERE w.run_id = r.id ORDER BY w.ord DESC LIMIT 1)"
        " FROM run r WHERE r.id = ANY(%s) ORDER BY r.id",
        (list(run_ids),),
    ).fetchall()
    events = []
    for team_id, project_id, public_id, last_step, rewound_to in rows:
        told = {"run_id": public_id, "last_step": last_step, "rewound_to": rewound_to}
        payload = json.dumps({"type": "points", "runs": [told]}, ensure_ascii=False)
        events.append((team_id, project_id, "points", payload))
        events.append((team_id, project_id, "keys", json.dumps({"type": "keys"})))
    outbox.append_all(tx, events)
