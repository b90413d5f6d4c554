"""How long a domain is kept while runs are still logging, so that colors do not flicker.

Source: docs/color.md "Stability".
"""

from fractions import Fraction

from runhue_shared.coloring.buckets import Domain
from runhue_shared.coloring.exact import decimal_value, nearest_double, smallest_root_at_least
from runhue_shared.coloring.settings import ScaleKind

HEADROOM = Fraction(1, 10)
LEAST_FILL = Fraction(33, 100)


def stable_domain(
    previous: Domain | None, current: Domain, live: bool, scale: ScaleKind = "linear"
) -> Domain:
    """The domain to lay buckets over in the stable mode.

    While a run is live, `previous` is kept until a value lies outside it or the values fill less than 33 %
    of it; then 10 % of the values' span is added on each side. Once no run is live, the domain is exact.
    Quantile and custom thresholds do not follow the ends of the domain, so for them it always is.

    Args:
        previous: the domain in force, None before the first.
        current: smallest and largest value now.
        live: whether any run of the population is still logging.
        scale: on a log scale, spans and headroom are ratios.
    """
    if not live or scale in ("quantile", "custom"):
        return current
    if previous is not None and _holds(previous, current, scale):
        return previous
    return _with_log_headroom(current) if scale == "log" else _with_headroom(current)


def _holds(previous: Domain, current: Domain, scale: ScaleKind) -> bool:
    if current.low < previous.low or current.high > previous.high:
        return False
    low, high = decimal_value(current.low), decimal_value(current.high)
    first, last = decimal_value(previous.low), decimal_value(previous.high)
    if scale == "log":
        # (high / low) < (last / first) ** LEAST_FILL, without a root.
        return (high / low) ** LEAST_FILL.denominator >= (last / first) ** LEAST_FILL.numerator
    return high - low >= LEAST_FILL * (last - first)


def _with_headroom(domain: Domain) -> Domain:
    low, high = decimal_value(domain.low), decimal_value(domain.high)
    room = HEADROOM * (high - low)
    return Domain(nearest_double(low - room), nearest_double(high + room))


def _with_log_headroom(domain: Domain) -> Domain:
    """Both ends moved out by a tenth of the ratio: low * (low / high) ** .1 and its mirror image."""
    low, high = decimal_value(domain.low), decimal_value(domain.high)
    parts = HEADROOM.denominator
    return Domain(
        smallest_root_at_least(low ** (parts + 1) / high, parts),
        smallest_root_at_least(high ** (parts + 1) / low, parts),
    )
