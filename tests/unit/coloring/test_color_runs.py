"""A whole population colored from scratch: S1, S8 to S14, G6, groups and stability."""

from collections import Counter
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.assign import Coloring, Continuity, color_runs
from runhue_shared.coloring.buckets import Domain
from runhue_shared.coloring.legend import legend_bucket
from runhue_shared.coloring.palettes import ColorPair, no_value_colors, run_colors
from runhue_shared.coloring.settings import ColorSettings, parse_settings
from runhue_shared.coloring.values import RunStats, stats_of_points, stats_of_value

METRIC = {"source": "metric", "name": "acc"}
CONFIG = {"source": "config", "name": "lr"}


def settings(**fields: object) -> ColorSettings:
    return parse_settings({"key": METRIC, **fields})


def stats(**values: object) -> dict[str, RunStats]:
    return {run: stats_of_value(value) for run, value in values.items()}


def buckets(coloring: Coloring) -> dict[str, int | None]:
    return {run: color.bucket for run, color in coloring.runs.items()}


def reasons(coloring: Coloring) -> dict[str, str | None]:
    return {run: color.reason for run, color in coloring.runs.items()}


def test_documented_example() -> None:
    """The best run drawn is in bucket 6 and the worst in bucket 4 of a wider population (seed 000)."""
    histories = {"low": [0.3, 0.49665], "worst": [0.5, 0.7993], "best": [0.957, 0.6], "high": [0.99543]}
    population = {run: stats_of_points(points) for run, points in histories.items()}

    coloring = color_runs(population, settings(y="max", buckets=6))

    assert buckets(coloring) == {"low": 1, "worst": 4, "best": 6, "high": 6}
    assert coloring.runs["best"].colors == ColorPair("#390682", "#7846E4")
    assert (coloring.population, coloring.valued, coloring.counts) == (4, 4, (1, 0, 0, 1, 0, 2))


def test_hidden_runs_count_for_the_range() -> None:
    """A closed eye changes no color (S1)."""
    population = stats(a=0.0, b=0.4, c=1.0)

    assert color_runs(population, settings(), hidden={"c"}) == color_runs(population, settings())


def test_visible_population_leaves_hidden_runs_out() -> None:
    """The range is that of the runs with an open eye; the others go to the end buckets (S1)."""
    coloring = color_runs(stats(a=0.0, b=1.0, c=9.0), settings(buckets=2, population="visible"), hidden={"c"})

    assert coloring.legend.max == 1.0
    assert buckets(coloring) == {"a": 1, "b": 2, "c": 2}
    assert (coloring.population, coloring.valued, coloring.counts) == (2, 2, (1, 1))


@pytest.mark.parametrize("values", [{"a": "adam", "b": "sgd"}, {"a": None, "b": 3.0}])
def test_hidden_value_may_have_no_place(values: dict[str, object]) -> None:
    """A value that no run of the visible population has gets no bucket."""
    key_type = "string" if values["a"] else "number"
    chosen = settings(key={**CONFIG, "type": key_type}, population="visible")

    coloring = color_runs(stats(**values), chosen, hidden={"b"})

    assert coloring.runs["b"].reason == "not_in_population"
    assert coloring.runs["b"].colors == no_value_colors()


def test_runs_without_a_value_do_not_touch_the_range() -> None:
    """They are neutral gray, with the reason (S6, S11)."""
    population = stats(a=1.0, b=2.0, nan=nan, text="x", null=None) | {"absent": RunStats()}

    coloring = color_runs(population, settings(buckets=2))

    assert (coloring.legend.min, coloring.legend.max, coloring.valued) == (1.0, 2.0, 2)
    assert reasons(coloring) == {
        "a": None,
        "b": None,
        "nan": "non_finite",
        "text": "type_mismatch",
        "null": "null",
        "absent": "missing",
    }
    assert coloring.runs["nan"].colors == no_value_colors()


def test_custom_bands_are_shown_before_any_run_has_the_key() -> None:
    """Boundaries of numbers make the key a number."""
    coloring = color_runs({"a": RunStats()}, settings(scale="custom", buckets=2, boundaries=[0.9]))

    assert (coloring.legend.kind, coloring.legend.type, coloring.counts) == ("numeric", "number", (0, 0))


def test_type_of_most_runs_decides() -> None:
    """Without a type in the key, the others are mismatches (S8)."""
    coloring = color_runs(stats(a="adam", b="sgd", c=1), settings(key=CONFIG))

    assert (coloring.legend.kind, coloring.legend.type) == ("categorical", "string")
    assert reasons(coloring)["c"] == "type_mismatch"


def test_no_run_has_the_key() -> None:
    """The legend is empty and every run is missing (S14)."""
    coloring = color_runs({"a": RunStats()}, settings())

    assert (coloring.legend.kind, coloring.legend.type, coloring.counts) == ("empty", None, ())
    assert reasons(coloring) == {"a": "missing"}


def test_numeric_strings_are_numbers_on_request() -> None:
    """Config values only, as JSON numbers; the option also decides the type (S10)."""
    population = stats(a="0.1", b="0.3", c="1e-3", d="fast")

    coloring = color_runs(population, settings(key=CONFIG, coerce_numeric_strings=True))

    assert (coloring.legend.type, coloring.legend.min) == ("number", 0.001)
    assert reasons(coloring)["d"] == "type_mismatch"


@pytest.mark.parametrize("key", [{**CONFIG, "type": "string"}, METRIC])
def test_numeric_strings_stay_strings_elsewhere(key: dict[str, str]) -> None:
    """Where strings are asked for, and for metrics (S10)."""
    coloring = color_runs(stats(a="1", b="2"), settings(key=key, coerce_numeric_strings=True))

    assert [color.value for color in coloring.runs.values()] == ["1", "2"]


def test_strings_beyond_the_buckets_share_other() -> None:
    """The most frequent keep their own bucket (S13)."""
    population = stats(a="adam", b="adam", c="sgd", d="sgd", e="lion", f="")

    coloring = color_runs(population, settings(key=CONFIG, buckets=3))

    assert [bucket.label for bucket in coloring.legend.buckets] == ["adam", "sgd", "Other"]
    assert coloring.counts == (2, 2, 2)


def test_boolean_key() -> None:
    """False, then true, even when only one of them occurs (S12)."""
    coloring = color_runs(stats(a=True, b=True), settings(buckets=8))

    assert (coloring.legend.kind, coloring.counts) == ("boolean", (0, 2))


def test_boolean_key_without_values_is_empty() -> None:
    """There is nothing to show (S14)."""
    coloring = color_runs(stats(a=1.0), settings(key={**METRIC, "type": "bool"}))

    assert (coloring.legend.kind, coloring.legend.type) == ("empty", "bool")


def test_log_scale_leaves_zero_and_below_out() -> None:
    """The range is that of positive values (S11)."""
    coloring = color_runs(stats(a=1e-4, b=1.0, c=0.0, d=-3.0), settings(scale="log", buckets=4))

    assert (coloring.legend.min, coloring.legend.thresholds) == (1e-4, (0.001, 0.01, 0.1))
    assert reasons(coloring) == {"a": None, "b": None, "c": "non_positive", "d": "non_positive"}


def test_quantile_scale_fills_buckets_equally() -> None:
    """One outlier does not empty the others."""
    coloring = color_runs(stats(a=1.0, b=2.0, c=3.0, d=1e9), settings(scale="quantile", buckets=2))

    assert coloring.counts == (2, 2)


def test_override_wins_and_the_bucket_is_still_reported() -> None:
    """A color chosen by hand does not change the range or the counts."""
    coloring = color_runs(
        stats(a=0.0, b=1.0), settings(buckets=2, overrides={"b": "#1a2b3c", "gone": "#ffffff"})
    )

    assert coloring.runs["b"].colors == ColorPair("#1a2b3c", "#1a2b3c")
    assert (coloring.runs["b"].bucket, coloring.runs["b"].overridden) == (2, True)
    assert not coloring.runs["a"].overridden
    assert coloring.counts == (1, 1)


def test_without_a_key_runs_keep_their_own_colors() -> None:
    """Key-based coloring is off; overrides still hold."""
    coloring = color_runs(stats(a=0.0, b=1.0), parse_settings({"overrides": {"b": "#1a2b3c"}}))

    assert coloring.legend.kind == "empty"
    assert coloring.runs["a"].colors == run_colors("a")
    assert coloring.runs["b"].colors == ColorPair("#1a2b3c", "#1a2b3c")
    assert reasons(coloring) == {"a": None, "b": None}


def test_group_members_share_the_bucket_of_their_mean() -> None:
    """Also a member without a value; runs outside groups keep their own."""
    population = stats(a=0.0, b=0.2, c=None, d=1.0, e=None)

    coloring = color_runs(
        population, settings(buckets=2, per_group=True), groups={"a": "g", "b": "g", "c": "g", "e": "h"}
    )

    assert [coloring.runs[run].value for run in "abcd"] == [0.1, 0.1, 0.1, 1.0]
    assert (coloring.legend.min, coloring.legend.max) == (0.1, 1.0)
    assert coloring.runs["e"].reason == "null"
    assert coloring.counts == (3, 1)


def test_groups_are_ignored_unless_asked_for() -> None:
    """Grouping a plot does not change colors by itself."""
    population = stats(a=0.0, b=1.0)

    assert color_runs(population, settings(), groups={"a": "g", "b": "g"}) == color_runs(
        population, settings()
    )


def test_stable_mode_keeps_the_domain_of_a_live_population() -> None:
    """The next coloring starts from the domain of this one."""
    chosen = settings(stability="stable")
    first = color_runs(stats(a=0.0, b=1.0), chosen, continuity=Continuity(live=True))

    second = color_runs(stats(a=0.0, b=1.05), chosen, continuity=Continuity(live=True, domain=first.domain))

    assert first.domain == Domain(-0.1, 1.1)
    assert second.legend == first.legend


def test_stable_mode_ends_exact() -> None:
    """Once no run is live, colors are those of the live mode."""
    population = stats(a=0.0, b=1.0)

    settled = color_runs(
        population, settings(stability="stable"), continuity=Continuity(domain=Domain(-5.0, 5.0))
    )

    assert settled == color_runs(population, settings())


def test_pinned_mode_clamps_new_values() -> None:
    """Thresholds stay; values outside go to the end buckets."""
    pinned = color_runs(stats(a=0.0, b=1.0), settings(buckets=2)).legend
    chosen = settings(buckets=2, stability="pinned")

    coloring = color_runs(stats(a=-9.0, b=0.4, c=9.0), chosen, continuity=Continuity(pinned=pinned))

    assert coloring.legend == pinned
    assert buckets(coloring) == {"a": 1, "b": 1, "c": 2}


def test_pinned_mode_without_a_fitting_pin_is_exact() -> None:
    """The first coloring after a change makes the next pin."""
    pinned = color_runs(stats(a=0.0, b=1.0), settings(buckets=2)).legend
    chosen = settings(buckets=3, stability="pinned")

    coloring = color_runs(stats(a=0.0, b=3.0), chosen, continuity=Continuity(pinned=pinned))

    assert coloring.legend.thresholds == (1.0, 2.0)


scalars = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["", "a", "b", "1", "NaN"])
)
populations = st.dictionaries(
    st.text(st.characters(codec="ascii"), max_size=3),
    st.lists(scalars, max_size=4).map(stats_of_points),
    max_size=12,
)
choices = st.builds(
    settings,
    key=st.sampled_from(
        [METRIC, CONFIG, {**METRIC, "type": "number"}],
    ),
    y=st.sampled_from(["latest", "max", "min"]),
    buckets=st.integers(2, 8),
    scale=st.sampled_from(["linear", "log", "quantile"]),
    population=st.sampled_from(["workspace", "visible"]),
    coerce_numeric_strings=st.booleans(),
    per_group=st.booleans(),
    stability=st.sampled_from(["live", "stable"]),
)


@given(population=populations, chosen=choices, data=st.data())
def test_legend_and_runs_agree(
    population: dict[str, RunStats], chosen: ColorSettings, data: st.DataObject
) -> None:
    """A run has a bucket or a reason, counts sum to the valued runs, ends are in the end buckets (G6)."""
    runs = sorted(population)
    hidden = set(data.draw(st.lists(st.sampled_from(runs)))) if runs else set()
    groups = {run: run[:1] for run in runs}

    coloring = color_runs(
        population, chosen, hidden=hidden, groups=groups, continuity=Continuity(live=data.draw(st.booleans()))
    )

    legend = coloring.legend
    assert all((color.bucket is None) != (color.reason is None) for color in coloring.runs.values())
    assert sum(coloring.counts) == coloring.valued <= coloring.population <= len(population)
    assert len(coloring.counts) == len(legend.buckets)
    if legend.min is not None and legend.max is not None:
        ends = (legend_bucket(legend, legend.min), legend_bucket(legend, legend.max))
        assert ends == (1, len(legend.buckets))
    if chosen.population == "workspace":
        assert Counter(color.bucket for color in coloring.runs.values() if color.bucket) == Counter(
            {
                bucket.index: count
                for bucket, count in zip(legend.buckets, coloring.counts, strict=True)
                if count
            }
        )


@given(population=populations, chosen=choices)
def test_order_of_runs_changes_nothing(population: dict[str, RunStats], chosen: ColorSettings) -> None:
    """Same input, same legend (G3)."""
    backwards = dict(reversed(population.items()))

    assert color_runs(backwards, chosen) == color_runs(population, chosen)
