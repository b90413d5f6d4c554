"""Colors measured again from their hexes: perceptual distance under each palette's vision set, and contrast.

Distances are CIEDE2000 after simulating the vision: Machado, Oliveira and Fernandes 2009 for deutan, protan
and tritan, and Brettel, Vienot and Mollon 1997 for tritan, where the former is weak. Contrast is WCAG 2.
The floors are what docs/color.md promises, to one decimal.
"""

import warnings
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from runhue_shared.coloring.palettes import (
    PALETTE_VERSION,
    PALETTES,
    ColorPair,
    Theme,
    _colors,
    categorical_colors,
    category_pairs,
    diverging_colors,
    no_value_colors,
    ordered_pairs,
    palette_colors,
    run_colors,
    run_palette,
)
from runhue_shared.coloring.settings import PaletteName

with warnings.catch_warnings():
    # Optional parts of the library that no function used here needs.
    warnings.filterwarnings("ignore", message='"(SciPy|Matplotlib)" related API features are not available')
    import colour

Colors = NDArray[np.float64]
Vision = Callable[[Colors], Colors]

THEMES: tuple[Theme, Theme] = ("light", "dark")
BACKGROUNDS = {"light": ("#FFFFFF", "#F8F9FA"), "dark": ("#121212", "#1E1E1E")}
ROUNDING = 0.05
LEAST_CONTRAST = 3.0

# Minimum pairwise distance per (palette, n), light then dark theme: normal, deutan set, other set.
SEQUENTIAL_FLOORS = {
    ("default", 2): ((76.2, 71.3, 41.5), (93.1, 82.4, 45.2)),
    ("default", 3): ((41.2, 24.2, 22.0), (48.6, 24.3, 30.4)),
    ("default", 4): ((27.9, 14.0, 13.9), (32.0, 16.1, 16.0)),
    ("default", 5): ((22.1, 11.1, 11.9), (25.6, 13.2, 12.8)),
    ("default", 6): ((18.3, 9.2, 9.3), (21.0, 11.0, 10.5)),
    ("default", 7): ((16.1, 8.1, 7.8), (17.3, 9.5, 8.7)),
    ("default", 8): ((14.3, 7.2, 7.3), (15.0, 7.6, 7.5)),
    ("cvd-deuteranomaly", 2): ((77.0, 75.8, 45.4), (88.1, 84.7, 44.0)),
    ("cvd-deuteranomaly", 3): ((41.6, 39.1, 9.8), (40.7, 37.0, 13.0)),
    ("cvd-deuteranomaly", 4): ((28.8, 25.7, 6.2), (26.9, 26.8, 10.1)),
    ("cvd-deuteranomaly", 5): ((21.0, 20.4, 3.9), (20.5, 20.5, 8.4)),
    ("cvd-deuteranomaly", 6): ((17.7, 16.5, 6.3), (17.0, 16.7, 10.3)),
    ("cvd-deuteranomaly", 7): ((15.0, 14.6, 2.7), (14.5, 14.5, 4.1)),
    ("cvd-deuteranomaly", 8): ((12.8, 12.8, 2.6), (13.3, 13.2, 7.0)),
    ("cvd-other", 2): ((64.0, 64.0, 55.5), (69.7, 69.7, 55.2)),
    ("cvd-other", 3): ((36.3, 29.1, 32.1), (38.5, 27.7, 32.4)),
    ("cvd-other", 4): ((25.5, 22.3, 20.9), (25.3, 16.6, 22.0)),
    ("cvd-other", 5): ((18.4, 8.9, 17.1), (20.5, 14.1, 18.2)),
    ("cvd-other", 6): ((15.9, 11.3, 14.6), (16.8, 10.7, 14.5)),
    ("cvd-other", 7): ((12.9, 9.7, 12.2), (14.2, 9.5, 12.5)),
    ("cvd-other", 8): ((10.9, 2.9, 10.6), (12.6, 9.8, 10.9)),
}
# Worst of all visions per n: light, dark.
DIVERGING_FLOORS = {
    2: (44.5, 43.8),
    3: (35.0, 35.4),
    4: (32.7, 33.1),
    5: (24.7, 25.0),
    6: (20.6, 21.3),
    7: (18.3, 18.4),
    8: (17.0, 17.5),
}
NO_VALUE_FLOORS = {
    ("default", "light"): 13.5,
    ("cvd-deuteranomaly", "light"): 11.7,
    ("cvd-other", "light"): 9.9,
    ("default", "dark"): 9.9,
    ("cvd-deuteranomaly", "dark"): 9.9,
    ("cvd-other", "dark"): 9.9,
}
CATEGORICAL_FLOORS = {"light": (28.7, 17.9), "dark": (29.4, 17.7)}
CATEGORICAL_WITH_OTHER_FLOORS = {"light": (19.6, 9.1), "dark": (17.9, 9.4)}
RUN_FLOORS = {"light": (18.7, 7.1), "dark": (20.4, 7.1)}


def linear_rgb(hexes: Iterable[str]) -> Colors:
    """Linear sRGB, shape (n, 3), of "#RRGGBB" colors."""
    encoded = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in hexes])
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def machado(deficiency: str, severity: float) -> Vision:
    matrix = np.asarray(colour.blindness.CVD_MATRICES_MACHADO2010[deficiency][severity])
    return lambda colors: np.clip(colors @ matrix.T, 0, 1)


def brettel_tritan(colors: Colors) -> Colors:
    """Full tritan by two half-planes in linear sRGB (coefficients as published by libDaltonLens)."""
    toward_red = np.array(
        [[1.01277, 0.13548, -0.14826], [-0.01243, 0.86812, 0.14431], [0.07589, 0.80500, 0.11911]]
    )
    toward_blue = np.array(
        [[0.93678, 0.18979, -0.12657], [0.06154, 0.81526, 0.12320], [-0.37562, 1.12767, 0.24796]]
    )
    on_first_plane = colors @ np.array([0.03901, -0.02788, -0.01113]) >= 0
    seen: Colors = np.where(on_first_plane[:, None], colors @ toward_red.T, colors @ toward_blue.T)
    return seen.clip(0, 1)


def normal(colors: Colors) -> Colors:
    return colors


DEUTAN = (machado("Deuteranomaly", 0.6), machado("Deuteranomaly", 1.0))
OTHER = (
    machado("Protanomaly", 0.6),
    machado("Protanomaly", 1.0),
    machado("Tritanomaly", 0.6),
    machado("Tritanomaly", 1.0),
    brettel_tritan,
)
NORMAL_SET: tuple[Vision, ...] = (normal,)
DEUTAN_SET: tuple[Vision, ...] = (normal, *DEUTAN)
OTHER_SET: tuple[Vision, ...] = (normal, *OTHER)
ALL: tuple[Vision, ...] = (normal, *DEUTAN, *OTHER)
VISIONS_OF = {"default": NORMAL_SET, "cvd-deuteranomaly": DEUTAN_SET, "cvd-other": OTHER_SET}


def lab(colors: Colors) -> Colors:
    """CIE L*a*b* under D65 of linear sRGB."""
    space = colour.RGB_COLOURSPACES["sRGB"]
    return cast("Colors", colour.XYZ_to_Lab(colors @ space.matrix_RGB_to_XYZ.T, space.whitepoint))


def distance(left: str, right: str, visions: Iterable[Vision]) -> float:
    return least_distance([(left, right)], visions)


def least_distance(pairs: Iterable[tuple[str, str]], visions: Iterable[Vision]) -> float:
    """Smallest CIEDE2000 of the pairs under any of the visions."""
    lefts, rights = zip(*pairs, strict=True)
    return min(
        float(
            colour.difference.delta_E_CIE2000(
                lab(vision(linear_rgb(lefts))), lab(vision(linear_rgb(rights)))
            ).min()
        )
        for vision in visions
    )


def separation(colors: Iterable[str], visions: Iterable[Vision]) -> float:
    return least_distance(combinations(colors, 2), visions)


def luminance(color: str) -> float:
    return float((linear_rgb([color]) @ np.array([0.2126, 0.7152, 0.0722]))[0])


def contrast(color: str, theme: Theme) -> float:
    """The lower of the contrast ratios with the theme's two backgrounds."""
    ratios = []
    for background in BACKGROUNDS[theme]:
        darker, lighter = sorted([luminance(color), luminance(background)])
        ratios.append((lighter + 0.05) / (darker + 0.05))
    return min(ratios)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("name", "n"), SEQUENTIAL_FLOORS)
def test_sequential_palette_keeps_its_distances(name: PaletteName, n: int, theme: Theme) -> None:
    """Any two buckets stay as far apart as documented, under normal vision and both sets."""
    colors = palette_colors(name, n, theme)

    measured = [separation(colors, visions) for visions in (NORMAL_SET, DEUTAN_SET, OTHER_SET)]

    floors = SEQUENTIAL_FLOORS[name, n][THEMES.index(theme)]
    assert [m >= floor - ROUNDING for m, floor in zip(measured, floors, strict=True)] == [True] * 3, measured


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("n", DIVERGING_FLOORS)
def test_diverging_palette_keeps_its_distance_under_every_vision(n: int, theme: Theme) -> None:
    """Diverging palettes serve everyone, whichever palette is chosen."""
    measured = separation(diverging_colors(n, theme), ALL)

    assert measured >= DIVERGING_FLOORS[n][THEMES.index(theme)] - ROUNDING


@pytest.mark.parametrize("theme", THEMES)
def test_categorical_slots_keep_their_distances(theme: Theme) -> None:
    """The eight slots stay apart under normal vision and under every other one."""
    measured = [separation(categorical_colors(theme), visions) for visions in (NORMAL_SET, ALL)]

    floors = CATEGORICAL_FLOORS[theme]
    assert [m >= floor - ROUNDING for m, floor in zip(measured, floors, strict=True)] == [True] * 2, measured


@pytest.mark.parametrize("theme", THEMES)
def test_other_is_no_category(theme: Theme) -> None:
    """The gray of Other is told from all eight slots."""
    colors = [*categorical_colors(theme), getattr(_colors().categorical_other, theme)]

    measured = [separation(colors, visions) for visions in (NORMAL_SET, ALL)]

    floors = CATEGORICAL_WITH_OTHER_FLOORS[theme]
    assert [m >= floor - ROUNDING for m, floor in zip(measured, floors, strict=True)] == [True] * 2, measured


@pytest.mark.parametrize(("name", "theme"), NO_VALUE_FLOORS)
def test_no_value_is_no_bucket(name: PaletteName, theme: Theme) -> None:
    """The neutral gray is told from every bucket of every size under the palette's own vision set."""
    gray = getattr(no_value_colors(), theme)
    pairs = [(gray, color) for n in range(2, 9) for color in palette_colors(name, n, theme)]

    assert least_distance(pairs, VISIONS_OF[name]) >= NO_VALUE_FLOORS[name, theme] - ROUNDING


@pytest.mark.parametrize("theme", THEMES)
def test_run_colors_keep_their_distances(theme: Theme) -> None:
    """The twenty colors of single runs stay apart, also under every color blindness."""
    colors = [getattr(pair, theme) for pair in run_palette()]

    measured = [separation(colors, visions) for visions in (NORMAL_SET, ALL)]

    floors = RUN_FLOORS[theme]
    assert len(set(colors)) == 20
    assert [m >= floor - ROUNDING for m, floor in zip(measured, floors, strict=True)] == [True] * 2, measured


@pytest.mark.parametrize("theme", THEMES)
def test_every_color_can_be_seen_on_both_backgrounds_of_its_theme(theme: Theme) -> None:
    """Contrast is at least 3:1 (WCAG 1.4.11) for every color of the package."""
    content = _colors()
    ramps = [*(themes[theme] for themes in content.sequential.values()), content.diverging[theme]]
    colors = {color for ramp in ramps for n in ramp.values() for color in n}
    colors |= {*content.categorical[theme], *content.runs[theme]}
    colors |= {getattr(content.no_value, theme), getattr(content.categorical_other, theme)}

    too_faint = {color: contrast(color, theme) for color in colors if contrast(color, theme) < LEAST_CONTRAST}

    assert too_faint == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("name", "n"), SEQUENTIAL_FLOORS)
def test_low_buckets_are_lighter_on_both_themes(name: PaletteName, n: int, theme: Theme) -> None:
    """Lightness falls from the first bucket to the last. Source: seed 001, "lighter ... deep"."""
    lightness = lab(linear_rgb(palette_colors(name, n, theme)))[:, 0]

    assert (np.diff(lightness) < 0).all()


def test_distance_agrees_with_a_published_pair() -> None:
    """Black and white are 100 apart, and a color is at no distance from itself."""
    assert distance("#000000", "#FFFFFF", NORMAL_SET) == pytest.approx(100, abs=1e-3)
    assert distance("#AA8E00", "#AA8E00", ALL) == 0


def test_reverse_flips_colors() -> None:
    """For metrics where low is good, the deep color goes to the first bucket."""
    assert palette_colors("default", 3, "light", reverse=True) == ("#490071", "#962403", "#AA8E00")


def test_pairs_join_both_themes() -> None:
    """A bucket carries the colors of the same position of both themes."""
    assert ordered_pairs("cvd-other", 2) == (
        ColorPair("#E86D00", "#FFD65D"),
        ColorPair("#230296", "#495FCB"),
    )


def test_diverging_pairs_do_not_depend_on_the_palette() -> None:
    """Around a midpoint all palettes use the same colors."""
    assert ordered_pairs("default", 5, diverging=True) == ordered_pairs("cvd-other", 5, diverging=True)


def test_other_has_its_own_gray() -> None:
    """Other takes no slot: it looks the same however many categories there are."""
    assert category_pairs(1, has_other=True) == (
        ColorPair("#112D52", "#D20A06"),
        ColorPair("#4D4D4D", "#B5B5B5"),
    )


def test_run_color_depends_on_the_run_id_alone() -> None:
    """A run keeps its color on every machine and in every release."""
    assert run_colors("3k9xq2aa") == run_colors("3k9xq2aa")
    assert run_palette().index(run_colors("3k9xq2aa")) == 6


def test_runs_spread_over_all_twenty_colors() -> None:
    """Run ids that differ in one character only still use the whole palette."""
    used = {run_colors(f"run-{number}") for number in range(500)}

    assert used == set(run_palette())


def test_palettes_have_the_documented_titles() -> None:
    """The three names a workspace shows. Source: seed 001, "Choose a color palette"."""
    assert [(palette.name, palette.title) for palette in PALETTES] == [
        ("default", "Default"),
        ("cvd-deuteranomaly", "Colorblind-safe (deuteranomaly)"),
        ("cvd-other", "Colorblind-safe (all other forms)"),
    ]


def test_version_is_that_of_the_colors() -> None:
    """Changing a hex means raising both numbers, because legends are immutable."""
    assert _colors().version == PALETTE_VERSION
