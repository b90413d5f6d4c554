"""What runs logged under one key, step by step, and the files that the logged media name."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import ChunkInfo, chunk_infos, read_chunks
from runhue_shared.db.history import MAX_STEP
from runhue_shared.db.tails import points_in_tails
from runhue_shared.series.columns import folded
from runhue_shared.series.points import EMPTY, Points, concat, newest_per_step


class KeyReading:
    """Points of one key of several runs of a project, read in windows of steps; each chunk is read once.

    The whole reading takes place in one `db.snapshot()`.
    """

    def __init__(
        self, tx: Transaction, run_ids: Sequence[int], name: str, from_step: int, to_step: int
    ) -> None:
        self._tx = tx
        self.run_ids = run_ids
        metric = _metric_named(tx, run_ids, name)
        tails: dict[tuple[int, int], Points] = {}
        chunks: dict[tuple[int, int], list[ChunkInfo]] = {}
        if metric is not None:
            wanted = {("history", folded(name)): metric}
            tails = points_in_tails(tx, dict.fromkeys(run_ids, wanted))
            chunks = chunk_infos(tx, run_ids, [metric], from_step, to_step)
        self._tails = {run_id: tails.get((run_id, metric or 0), EMPTY) for run_id in run_ids}
        self._chunks = {run_id: chunks.get((run_id, metric or 0), []) for run_id in run_ids}
        self._read: dict[int, Points] = {}

    def read(self, from_step: int, to_step: int) -> dict[int, Points]:
        """By run its points of all types with `from_step` <= step <= `to_step`, by step.

        Raises:
            ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
        """
        needed = {
            run_id: [one for one in chunks if one.step_max >= from_step and one.step_min <= to_step]
            for run_id, chunks in self._chunks.items()
        }
        held = {
            chunk.id: self._read[chunk.id]
            for part in needed.values()
            for chunk in part
            if chunk.id in self._read
        }
        fresh = [chunk for part in needed.values() for chunk in part if chunk.id not in held]
        self._read = {**held, **read_chunks(self._tx, fresh)}
        return {
            run_id: newest_per_step(
                concat([*(self._read[chunk.id] for chunk in needed[run_id]), self._tails[run_id]])
            ).between(from_step, to_step)
            for run_id in self.run_ids
        }

    def points_between(self, from_step: int, to_step: int) -> int:
        """At least so many points are read between the steps: those of whole chunks, and of tails."""
        chunks = sum(
            chunk.n
            for chunks in self._chunks.values()
            for chunk in chunks
            if chunk.step_max >= from_step and chunk.step_min <= to_step
        )
        return chunks + sum(len(tail.between(from_step, to_step)) for tail in self._tails.values())

    def window_end(self, from_step: int, points: int) -> int:
        """A step up to which little more than `points` points of a run are read, from `from_step` on."""
        ends = [MAX_STEP]
        for run_id in self.run_ids:
            ends += [chunk.step_max for chunk in self._chunks[run_id] if chunk.step_max >= from_step][:1]
            tail = self._tails[run_id]
            at = int(np.searchsorted(np.sort(tail.steps), from_step)) + points
            ends += [int(step) for step in np.sort(tail.steps)[at : at + 1]]
        return min(ends)


def _metric_named(tx: Transaction, run_ids: Sequence[int], name: str) -> int | None:
    row = tx.execute(
        "SELECT m.id FROM metric m WHERE m.folded = %s AND m.stream = 'history'"
        " AND m.project_id IN (SELECT project_id FROM run WHERE id = ANY(%s))",
        (folded(name).replace("\0", "\ufffd"), list(run_ids)),
    ).fetchone()
    return None if row is None else int(row[0])


def names_of_runs(tx: Transaction, runs: Mapping[str, int]) -> dict[str, str]:
    """What runs are called, by id in the order given; `runs` are internal ids by id."""
    names: dict[int, str] = dict(
        tx.execute("SELECT id, name FROM run WHERE id = ANY(%s)", (list(runs.values()),)).fetchall()
    )
    return {public_id: names[run_id] for public_id, run_id in runs.items() if run_id in names}


class FileAt(NamedTuple):
    """A file of a run; `sha256` is None once its bytes expired. `size` in bytes."""

    sha256: bytes | None
    size: int
    mimetype: str


def files_at(tx: Transaction, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], FileAt]:
    """The files at (run, path), those that are there."""
    rows = tx.execute(
        "SELECT f.run_id, f.path, f.sha256, f.size, f.mimetype"
        " FROM unnest(%s::bigint[], %s::text[]) AS p (run_id, path)"
        " JOIN run_file f ON f.run_id = p.run_id AND f.path = p.path",
        ([run_id for run_id, _ in places], [path for _, path in places]),
    )
    return {(run_id, path): FileAt(*file) for run_id, path, *file in rows}


def class_labels(
    tx: Transaction, run_ids: Collection[int], keys: Collection[str]
) -> dict[tuple[int, str, str], Any]:
    """The names of classes as a client sent them, by (run, kind of setting, key of the setting)."""
    rows = tx.execute(
        "SELECT run_id, kind, key, value FROM media_setting WHERE run_id = ANY(%s)"
        " AND kind IN ('mask_classes', 'box_classes') AND key = ANY(%s)",
        (list(run_ids), list(keys)),
    )
    return {(run_id, kind, key): json.loads(value).get("value") for run_id, kind, key, value in rows}
