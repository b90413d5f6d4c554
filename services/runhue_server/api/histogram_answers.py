"""Histograms that runs logged over steps, laid on one grid."""

import itertools
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runhue_server.api.answers import encode
from runhue_server.api.run_answers import JsonObject
from runhue_server.web.problems import Invalid
from runhue_shared.charts.histogram_grid import Doubles, Histogram, grid_edges, histogram_of, matrix
from runhue_shared.db import Transaction
from runhue_shared.db.media_index import KeyReading
from runhue_shared.db.reduced import bucket_for
from runhue_shared.series.points import Points
from runhue_shared.series.pyramid import bucket_bits

TYPE = "histogram"
BINARY = "application/vnd.runhue.histograms"
MAGIC = b"RHHG\1\0\0\0"
MAX_HISTOGRAMS = 200_000
"""An answer is made of so many at most; of 64 bins they take some 250 MB."""

WINDOW_POINTS = 2_000
"""Points of each run are read so many at a time: as they were logged they take much more memory."""


class TooManyHistograms(Invalid):
    """The runs logged more between the steps than one answer is made of."""

    code = "too_many_histograms"


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

    Raises:
        TooManyHistograms: more than `MAX_HISTOGRAMS` points lie there.
    """
    first, last = steps
    asked = _read(tx, runs, key, first, last)
    ends = [step for logged in asked.values() for step in logged.steps[:1] + logged.steps[-1:]]
    wide = bucket_for(min(ends), max(ends), shape.columns) if ends else 1
    many = {name for name, logged in asked.items() if len(logged.steps) > shape.columns}
    start, end = (min(ends) // wide * wide, max(ends) // wide * wide + wide - 1) if ends else steps
    if many and (start < first or end > last):
        asked |= _read(tx, {name: runs[name] for name in many}, key, start, end)
    shown = {name: (wide if name in many else 1, logged) for name, logged in asked.items()}
    grid = grid_edges(itertools.chain(*(logged.histograms for _, logged in shown.values())), shape.rows)
    parts = [_run_answer(name, *shown[name], grid) for name in runs]
    answer = {"key": key, "edges": grid.tolist(), "runs": [part for part, _ in parts]}
    return Matrices(answer, [counts for _, counts in parts])


def _read(tx: Transaction, runs: Mapping[str, int], key: str, first: int, last: int) -> dict[str, _Logged]:
    reading = KeyReading(tx, list(runs.values()), key, first, last)
    points = reading.points_between(first, last)
    if points > MAX_HISTOGRAMS:
        raise TooManyHistograms(
            f"these runs logged some {points:,} values of {key[:200]!r} between the steps",
            field="runs",
            limit=MAX_HISTOGRAMS,
            fix="ask for fewer runs, or for fewer steps with from_step and to_step",
        )
    found = {name: _Logged([], [], 0) for name in runs}
    while first <= last:
        until = min(reading.window_end(first, WINDOW_POINTS), last)
        window = reading.read(first, until)
        found = {name: _with(found[name], window[run_id]) for name, run_id in runs.items()}
        first = until + 1
    return found


def _with(logged: _Logged, points: Points) -> _Logged:
    """What was logged, with some more behind it."""
    skipped = logged.skipped
    for step, value in zip(points.steps.tolist(), points.plain(), strict=True):
        if not isinstance(value, dict) or value.get("_type") != TYPE:
            continue
        histogram = histogram_of(value)
        if histogram is None:
            skipped += 1
        else:
            logged.steps.append(step)
            logged.histograms.append(histogram)
    return logged._replace(skipped=skipped)


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
