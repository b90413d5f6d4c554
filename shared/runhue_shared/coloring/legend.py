"""Legends: what each bucket means and how it looks. None ever changes; its id is the hash of its content.

Source: docs/color.md "Legend", S12 to S14, L1, G3, G6.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Literal, cast

import msgspec
from msgspec import Struct

from runhue_shared.coloring.buckets import NumericScale, bucket_of
from runhue_shared.coloring.categories import OTHER_LABEL, Categories, category_label
from runhue_shared.coloring.labels import bucket_labels, value_label
from runhue_shared.coloring.palettes import (
    PALETTE_VERSION,
    ColorPair,
    Theme,
    category_pairs,
    no_value_colors,
    ordered_pairs,
)
from runhue_shared.coloring.settings import (
    ColorKey,
    ColorSettings,
    KeyType,
    PaletteName,
    ScaleKind,
    YValue,
)
from runhue_shared.coloring.values import RunValue

LegendKind = Literal["numeric", "single", "boolean", "categorical", "empty"]


class Bucket(Struct, frozen=True):
    """One line of the legend.

    `index` counts from 1. `lower` and `upper` are in the key's unit, None for strings and booleans and at an
    end without limit. `category` is the string or boolean the bucket is for; None for numbers and for
    the bucket of all other strings.
    """

    index: int
    label: str
    colors: ColorPair
    lower: float | None = None
    upper: float | None = None
    lower_inclusive: bool = False
    upper_inclusive: bool = False
    category: str | bool | None = None


class Legend(Struct, frozen=True, kw_only=True):
    """The meaning of colors in a workspace at one version.

    `type` is the resolved type of the key, None while no run has it. `n` is the number of buckets asked for;
    `buckets` lists those there are. `min` and `max` are the ends of the scale, `thresholds` its ascending
    boundaries, all in the key's unit.
    """

    kind: LegendKind
    key: ColorKey | None
    type: KeyType | None
    y: YValue
    n: int
    scale: ScaleKind
    min: float | None = None
    max: float | None = None
    thresholds: tuple[float, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    no_value: ColorPair
    palette: PaletteName
    palette_version: int = PALETTE_VERSION
    legend_id: str = ""


def numeric_legend(settings: ColorSettings, scale: NumericScale | None) -> Legend:
    """The legend of a number key; without a scale, the empty one. Source: docs/color.md S3, S14, L1."""
    if scale is None:
        return empty_legend(settings, "number")
    if scale.thresholds:
        kind: LegendKind = "numeric"
        buckets = _numeric_buckets(scale, settings)
    else:
        kind = "single"
        buckets = (_single_bucket(scale, settings),)
    return _identified(
        _blank(settings, "number", kind),
        min=scale.low,
        max=scale.high,
        thresholds=scale.thresholds,
        buckets=buckets,
    )


def boolean_legend(settings: ColorSettings) -> Legend:
    """The legend of a boolean key: false and true, however many buckets. Source: docs/color.md S12."""
    colors = ordered_pairs(settings.palette, 2, reverse=settings.reverse)
    buckets = (
        Bucket(1, "false", colors[0], category=False),
        Bucket(2, "true", colors[1], category=True),
    )
    return _identified(_blank(settings, "bool", "boolean"), buckets=buckets)


def categorical_legend(settings: ColorSettings, categories: Categories) -> Legend:
    """The legend of a string key; without any string, the empty one. Source: docs/color.md S13."""
    if not categories.values:
        return empty_legend(settings, "string")
    colors = category_pairs(len(categories.values), categories.has_other)
    named = [(category_label(value), value) for value in categories.values]
    lines = [*named, (OTHER_LABEL, None)] if categories.has_other else named
    buckets = tuple(
        Bucket(index, label, pair, category=category)
        for index, ((label, category), pair) in enumerate(zip(lines, colors, strict=True), start=1)
    )
    return _identified(_blank(settings, "string", "categorical"), buckets=buckets)


def empty_legend(settings: ColorSettings, key_type: KeyType | None = None) -> Legend:
    """The legend while no run has a value, and of settings without a key. Source: docs/color.md S14."""
    return _identified(_blank(settings, key_type, "empty"))


def legend_bucket(legend: Legend, value: RunValue) -> int | None:
    """The bucket of a value of the legend's type; None when the legend has no place for it.

    Numbers outside the scale go to the end buckets, strings without a bucket to Other.
    """
    if isinstance(value, float):
        return bucket_of(value, legend.thresholds) if legend.buckets else None
    named = (bucket.index for bucket in legend.buckets if bucket.category == value)
    rest = (bucket.index for bucket in legend.buckets if bucket.category is None)
    return next(named, next(rest, None))


def legend_colors(legend: Legend, bucket: int | None) -> ColorPair:
    """The colors of a bucket, or of having none."""
    return legend.no_value if bucket is None else legend.buckets[bucket - 1].colors


def pin_holds(pinned: Legend, settings: ColorSettings) -> bool:
    """Whether a pinned legend still answers the question the settings ask.

    Only number keys can be pinned, and only colors may change while they are.
    """
    asked = (settings.key, settings.y, settings.buckets, settings.scale)
    return pinned.kind in ("numeric", "single") and asked == (pinned.key, pinned.y, pinned.n, pinned.scale)


def repainted(pinned: Legend, settings: ColorSettings) -> Legend:
    """A pinned number legend in the palette of the settings; boundaries and labels stay.

    Source: docs/color.md "Stability", pinned.
    """
    if pinned.kind == "single":
        colors: Sequence[ColorPair] = (_middle_color(settings),)
    else:
        colors = _ramp(settings)
    buckets = tuple(
        msgspec.structs.replace(bucket, colors=pair)
        for bucket, pair in zip(pinned.buckets, colors, strict=True)
    )
    return _identified(
        _blank(settings, pinned.type, pinned.kind),
        min=pinned.min,
        max=pinned.max,
        thresholds=pinned.thresholds,
        buckets=buckets,
    )


def legend_as_json(legend: Legend, theme: Theme | None = None) -> dict[str, object]:
    """JSON-ready legend; with a theme, buckets and `no_value` also carry that theme's `color`."""
    content = cast("dict[str, object]", msgspec.to_builtins(legend))
    no_value = _with_color({"colors": content["no_value"]}, theme)
    buckets = [_with_color(bucket, theme) for bucket in cast("list[dict[str, object]]", content["buckets"])]
    return {**content, "buckets": buckets, "no_value": no_value}


def legend_from_json(obj: Mapping[str, object]) -> Legend:
    """The legend that `legend_as_json` wrote; JSON integers become doubles again.

    Raises:
        msgspec.ValidationError: the object is no legend.
    """
    no_value = cast("Mapping[str, object]", obj["no_value"])
    return msgspec.convert({**obj, "no_value": no_value["colors"]}, Legend)


def _blank(settings: ColorSettings, key_type: KeyType | None, kind: LegendKind) -> Legend:
    return Legend(
        kind=kind,
        key=settings.key,
        type=key_type,
        y=settings.y,
        n=settings.buckets,
        scale=settings.scale,
        no_value=no_value_colors(),
        palette=settings.palette,
    )


def _identified(blank: Legend, **content: object) -> Legend:
    """The legend with its content and the hash of it, the same on every machine (G3)."""
    legend = msgspec.structs.replace(blank, **content)
    canonical = json.dumps(
        _with_hex_floats(msgspec.to_builtins(legend)), sort_keys=True, separators=(",", ":")
    )
    return msgspec.structs.replace(legend, legend_id=sha256(canonical.encode()).hexdigest())


def _with_hex_floats(value: object) -> object:
    """JSON content with every double written exactly; how decimals are printed differs between languages."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {name: _with_hex_floats(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_hex_floats(part) for part in value]
    return value


def _numeric_buckets(scale: NumericScale, settings: ColorSettings) -> tuple[Bucket, ...]:
    custom = settings.scale == "custom"
    edges = (None if custom else scale.low, *scale.thresholds, None if custom else scale.high)
    labels = bucket_labels(scale.boundaries, scale.ends, wall_time=_is_wall_time(settings))
    last = len(labels)
    return tuple(
        Bucket(
            index,
            label,
            colors,
            lower,
            upper,
            lower_inclusive=lower is not None,
            upper_inclusive=index == last and upper is not None,
        )
        for index, (label, colors, (lower, upper)) in enumerate(
            zip(labels, _ramp(settings), pairwise(edges), strict=True), start=1
        )
    )


def _single_bucket(scale: NumericScale, settings: ColorSettings) -> Bucket:
    label = value_label(scale.ends[0], wall_time=_is_wall_time(settings))
    return Bucket(1, label, _middle_color(settings), scale.low, scale.high, True, True)


def _ramp(settings: ColorSettings) -> tuple[ColorPair, ...]:
    diverging = settings.midpoint is not None
    return ordered_pairs(settings.palette, settings.buckets, reverse=settings.reverse, diverging=diverging)


def _middle_color(settings: ColorSettings) -> ColorPair:
    """Color ceil(n / 2) of the ramp, which reversing does not move (S14)."""
    upright = msgspec.structs.replace(settings, reverse=False)
    return _ramp(upright)[(settings.buckets + 1) // 2 - 1]


def _is_wall_time(settings: ColorSettings) -> bool:
    key = settings.key
    return key is not None and key.source == "default" and key.name == "wall_time"


def _with_color(content: dict[str, object], theme: Theme | None) -> dict[str, object]:
    if theme is None:
        return content
    return {**content, "color": cast("dict[str, str]", content["colors"])[theme]}
