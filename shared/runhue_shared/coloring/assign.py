"""Colors of a whole population computed from scratch: the reference every incremental result must equal (G5).

Source: docs/color.md S1, S8 to S14, "Per group" and "Stability".
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TypeGuard

from msgspec import Struct

from runhue_shared.coloring.buckets import Domain, numeric_scale, quantile_cuts
from runhue_shared.coloring.categories import categories_of
from runhue_shared.coloring.groups import group_values
from runhue_shared.coloring.legend import (
    Legend,
    boolean_legend,
    categorical_legend,
    empty_legend,
    legend_bucket,
    legend_colors,
    numeric_legend,
    pin_holds,
    repainted,
)
from runhue_shared.coloring.palettes import ColorPair, run_colors
from runhue_shared.coloring.settings import ColorSettings, KeyType
from runhue_shared.coloring.stability import stable_domain
from runhue_shared.coloring.values import (
    Reason,
    Representative,
    RunStats,
    RunValue,
    positive_only,
    representative,
    resolved_type,
    types_of,
    with_numeric_strings,
)


class RunColor(Struct, frozen=True):
    """How one run is drawn: a bucket or a reason, never both; `value` is its group's in grouped coloring."""

    value: RunValue | None
    bucket: int | None
    reason: Reason | None
    colors: ColorPair
    overridden: bool = False


class Coloring(Struct, frozen=True):
    """A legend and every run's place in it.

    `population` counts the runs that define the range, `valued` those of them with a value; `counts` has one
    entry per bucket and sums to `valued`. `domain` is what the stable mode compares with next time.
    """

    legend: Legend
    runs: dict[str, RunColor]
    population: int
    valued: int
    counts: tuple[int, ...]
    domain: Domain | None = None


class Continuity(Struct, frozen=True):
    """What earlier colorings leave behind for the stable and the pinned mode; nothing for the live one."""

    live: bool = False
    domain: Domain | None = None
    pinned: Legend | None = None


NO_CONTINUITY = Continuity()


def color_runs(
    stats: Mapping[str, RunStats],
    settings: ColorSettings,
    *,
    hidden: Collection[str] = frozenset(),
    groups: Mapping[str, str] | None = None,
    continuity: Continuity = NO_CONTINUITY,
) -> Coloring:
    """Legend and colors of all runs of a workspace.

    Args:
        stats: what each run has for the key; every run that matches the workspace's filter and search.
        settings: the workspace's.
        hidden: runs whose eye is off; they leave the range only when the population is "visible".
        groups: group per run, read when `per_group` is set; a run without a group keeps its own value.
        continuity: for the stable and the pinned mode.
    Source: docs/color.md S1, S8 to S14.
    """
    members = stats.keys() - set(hidden) if settings.population == "visible" else stats.keys()
    key_type, found = _representatives(stats, settings, members)
    if key_type == "number" and settings.per_group and groups is not None:
        found = _grouped(found, groups, members)
    if key_type == "number" and settings.scale == "log":
        found = {run: positive_only(one) for run, one in found.items()}
    values = [one.value for run, one in found.items() if run in members and one.value is not None]
    legend, domain = _legend(settings, key_type, values, continuity)
    runs = {run: _colored(run, one, legend, settings) for run, one in found.items()}
    used = Counter(runs[run].bucket for run in members)
    counts = tuple(used[bucket.index] for bucket in legend.buckets)
    return Coloring(legend, runs, len(members), len(values), counts, domain)


def _representatives(
    stats: Mapping[str, RunStats], settings: ColorSettings, members: Collection[str]
) -> tuple[KeyType | None, dict[str, Representative]]:
    """The key's type, resolved over the population when not given, and every run's value of that type."""
    if settings.key is None:
        return None, {run: Representative() for run in stats}
    coerce = settings.coerce_numeric_strings and settings.key.source == "config"
    coerced = {run: with_numeric_strings(one) for run, one in stats.items()} if coerce else stats
    key_type = settings.key.type or resolved_type(
        Counter(key_type for run in members for key_type in types_of(coerced[run]))
    )
    if key_type is None and settings.boundaries is not None:
        key_type = "number"  # bands are shown before any run has the key
    # As strings, "1" and "one" are values alike.
    source = stats if key_type == "string" else coerced
    return key_type, {run: representative(one, key_type, settings.y) for run, one in source.items()}


def _grouped(
    found: Mapping[str, Representative], groups: Mapping[str, str], members: Collection[str]
) -> dict[str, Representative]:
    values = {run: one.value for run, one in found.items() if run in members and _is_number(one.value)}
    means = group_values(values, groups)
    return {
        run: Representative(means[groups[run]]) if groups.get(run) in means else one
        for run, one in found.items()
    }


def _legend(
    settings: ColorSettings, key_type: KeyType | None, values: Sequence[RunValue], continuity: Continuity
) -> tuple[Legend, Domain | None]:
    if key_type == "number":
        return _numeric(settings, sorted(value for value in values if _is_number(value)), continuity)
    if key_type == "string":
        counts = Counter(value for value in values if isinstance(value, str))
        return categorical_legend(settings, categories_of(counts, settings.buckets)), None
    if key_type == "bool" and values:
        return boolean_legend(settings), None
    return empty_legend(settings, key_type), None


def _numeric(
    settings: ColorSettings, numbers: Sequence[float], continuity: Continuity
) -> tuple[Legend, Domain | None]:
    pinned = continuity.pinned
    if settings.stability == "pinned" and pinned is not None and pin_holds(pinned, settings):
        return repainted(pinned, settings), None
    domain = Domain(numbers[0], numbers[-1]) if numbers else None
    if settings.stability == "stable" and domain is not None:
        domain = stable_domain(continuity.domain, domain, continuity.live, settings.scale)
    cuts = quantile_cuts(numbers, settings.buckets) if settings.scale == "quantile" else ()
    return numeric_legend(settings, numeric_scale(domain, settings, cuts)), domain


def _colored(run: str, found: Representative, legend: Legend, settings: ColorSettings) -> RunColor:
    bucket = None if found.value is None else legend_bucket(legend, found.value)
    reason = found.reason
    if found.value is not None and bucket is None:
        reason = "not_in_population"  # a hidden run's value that no run of the population has
    colors = run_colors(run) if legend.key is None else legend_colors(legend, bucket)
    override = settings.overrides.get(run)
    if override is not None:
        colors = ColorPair(override, override)
    return RunColor(found.value, bucket, reason, colors, override is not None)


def _is_number(value: RunValue | None) -> TypeGuard[float]:
    return isinstance(value, float)
