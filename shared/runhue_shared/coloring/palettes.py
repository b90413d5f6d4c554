"""The colors: two per bucket, one for the light and one for the dark interface.

Source: docs/color.md "Palettes"; tests/unit/coloring/test_palettes.py measures distances and contrasts.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, Literal

import msgspec
from msgspec import Struct

from runhue_shared.coloring.settings import PaletteName

Theme = Literal["light", "dark"]

PALETTE_VERSION: Final = 1


class ColorPair(Struct, frozen=True):
    """One color as "#RRGGBB" on each of the two themes."""

    light: str
    dark: str


class Palette(Struct, frozen=True):
    """How the interface names a palette, and whom it serves."""

    name: PaletteName
    title: str
    serves: str


PALETTES: Final = (
    Palette(
        "default",
        "Default",
        "For typical color vision; usable under every form of color blindness, at half the separation.",
    ),
    Palette(
        "cvd-deuteranomaly",
        "Colorblind-safe (deuteranomaly)",
        "For weak or absent green cones (deuteranomaly, deuteranopia), the most common form.",
    ),
    Palette(
        "cvd-other",
        "Colorblind-safe (all other forms)",
        "For weak or absent red (protan) or blue (tritan) cones; less suited to deuteranopia.",
    ),
)

Ramps = dict[Theme, dict[str, tuple[str, ...]]]


class _Colors(Struct, frozen=True):
    """The content of palettes.json; ramps are keyed by their number of buckets."""

    version: int
    sequential: dict[PaletteName, Ramps]
    diverging: Ramps
    categorical: dict[Theme, tuple[str, ...]]
    categorical_other: ColorPair
    no_value: ColorPair
    runs: dict[Theme, tuple[str, ...]]


def palette_colors(name: PaletteName, n: int, theme: Theme, reverse: bool = False) -> tuple[str, ...]:
    """Colors of `n` ordered buckets, from light (low) to deep (high) on both themes; `reverse` flips them.

    Raises:
        KeyError: no such palette, or `n` is outside 2..8.
    """
    return _flipped(_colors().sequential[name][theme][str(n)], reverse)


def diverging_colors(n: int, theme: Theme, reverse: bool = False) -> tuple[str, ...]:
    """Colors of `n` buckets around a midpoint, from cool (low) to warm (high).

    Raises:
        KeyError: `n` is outside 2..8.
    """
    return _flipped(_colors().diverging[theme][str(n)], reverse)


def categorical_colors(theme: Theme) -> tuple[str, ...]:
    """Colors of the eight category slots; the first ones are the farthest apart."""
    return _colors().categorical[theme]


def no_value_colors() -> ColorPair:
    """The neutral gray of runs without a value; it is drawn dashed as well."""
    return _colors().no_value


def ordered_pairs(
    name: PaletteName, n: int, *, reverse: bool = False, diverging: bool = False
) -> tuple[ColorPair, ...]:
    """Both themes' colors of `n` ordered buckets."""
    if diverging:
        return _paired(diverging_colors(n, "light", reverse), diverging_colors(n, "dark", reverse))
    return _paired(palette_colors(name, n, "light", reverse), palette_colors(name, n, "dark", reverse))


def category_pairs(values: int, has_other: bool) -> tuple[ColorPair, ...]:
    """Both themes' colors of `values` category buckets, and a gray of its own for Other."""
    slots = _paired(categorical_colors("light")[:values], categorical_colors("dark")[:values])
    return (*slots, _colors().categorical_other) if has_other else slots


@cache
def run_palette() -> tuple[ColorPair, ...]:
    """The colors that runs have when key-based coloring is off."""
    return _paired(_colors().runs["light"], _colors().runs["dark"])


def run_colors(run_id: str) -> ColorPair:
    """A run's own color: the same everywhere and always, whatever other runs exist."""
    digest = sha256(run_id.encode("utf-8", "surrogatepass")).digest()
    choices = run_palette()
    return choices[int.from_bytes(digest[:8], "big") % len(choices)]


def _paired(light: Sequence[str], dark: Sequence[str]) -> tuple[ColorPair, ...]:
    return tuple(map(ColorPair, light, dark))


def _flipped(colors: tuple[str, ...], reverse: bool) -> tuple[str, ...]:
    return colors[::-1] if reverse else colors


@cache
def _colors() -> _Colors:
    content = files("runhue_shared.coloring").joinpath("palettes.json").read_bytes()
    return msgspec.json.decode(content, type=_Colors)
