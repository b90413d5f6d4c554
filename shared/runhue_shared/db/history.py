"""What a run logged, read back: exact points, rows by step, or reduced for a chart.

Points come from chunks and from the tail; at each step the record with the greatest ord stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runhue_shared.db import Transaction
from runhue_shared.series.points import Points

Stream = Literal["history", "system"]
"""`system` holds the machine's own samples; its steps are milliseconds."""

STEP_KEY = "_step"
MAX_STEP = 2**63 - 1


@dataclass(frozen=True, slots=True)
class RunMetric:
    """One (metric, type) of a run, over all its points; `last_value` is as it was logged (int stays int).

    `last`, `fmin` and `fmax` are doubles, for bools 0.0 and 1.0; None where there is none.
    """

    metric_id: int
    name: str
    type: str
    n: int
    first_step: int
    last_step: int
    last_ord: int
    last: float | None
    last_value: Any
    fmin: float | None
    fmin_step: int | None
    fmax: float | None
    fmax_step: int | None
    nan_count: int
    inf_count: int


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Exact points of one (metric, type), sorted by step, one per step.

    `steps`: int64, shape (n,). `points.numbers`: float64, shape (n,), for numbers; `values()` for any type.
    """

    key: str
    type: str
    points: Points

    @property
    def steps(self) -> NDArray[np.int64]:
        return self.points.steps

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values as doubles; meaningful for type number."""
        return self.points.numbers

    def values(self) -> list[Any]:
        """Values as Python has them: int, float, str, bool, None, list or dict."""
        return self.points.plain()


@dataclass(frozen=True, slots=True, eq=False)
class ReducedSeries:
    """Numbers of one metric of one run in buckets of `bucket` steps, aligned at step 0.

    All arrays have shape (buckets,): `start` the bucket's first step, `count` its points, `non_finite` those
    of them that are NaN or infinite, `last` the value at its greatest step and `last_step` that step, `low`
    and `high` over finite points (NaN where there is none). `reduced` is False when bucket is 1.
    """

    run_id: int
    key: str
    bucket: int
    n: int
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    non_finite: NDArray[np.int64]
    last: NDArray[np.float64]
    last_step: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def reduced(self) -> bool:
        return self.bucket > 1


def metrics_of_run(tx: Transaction, run_id: int, stream: Stream = "history") -> list[RunMetric]:
    """Every (metric, type) the run logged, by name and type. Includes `_step`, `_timestamp`, `_runtime`."""
    raise NotImplementedError


def read_series(
    tx: Transaction,
    run_id: int,
    names: Sequence[str] | None = None,
    from_step: int = 0,
    to_step: int = MAX_STEP,
    stream: Stream = "history",
) -> list[Series]:
    """Exact points with `from_step` <= step <= `to_step`, one `Series` per (metric, type), by name and type.

    `names` are compared by casefold; None is all but `_step`. Unknown names are absent.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    raise NotImplementedError


def read_rows(
    tx: Transaction,
    run_id: int,
    names: Sequence[str] | None = None,
    from_step: int = 0,
    to_step: int | None = None,
    limit: int | None = None,
    stream: Stream = "history",
) -> list[dict[str, Any]]:
    """Rows merged by step, ascending: `_step` first, then the keys in their first-seen spelling.

    With `names` only rows that hold one of them. At most `limit` rows; go on from the last step + 1.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    raise NotImplementedError


def read_reduced(
    tx: Transaction,
    run_ids: Sequence[int],
    name: str,
    from_step: int = 0,
    to_step: int | None = None,
    points: int = 1000,
    stream: Stream = "history",
) -> list[ReducedSeries]:
    """The metric's numbers per run, in at most `points` buckets over the asked range; runs without: absent.

    The bucket is the smallest power of two for which the whole range (by default up to the last step of
    any of the runs) has at most `points` buckets; a run with no more than `points` points in the range comes
    unreduced (bucket 1).
    The same points give the same buckets whatever way they arrived.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the block.
    """
    raise NotImplementedError
