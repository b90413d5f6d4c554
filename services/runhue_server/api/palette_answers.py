"""Every palette as JSON."""

from functools import cache

import msgspec

from runhue_server.api.run_answers import JsonObject
from runhue_shared.coloring.palettes import (
    PALETTE_VERSION,
    PALETTES,
    ColorPair,
    category_pairs,
    no_value_colors,
    ordered_pairs,
    run_palette,
)
from runhue_shared.coloring.settings import MAX_BUCKETS, MIN_BUCKETS, PaletteName

COUNTS = range(MIN_BUCKETS, MAX_BUCKETS + 1)


@cache
def palettes_answer() -> JsonObject:
    """All colors there are, by what they are for."""
    *categories, other = category_pairs(MAX_BUCKETS, has_other=True)
    return {
        "version": PALETTE_VERSION,
        "palettes": [
            {
                "name": palette.name,
                "title": palette.title,
                "serves": palette.serves,
                "colors": _themes(palette.name),
            }
            for palette in PALETTES
        ],
        "diverging": _themes("default", diverging=True),
        "categorical": [_pair(pair) for pair in categories],
        "categorical_other": _pair(other),
        "no_value": _pair(no_value_colors()),
        "runs": [_pair(pair) for pair in run_palette()],
    }


def _themes(name: PaletteName, *, diverging: bool = False) -> JsonObject:
    pairs = {str(n): ordered_pairs(name, n, diverging=diverging) for n in COUNTS}
    return {
        "light": {n: [pair.light for pair in found] for n, found in pairs.items()},
        "dark": {n: [pair.dark for pair in found] for n, found in pairs.items()},
    }


def _pair(pair: ColorPair) -> JsonObject:
    content: JsonObject = msgspec.structs.asdict(pair)
    return content
