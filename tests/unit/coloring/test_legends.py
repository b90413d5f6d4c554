"""What a legend says, and that its id is the same everywhere: L1, S12 to S14, G3, G6."""

import json
from dataclasses import replace

import pytest

from runhue_shared.coloring.buckets import Domain, numeric_scale
from runhue_shared.coloring.categories import Categories
from runhue_shared.coloring.legend import (
    Bucket,
    Legend,
    boolean_legend,
    categorical_legend,
    empty_legend,
    legend_as_json,
    legend_bucket,
    legend_colors,
    legend_from_json,
    numeric_legend,
    pin_holds,
    repainted,
)
from runhue_shared.coloring.palettes import PALETTE_VERSION, ColorPair, no_value_colors, ordered_pairs
from runhue_shared.coloring.settings import ColorKey, ColorSettings, parse_settings

ACC = {"source": "metric", "name": "acc"}
OPTIMIZER = {"source": "config", "name": "optimizer"}
DOCUMENTED = Domain(0.49665, 0.99543)


def settings(**fields: object) -> ColorSettings:
    return parse_settings({"key": ACC, "y": "max", **fields})


def legend_of(domain: Domain | None, **fields: object) -> Legend:
    chosen = settings(**fields)
    return numeric_legend(chosen, numeric_scale(domain, chosen))


def test_documented_legend() -> None:
    """Six buckets from light to deep, the first and the last open to Min and Max (seeds 000, 001)."""
    legend = legend_of(DOCUMENTED, buckets=6)

    assert (legend.kind, legend.type, legend.n, legend.scale) == ("numeric", "number", 6, "linear")
    assert (legend.min, legend.max, len(legend.thresholds)) == (0.49665, 0.99543, 5)
    assert [bucket.index for bucket in legend.buckets] == [1, 2, 3, 4, 5, 6]
    assert [bucket.colors for bucket in legend.buckets] == list(ordered_pairs("default", 6))
    assert [bucket.label for bucket in legend.buckets][::5] == ["Min - 0.5798", "0.9123 - Max"]


def test_buckets_join_without_gaps() -> None:
    """Each bucket begins where the one before ends; only the last includes its end (S3)."""
    legend = legend_of(Domain(0.0, 3.0), buckets=3)

    spans = [(b.lower, b.upper, b.lower_inclusive, b.upper_inclusive) for b in legend.buckets]

    assert spans == [(0.0, 1.0, True, False), (1.0, 2.0, True, False), (2.0, 3.0, True, True)]


def test_custom_buckets_have_no_outer_ends() -> None:
    """Bands reach as far as values do, and are shown before there are any."""
    legend = legend_of(None, scale="custom", buckets=2, boundaries=[0.9])

    assert legend.kind == "numeric"
    assert [(b.label, b.lower, b.upper) for b in legend.buckets] == [
        ("Min - 0.9000", None, 0.9),
        ("0.9000 - Max", 0.9, None),
    ]


def test_single_bucket_shows_the_value_in_the_middle_color() -> None:
    """All runs agree: color ceil(n/2) of the palette, reversed or not (S14)."""
    legends = [legend_of(Domain(0.5, 0.5), buckets=6, reverse=reverse) for reverse in (False, True)]

    middle = ordered_pairs("default", 6)[2]
    assert [legend.buckets for legend in legends] == [
        (Bucket(1, "0.5000", middle, 0.5, 0.5, lower_inclusive=True, upper_inclusive=True),)
    ] * 2
    assert (legends[0].kind, legends[0].thresholds) == ("single", ())


def test_empty_legend_has_no_buckets() -> None:
    """No run has a value (S14)."""
    legend = legend_of(None)

    assert (legend.kind, legend.buckets, legend.min, legend.max) == ("empty", (), None, None)
    assert legend_bucket(legend, 0.5) is None


def test_reverse_flips_colors_and_keeps_indices() -> None:
    """Low can be deep."""
    legend = legend_of(DOCUMENTED, buckets=4, reverse=True)

    assert [bucket.colors for bucket in legend.buckets] == list(ordered_pairs("default", 4))[::-1]
    assert legend.thresholds == legend_of(DOCUMENTED, buckets=4).thresholds


def test_midpoint_brings_diverging_colors() -> None:
    """Cool below, warm above."""
    legend = legend_of(Domain(-1.0, 3.0), buckets=4, midpoint=0)

    assert [bucket.colors for bucket in legend.buckets] == list(ordered_pairs("default", 4, diverging=True))
    assert (legend.min, legend.max) == (-3.0, 3.0)


def test_boolean_legend_has_two_buckets_whatever_n() -> None:
    """False and true (S12)."""
    legend = boolean_legend(settings(buckets=8))

    assert [(b.label, b.category) for b in legend.buckets] == [("false", False), ("true", True)]
    assert [b.colors for b in legend.buckets] == list(ordered_pairs("default", 2))
    assert [legend_bucket(legend, value) for value in (False, True)] == [1, 2]


def test_categorical_legend() -> None:
    """Strings by name, the empty one too, and the rest in gray (S13)."""
    legend = categorical_legend(settings(key=OPTIMIZER), Categories(("", "adam"), has_other=True))

    assert [(b.label, b.category) for b in legend.buckets] == [
        ("(empty)", ""),
        ("adam", "adam"),
        ("Other", None),
    ]
    assert legend.buckets[2].colors == ColorPair("#4D4D4D", "#B5B5B5")
    assert [legend_bucket(legend, value) for value in ("", "adam", "lion")] == [1, 2, 3]


def test_unknown_string_has_no_bucket_without_other() -> None:
    """There is no place for a value that no run of the population has."""
    legend = categorical_legend(settings(key=OPTIMIZER), Categories(("adam",)))

    assert legend_bucket(legend, "sgd") is None


def test_no_strings_make_an_empty_legend() -> None:
    """As for numbers (S14)."""
    assert categorical_legend(settings(key=OPTIMIZER), Categories(())).kind == "empty"


def test_colors_of_a_bucket_and_of_none() -> None:
    """A run without a bucket is neutral gray (S11)."""
    legend = legend_of(DOCUMENTED, buckets=6)

    assert legend_colors(legend, 6) == ColorPair("#390682", "#7846E4")
    assert legend_colors(legend, None) == no_value_colors()


def test_wall_time_labels_are_dates() -> None:
    """Seconds since the epoch would say nothing (L2)."""
    key = {"source": "default", "name": "wall_time"}

    legend = legend_of(Domain(1763721600.0, 1763725200.0), key=key, buckets=2)

    assert legend.buckets[0].label == "Min - 2025-11-21T11:10:00Z"


def test_legend_id_is_the_same_on_every_machine() -> None:
    """The hash of a known legend is known (G3)."""
    assert legend_of(DOCUMENTED, buckets=6).legend_id == (
        "94c1f7006fb481834d774872055b5e92e3a13320c5afa6dd9936b4940f35ec48"
    )


def test_legend_id_tells_adjacent_thresholds_apart() -> None:
    """It covers thresholds to the last bit, and what the eye sees."""
    legends = [
        legend_of(Domain(0.1, 0.7), buckets=6),
        legend_of(Domain(0.1, 0.7000000000000001), buckets=6),
        legend_of(Domain(0.1, 0.7), buckets=6, palette="cvd-other"),
        legend_of(Domain(0.1, 0.7), buckets=6, reverse=True),
        legend_of(Domain(0.1, 0.7), buckets=6, y="min"),
    ]

    assert len({legend.legend_id for legend in legends}) == len(legends)


def test_legend_id_ignores_settings_that_do_not_show() -> None:
    """Overrides and the like change runs, not the legend."""
    other = legend_of(DOCUMENTED, overrides={"r1": "#000000"}, population="visible", stability="stable")

    assert other.legend_id == legend_of(DOCUMENTED).legend_id


@pytest.mark.parametrize("theme", [None, "light", "dark"])
@pytest.mark.parametrize("key", [{**ACC, "type": "number"}, {"source": "metric", "name": "\ud800 é"}])
def test_legend_survives_json(theme: None, key: dict[str, str]) -> None:
    """Also where a reader turned doubles into integers, as browsers do from 2^53 on."""
    legend = legend_of(Domain(0.0, 2.0**60), key=key, buckets=2)
    as_text = json.dumps(legend_as_json(legend, theme)).replace(repr(2.0**60), str(2**60))

    assert legend_from_json(json.loads(as_text)) == legend


def test_json_has_the_color_of_the_theme() -> None:
    """Clients that know their theme read one color."""
    content = legend_as_json(legend_of(Domain(0.0, 1.0), buckets=2), "dark")

    assert content["no_value"] == {"colors": {"light": "#8A8A8A", "dark": "#767676"}, "color": "#767676"}
    assert content["buckets"] == [
        {
            "index": 1,
            "label": "Min - 0.5000",
            "colors": {"light": "#AA8E00", "dark": "#FBF51B"},
            "lower": 0.0,
            "upper": 0.5,
            "lower_inclusive": True,
            "upper_inclusive": False,
            "category": None,
            "color": "#FBF51B",
        },
        {
            "index": 2,
            "label": "0.5000 - Max",
            "colors": {"light": "#4E00B0", "dark": "#7A36FE"},
            "lower": 0.5,
            "upper": 1.0,
            "lower_inclusive": True,
            "upper_inclusive": True,
            "category": None,
            "color": "#7A36FE",
        },
    ]


def test_json_names_everything_a_client_needs() -> None:
    """The fields of the published legend."""
    content = legend_as_json(legend_of(DOCUMENTED, buckets=6))

    del content["buckets"], content["thresholds"], content["legend_id"]
    assert content == {
        "kind": "numeric",
        "key": {"source": "metric", "name": "acc", "type": None},
        "type": "number",
        "y": "max",
        "n": 6,
        "scale": "linear",
        "min": 0.49665,
        "max": 0.99543,
        "no_value": {"colors": {"light": "#8A8A8A", "dark": "#767676"}},
        "palette": "default",
        "palette_version": PALETTE_VERSION,
    }


def test_settings_without_a_key_have_an_empty_legend() -> None:
    """Key-based coloring is off."""
    legend = empty_legend(ColorSettings())

    assert (legend.kind, legend.key, legend.type) == ("empty", None, None)


def test_repainting_keeps_boundaries_and_labels() -> None:
    """A pinned legend can change its palette, nothing else."""
    pinned = legend_of(DOCUMENTED, buckets=4)

    repaint = repainted(pinned, settings(buckets=4, palette="cvd-other"))

    assert repaint == legend_of(DOCUMENTED, buckets=4, palette="cvd-other")


def test_repainting_a_single_bucket() -> None:
    """It keeps the middle color of the new palette."""
    pinned = legend_of(Domain(1.0, 1.0))

    assert repainted(pinned, settings(palette="cvd-other")) == legend_of(
        Domain(1.0, 1.0), palette="cvd-other"
    )


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"buckets": 4}, True),
        ({"buckets": 4, "palette": "cvd-other", "reverse": True}, True),
        ({"buckets": 5}, False),
        ({"buckets": 4, "y": "min"}, False),
        ({"buckets": 4, "scale": "log"}, False),
        ({"buckets": 4, "key": OPTIMIZER}, False),
    ],
)
def test_pin_holds_while_only_colors_change(fields: dict[str, object], holds: bool) -> None:
    """Another question needs another pin."""
    assert pin_holds(legend_of(DOCUMENTED, buckets=4), settings(**fields)) is holds


def test_only_number_legends_are_pinned() -> None:
    """There is nothing to freeze in an empty legend, and categories have no thresholds."""
    chosen = settings(buckets=4)

    assert not pin_holds(empty_legend(chosen, "number"), chosen)
    assert not pin_holds(boolean_legend(chosen), chosen)


def test_printed_labels_use_exact_boundaries() -> None:
    """The label of 1/3 comes from the fraction, not from the double above it."""
    chosen = settings(buckets=3)
    scale = numeric_scale(Domain(0.0, 1.0), chosen)
    assert scale is not None

    shifted = replace(scale, thresholds=(0.34, 0.67))

    assert [b.label for b in numeric_legend(chosen, shifted).buckets][1] == "0.3333 - 0.6667"


def test_key_of_the_legend_is_that_of_the_settings() -> None:
    """Readers can tell what runs are colored by."""
    assert legend_of(DOCUMENTED).key == ColorKey("metric", "acc")
