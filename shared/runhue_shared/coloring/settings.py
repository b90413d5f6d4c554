"""The color settings of a workspace, parsed once at the edge and trusted afterwards.

Source: docs/color.md S2 and "Settings".
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import isfinite
from typing import Final, Literal, TypeVar, cast, get_args

import msgspec
from msgspec import Struct

KeySource = Literal["metric", "config", "default"]
KeyType = Literal["number", "string", "bool"]
YValue = Literal["latest", "max", "min"]
ScaleKind = Literal["linear", "log", "quantile", "custom"]
PaletteName = Literal["default", "cvd-deuteranomaly", "cvd-other"]
PopulationKind = Literal["workspace", "visible"]
Stability = Literal["live", "stable", "pinned"]

MIN_BUCKETS: Final = 2
MAX_BUCKETS: Final = 8
MAX_KEY_LENGTH: Final = 500
# Beyond this, a domain mirrored around the midpoint could have boundaries that no double reaches.
MAX_MIDPOINT: Final = 1e307
DEFAULT_METRICS: Final = ("relative_time_process", "relative_time_wall", "wall_time", "step")

_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")

T = TypeVar("T")


class InvalidSettings(ValueError):
    """One field of a settings object is refused; the previous settings stay in force.

    `field` is the name at fault as the caller wrote it ("key.type" for the type of the key).
    """

    code: Final = "invalid_settings"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ColorKey(Struct, frozen=True):
    """What runs are colored by; without a type, the one that most runs of the population have (S8)."""

    source: KeySource
    name: str
    type: KeyType | None = None


class ClipRange(Struct, frozen=True):
    """Replaces the ends of the population's range; values outside go to the end buckets."""

    min: float | None = None
    max: float | None = None


class ColorSettings(Struct, frozen=True, kw_only=True):
    """Complete color settings of one workspace; a key of None keeps each run's own color.

    `boundaries` are `buckets - 1` strictly increasing numbers and come with the custom scale only.
    `overrides` maps run ids to "#rrggbb". Source: docs/color.md "Settings".
    """

    key: ColorKey | None = None
    y: YValue = "latest"
    buckets: int = 6
    palette: PaletteName = "default"
    scale: ScaleKind = "linear"
    boundaries: tuple[float, ...] | None = None
    range: ClipRange | None = None
    midpoint: float | None = None
    reverse: bool = False
    overrides: Mapping[str, str] = {}
    per_group: bool = False
    population: PopulationKind = "workspace"
    coerce_numeric_strings: bool = False
    stability: Stability = "live"


def parse_settings(obj: object) -> ColorSettings:
    """Settings from decoded JSON; absent fields keep their defaults.

    Raises:
        InvalidSettings: with the name of the first field that is unknown, malformed, or contradicts another.
    Source: docs/color.md S2 and "Settings".
    """
    fields = _mapping("settings", obj)
    _refuse_unknown(fields)
    parsed = {name: _PARSERS[name](name, value) for name, value in fields.items()}
    settings = msgspec.structs.replace(ColorSettings(), **parsed)
    _check_boundaries(settings)
    _check_range(settings)
    _check_midpoint(settings)
    _check_group(settings)
    return settings


def settings_as_json(settings: ColorSettings) -> dict[str, object]:
    """JSON-ready settings with every field; `parse_settings` gives the same settings back."""
    return cast("dict[str, object]", msgspec.to_builtins(settings))


def _check_boundaries(settings: ColorSettings) -> None:
    if (settings.scale == "custom") != (settings.boundaries is not None):
        raise InvalidSettings("boundaries", "needed by the custom scale, and by no other")
    needed = settings.buckets - 1
    if settings.boundaries is not None and len(settings.boundaries) != needed:
        raise InvalidSettings("boundaries", f"{settings.buckets} buckets need {needed} boundaries")


def _check_range(settings: ColorSettings) -> None:
    if settings.range is None:
        return
    if settings.scale not in ("linear", "log"):
        raise InvalidSettings("range", "works with the linear and the log scale")
    ends = (settings.range.min, settings.range.max)
    if settings.scale == "log" and any(end is not None and end <= 0 for end in ends):
        raise InvalidSettings("range", "a log scale needs positive ends")


def _check_midpoint(settings: ColorSettings) -> None:
    if settings.midpoint is None:
        return
    if settings.scale != "linear" or settings.range is not None:
        raise InvalidSettings("midpoint", "needs the linear scale without a range")
    if abs(settings.midpoint) > MAX_MIDPOINT:
        raise InvalidSettings("midpoint", f"must lie between -{MAX_MIDPOINT} and {MAX_MIDPOINT}")


def _check_group(settings: ColorSettings) -> None:
    if settings.per_group and settings.key is not None and settings.key.type in ("string", "bool"):
        raise InvalidSettings("per_group", "a group's value is a mean, so the key must be a number")


def _key(field: str, value: object) -> ColorKey | None:
    if value is None:
        return None
    parts = _mapping(field, value)
    _refuse_parts(field, parts, ("source", "name", "type"))
    source = _one_of(field, parts.get("source"), get_args(KeySource))
    name = parts.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidSettings(field, "name must be a string that is not empty")
    if len(name) > MAX_KEY_LENGTH or "\0" in name:
        raise InvalidSettings(field, f"name must have at most {MAX_KEY_LENGTH} characters and no NUL")
    key_type = _optional(_choice(get_args(KeyType)))("key.type", parts.get("type"))
    if source == "default":
        _check_default_metric(name, key_type)
    return ColorKey(cast("KeySource", source), name, cast("KeyType | None", key_type))


def _check_default_metric(name: str, key_type: str | None) -> None:
    if name not in DEFAULT_METRICS:
        raise InvalidSettings("key", f"a default metric is one of {', '.join(DEFAULT_METRICS)}")
    if key_type not in (None, "number"):
        raise InvalidSettings("key.type", "default metrics are numbers")


def _buckets(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not MIN_BUCKETS <= value <= MAX_BUCKETS:
        raise InvalidSettings(field, f"must be an integer from {MIN_BUCKETS} to {MAX_BUCKETS}")
    return value


def _boundaries(field: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidSettings(field, "must be a list of numbers")
    numbers = tuple(_number(field, item) for item in value)
    if any(right <= left for left, right in pairwise(numbers)):
        raise InvalidSettings(field, "must be strictly increasing")
    return numbers


def _range(field: str, value: object) -> ClipRange:
    ends = _mapping(field, value)
    _refuse_parts(field, ends, ("min", "max"))
    number = _optional(_number)
    return ClipRange(number(field, ends.get("min")), number(field, ends.get("max")))


def _overrides(field: str, value: object) -> dict[str, str]:
    colors = _mapping(field, value)
    for run, color in colors.items():
        if not isinstance(color, str) or not _HEX_COLOR.fullmatch(color):
            raise InvalidSettings(field, f"the color of run {run!r} must look like #1a2b3c")
    return cast("dict[str, str]", dict(colors))


def _number(field: str, value: object) -> float:
    """A finite double; integers are converted to the nearest one, and -0.0 becomes 0.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidSettings(field, "must be a number")
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise InvalidSettings(field, "must be finite")
    return number


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidSettings(field, "must be true or false")
    return value


def _choice(names: tuple[str, ...]) -> Callable[[str, object], str]:
    return lambda field, value: _one_of(field, value, names)


def _optional(parse: Callable[[str, object], T]) -> Callable[[str, object], T | None]:
    return lambda field, value: None if value is None else parse(field, value)


def _one_of(field: str, value: object, names: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in names:
        raise InvalidSettings(field, f"must be one of {', '.join(names)}")
    return value


def _mapping(field: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidSettings(field, "must be an object")
    return value


def _refuse_unknown(fields: Mapping[str, object]) -> None:
    for name in fields:
        if name not in _PARSERS:
            raise InvalidSettings(name, "unknown field")


def _refuse_parts(field: str, parts: Mapping[str, object], known: tuple[str, ...]) -> None:
    for name in parts:
        if name not in known:
            raise InvalidSettings(field, f"unknown part {name!r}")


_PARSERS: Mapping[str, Callable[[str, object], object]] = {
    "key": _key,
    "y": _choice(get_args(YValue)),
    "buckets": _buckets,
    "palette": _choice(get_args(PaletteName)),
    "scale": _choice(get_args(ScaleKind)),
    "boundaries": _optional(_boundaries),
    "range": _optional(_range),
    "midpoint": _optional(_number),
    "reverse": _flag,
    "overrides": _overrides,
    "per_group": _flag,
    "population": _choice(get_args(PopulationKind)),
    "coerce_numeric_strings": _flag,
    "stability": _choice(get_args(Stability)),
}
