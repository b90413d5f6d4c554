"""Histograms that runs logged over steps, laid on one grid."""

import itertools
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runhue_server.api.answers import encode
from runhue_server.api.run_answers import JsonObject
from runhue_shared.charts.histogram_grid import Doubles, Histogram, grid_edges, histogram_of, matrix
from runhue_shared.db import Transaction
from runhue_shared.db.media_index import KeyReading
from runhue_shared.db.reduced import bucket_for
from runhue_shared.series.points import Points
from runhue_shared.series.pyramid import bucket_bits

TYPE = "histogram"
BINARY = "application/vnd.runhue.histograms"
MAGIC = b"RHHG\1\0\0\0"


class _Logged(NamedTuple):
    """A run's histograms by step, and how many values are none."""

    steps: list[int]
    histograms: list[Histogram]
    skipped: int


class Shape(NamedTuple):
    """How large an answer is: columns at most, and rows."""

    columns: int
    rows: int


class Matrices(NamedTuple):
    """An answer whose counts are apart: per run an array of shape (rows, columns)."""

    answer: JsonObject
    counts: list[Doubles]


def histograms_of(
    tx: Transaction, runs: Mapping[str, int], key: str, steps: tuple[int, int], shape: Shape
) -> Matrices:
    """The histograms between two steps of some runs, internal ids by id.

    Buckets of steps are those of `history.read_reduced`: the smallest power of two for which the range, cut
    to the steps that any run has, takes at most so many; whole at the edges of the range. A run with no more
    histograms than columns has each for itself.
    """
    first, last = steps
    asked = _read(tx, runs, key, first, last)
    ends = [step for logged in asked.values() for step in logged.steps[:1] + logged.steps[-1:]]
    wide = bucket_for(min(ends), max(ends), shape.columns) if ends else 1
    many = {name for name, logged in asked.items() if len(logged.steps) > shape.columns}
    if many:
        edge = max(ends) // wide * wide + wide - 1
        whole = _read(tx, {name: runs[name] for name in many}, key, min(ends) // wide * wide, edge)
        asked |= whole
    shown = {name: (wide if name in many else 1, logged) for name, logged in asked.items()}
    grid = grid_edges(itertools.chain(*(logged.histograms for _, logged in shown.values())), shape.rows)
    parts = [_run_answer(name, *shown[name], grid) for name in runs]
    answer = {"key": key, "edges": grid.tolist(), "runs": [part for part, _ in parts]}
    return Matrices(answer, [counts for _, counts in parts])


def _read(tx: Transaction, runs: Mapping[str, int], key: str, first: int, last: int) -> dict[str, _Logged]:
    points = KeyReading(tx, list(runs.values()), key, first, last).read(first, last)
    return {name: _logged(points[run_id]) for name, run_id in runs.items()}


def _logged(points: Points) -> _Logged:
    values = [
        (step, histogram_of(value))
        for step, value in zip(points.steps.tolist(), points.plain(), strict=True)
        if isinstance(value, dict) and value.get("_type") == TYPE
    ]
    known = [(step, one) for step, one in values if one is not None]
    return _Logged([step for step, _ in known], [one for _, one in known], len(values) - len(known))


def _run_answer(name: str, bucket: int, logged: _Logged, grid: Doubles) -> tuple[JsonObject, Doubles]:
    columns, counts = matrix(logged.steps, logged.histograms, bucket_bits(bucket), grid)
    answer = {
        "run_id": name,
        "bucket": bucket,
        "n": len(logged.steps),
        "skipped": logged.skipped,
        "columns": [column._asdict() for column in columns],
        "counts": [],
    }
    return answer, counts


def as_json(found: Matrices) -> JsonObject:
    """The answer with its counts."""
    runs: Sequence[JsonObject] = found.answer["runs"]
    filled = [{**run, "counts": counts.tolist()} for run, counts in zip(runs, found.counts, strict=True)]
    return {**found.answer, "runs": filled}


def as_bytes(found: Matrices) -> bytes:
    """The answer as a header and arrays, all little-endian.

    `RHHG\\1\\0\\0\\0`, uint32 length of the header, the JSON answer with empty `counts`, padded with spaces
    to a multiple of 4, then of each run float32 counts, row by row.
    """
    header = encode(found.answer)
    header += b" " * (-len(header) % 4)
    arrays = (counts.astype("<f4").tobytes() for counts in found.counts)
    return b"".join([MAGIC, struct.pack("<I", len(header)), header, *arrays])
