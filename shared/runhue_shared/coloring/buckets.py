"""Where buckets begin and which bucket a value is in.

A scale holds the thresholds as doubles, so that every reader (SQL, Python, a browser) finds the same bucket
with one comparison, and the exact boundaries behind them, from which labels are printed.
Source: docs/color.md S3, S4, S14 and "Scales".
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from runhue_shared.coloring.exact import (
    decimal_value,
    nearest_double,
    smallest_double_at_least,
    smallest_root_at_least,
)
from runhue_shared.coloring.settings import ClipRange, ColorSettings


@dataclass(frozen=True, slots=True)
class Domain:
    """Smallest and largest value that buckets are laid over, `low <= high`, finite, in the key's unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuantileCut:
    """The value that closes a quantile bucket, and the next greater one of the population, if any."""

    closing: float
    following: float | None = None


@dataclass(frozen=True, slots=True)
class NumericScale:
    """The buckets of a numeric key.

    `low` and `high` are the ends of the scale, None for custom boundaries over a population without values.
    `thresholds` are ascending doubles; none means a single bucket. `boundaries` are the exact values behind
    the thresholds, `ends` those behind `low` and `high`.
    """

    low: float | None
    high: float | None
    thresholds: tuple[float, ...] = ()
    boundaries: tuple[Fraction, ...] = ()
    ends: tuple[Fraction, ...] = ()


def bucket_of(value: float, thresholds: Sequence[float]) -> int:
    """Bucket of a finite value, from 1: lower bounds belong to a bucket, upper bounds to the next.

    The same rule in SQL is `width_bucket(value, thresholds) + 1`. Source: docs/color.md S3.
    """
    return 1 + bisect_right(thresholds, value)


def numeric_scale(
    domain: Domain | None, settings: ColorSettings, cuts: Sequence[QuantileCut] = ()
) -> NumericScale | None:
    """The scale of a population from the ends of its values; None when there is nothing to lay buckets over.

    Args:
        domain: smallest and largest finite representative value (positive ones only for the log scale); None
            when no run has a value.
        settings: buckets, scale, boundaries, range and midpoint are read.
        cuts: for the quantile scale, one per rank of `quantile_ranks`.
    Source: docs/color.md S4, S14 and "Scales".
    """
    if settings.boundaries is not None:
        return _custom(domain, settings.boundaries)
    if domain is None:
        return None
    domain = _clipped(domain, settings.range)
    if domain.low == domain.high:
        return NumericScale(domain.low, domain.high, ends=_ends(domain))
    if settings.scale == "quantile":
        return _from_thresholds(domain, quantile_thresholds(cuts))
    if settings.scale == "log":
        return _from_thresholds(domain, log_thresholds(domain, settings.buckets))
    if settings.midpoint is not None:
        return _diverging(domain, settings.midpoint, settings.buckets)
    return _linear(domain, settings.buckets)


def linear_thresholds(domain: Domain, buckets: int) -> tuple[float, ...]:
    """Thresholds of equally wide buckets: the smallest doubles not below the `buckets - 1` boundaries.

    Args:
        domain: any finite doubles with `low < high`, adjacent and extreme ones included.
        buckets: 2 to 8.
    Source: docs/color.md S4; seed 000, "Customize buckets".
    """
    return _linear(domain, buckets).thresholds


def log_thresholds(domain: Domain, buckets: int) -> tuple[float, ...]:
    """The `buckets - 1` thresholds of buckets with equal ratios.

    A value v is at or above threshold k of n exactly when D(v)^n >= D(low)^(n-k) * D(high)^k.

    Args:
        domain: positive, `low < high`.
        buckets: 2 to 8.
    Source: docs/color.md "Scales", log.
    """
    low, high = _ends(domain)
    return tuple(smallest_root_at_least(low ** (buckets - k) * high**k, buckets) for k in range(1, buckets))


def quantile_ranks(count: int, buckets: int) -> tuple[int, ...]:
    """Ranks, from 1, of the values that close buckets 1..n-1 of `count` ascending ones: ceil(k * count / n).

    Source: docs/color.md "Scales", quantile.
    """
    return tuple(-(-k * count // buckets) for k in range(1, buckets))


def quantile_cuts(values: Sequence[float], buckets: int) -> tuple[QuantileCut, ...]:
    """The cuts of ascending values: for each rank, the value there and the next greater one."""
    cuts = []
    for rank in quantile_ranks(len(values), buckets) if values else ():
        closing = values[rank - 1]
        after = bisect_right(values, closing)
        cuts.append(QuantileCut(closing, values[after] if after < len(values) else None))
    return tuple(cuts)


def quantile_thresholds(cuts: Sequence[QuantileCut]) -> tuple[float, ...]:
    """Thresholds of equally filled buckets; equal values are never split, so some buckets may stay empty.

    Source: docs/color.md "Scales", quantile.
    """
    return tuple(cut.closing if cut.following is None else cut.following for cut in cuts)


def _linear(domain: Domain, buckets: int) -> NumericScale:
    return _even(_ends(domain), buckets, domain)


def _diverging(domain: Domain, midpoint: float, buckets: int) -> NumericScale:
    """Equal widths over a domain mirrored around the midpoint; its ends may lie beyond the values."""
    low, high = _ends(domain)
    middle = decimal_value(midpoint)
    reach = max(abs(high - middle), abs(middle - low))
    ends = (middle - reach, middle + reach)
    return _even(ends, buckets, Domain(nearest_double(ends[0]), nearest_double(ends[1])))


def _even(ends: tuple[Fraction, Fraction], buckets: int, domain: Domain) -> NumericScale:
    low, high = ends
    boundaries = tuple(((buckets - k) * low + k * high) / buckets for k in range(1, buckets))
    thresholds = tuple(smallest_double_at_least(boundary) for boundary in boundaries)
    return NumericScale(domain.low, domain.high, thresholds, boundaries, ends)


def _custom(domain: Domain | None, boundaries: tuple[float, ...]) -> NumericScale:
    exact = tuple(decimal_value(boundary) for boundary in boundaries)
    if domain is None:
        return NumericScale(None, None, boundaries, exact)
    return NumericScale(domain.low, domain.high, boundaries, exact, _ends(domain))


def _from_thresholds(domain: Domain, thresholds: tuple[float, ...]) -> NumericScale:
    boundaries = tuple(decimal_value(threshold) for threshold in thresholds)
    return NumericScale(domain.low, domain.high, thresholds, boundaries, _ends(domain))


def _clipped(domain: Domain, clip: ClipRange | None) -> Domain:
    """The domain with the given ends; when they leave no room, one point, at the end that was given."""
    if clip is None:
        return domain
    low = domain.low if clip.min is None else clip.min
    high = domain.high if clip.max is None else clip.max
    if low < high:
        return Domain(low, high)
    point = high if clip.min is None else low
    return Domain(point, point)


def _ends(domain: Domain) -> tuple[Fraction, Fraction]:
    return decimal_value(domain.low), decimal_value(domain.high)
