"""Which keys and values can be stored, and the plain form of those that need one.

Plain means: str, bool, int, float, None, lists of plain values, dicts with str keys. Arrays and
tensors are known by what they can do (`shape`, `item`, `tolist`), so that no library is imported.
Where media can go there is a `Place`: in rows and in the summary, not in config.
"""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Mapping, Sequence, Set
from importlib import import_module
from types import ModuleType
from typing import Any

from runhue._errors import BadKey, BadValue
from runhue._media.arrays import is_large, large_array
from runhue._media.media import Expanded, LoggedRow, Media, Place
from runhue._media.tensors import REFUSALS, is_array, on_host

MAX_KEY_LENGTH = 500
MAX_DEPTH = 64
MAX_LIST_VALUES = 10_000
RESERVED = "_step"

CONVERTERS = {
    "matplotlib": "runhue._plot.figures",
    "pandas": "runhue._media.table",
    "plotly": "runhue._plot.figures",
}
"""By library, the module whose `as_media` turns what can be into media."""

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
PLAIN_TYPES = frozenset({float, int, str, bool, type(None)})


def check_key(key: object) -> str:
    """The key, when it can name a metric.

    Raises:
        BadKey: not a str, empty, longer than 500 characters, not Unicode, or reserved.
    """
    if not isinstance(key, str):
        raise BadKey(f"a key must be a str, got {type(key).__name__}: {key!r}")
    if not key:
        raise BadKey("a key must not be empty")
    if len(key) > MAX_KEY_LENGTH:
        raise BadKey(f"a key has at most {MAX_KEY_LENGTH} characters, this one has {len(key)}: {key[:40]}...")
    if key.casefold() == RESERVED:
        raise BadKey("the key _step is reserved: pass step= to log()")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise BadKey(f"a key must be valid Unicode: {key!a}: {error.reason}") from error
    return str(key)


def plain_row(values: Mapping[str, Any], row: LoggedRow | None = None) -> dict[str, Any]:
    """Plain form of what `log()` got; its media go to `row`, without which there can be none.

    Raises:
        BadKey: a key cannot be stored, also one that nesting makes too long.
        BadValue: a value cannot be stored; the message names its key.
    """
    plain_values: dict[str, Any] = {}
    for key, value in values.items():
        check_key(key)
        place = None if row is None or type(value) in PLAIN_TYPES else row.place(key)
        if place is not None and isinstance(value, Expanded):
            plain_values.update(_expanded(value, key, place))
        else:
            plain_values[str(key)] = plain(value, key, place=place)
    return plain_values if row is None or not row.charts else {**plain_values, **row.charts}


def plain(
    value: Any, key: str, *, lenient: bool = False, depth: int = 0, place: Place | None = None
) -> Any:  # user data of any kind
    """Plain form of one value; `key` is its dotted name, for messages.

    `lenient` turns what has no plain form into its `str`, as config does; otherwise it is refused.
    """
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return value
    if depth > MAX_DEPTH:
        raise BadValue(f"{key[:80]}: values nest at most {MAX_DEPTH} deep")
    if isinstance(value, enum.Enum):
        return plain(value.value, key, lenient=lenient, depth=depth + 1, place=place)
    if isinstance(value, str | int | float):
        return _plain_scalar(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value, key, lenient, depth, place)
    if isinstance(value, list | tuple | Set):
        return _plain_list(value, key, lenient, depth, place)
    if place is not None and (media := as_media_value(value)) is not None:
        place.count(type(media))
        return media.stored(place)
    return _plain_object(value, key, lenient, depth, place)


def _plain_scalar(value: str | int | float) -> str | int | float:
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value)


def _plain_mapping(
    value: Mapping[Any, Any], key: str, lenient: bool, depth: int, place: Place | None
) -> dict[str, Any]:  # user data
    nested: dict[str, Any] = {}
    for name, part in value.items():
        text = str(name)
        dotted = f"{key}.{text}"
        check_key(dotted)
        within = None if place is None else place.nested(dotted, text)
        if within is not None and isinstance(part, Expanded):
            # Beside the dict, by whole key, where its settings say that the table is.
            within.set_aside(_expanded(part, dotted, within))
        else:
            nested[text] = plain(part, dotted, lenient=lenient, depth=depth + 1, place=within)
    return nested


def _expanded(value: Expanded, key: str, place: Place) -> dict[str, Any]:
    """What a chart is logged as, by whole key."""
    parts: dict[str, Any] = {}
    for name, part in value.expanded(key).items():
        parts[name] = plain(part, check_key(name), place=place.nested(name, name))
    for setting in value.settings(key):
        place.set_media(*setting)
    return parts


def _plain_list(
    values: Sequence[Any] | Set[Any], key: str, lenient: bool, depth: int, place: Place | None
) -> Any:  # a list, or what stands for a list of media
    listed = list(_bounded(values, key))
    first = listed[0] if listed else None
    if place is not None and isinstance(first, Media) and all(isinstance(one, type(first)) for one in listed):
        place.count(type(first), len(listed))
        return first.stored_list(listed, place)
    return [plain(part, key, lenient=lenient, depth=depth + 1, place=place) for part in listed]


def as_media_value(value: object) -> Media | None:
    """The media value that something of another library is logged as, None when it is none."""
    if isinstance(value, Media):
        return value
    name = value.__name__ if isinstance(value, ModuleType) else type(value).__module__
    converter = CONVERTERS.get(name.partition(".")[0])
    if converter is None:
        return None
    media: Media | None = import_module(converter).as_media(value)
    return media


def _bounded(values: Any, key: str) -> Any:  # list, tuple or set, whatever it holds
    if len(values) > MAX_LIST_VALUES:
        raise BadValue(
            f"{key}: a list holds at most {MAX_LIST_VALUES:,} values, this one has {len(values):,}"
        )
    return values


def _plain_object(value: Any, key: str, lenient: bool, depth: int, place: Place | None) -> Any:  # user data
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, pathlib.PurePath | uuid.UUID):
        return _plain_scalar(str(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain_mapping(fields, key, lenient, depth, place)
    if place is not None and is_array(value) and is_large(value):
        stored = large_array(value, place)
        if stored is not None:
            return stored
    if hasattr(value, "shape") or hasattr(value, "item"):
        return _plain_array(value, key, lenient, depth)
    if lenient:
        return _plain_scalar(str(value))
    raise _no_form(value, key)


def _plain_array(value: Any, key: str, lenient: bool, depth: int) -> Any:  # numpy, torch, jax, ...
    shape = tuple(getattr(value, "shape", ()))
    size = math.prod(shape)
    if size > MAX_LIST_VALUES:
        raise BadValue(
            f"{key}: an array of {size:,} values is too large to be logged whole (at most"
            f" {MAX_LIST_VALUES:,}): log a histogram or statistics of it"
        )
    if shape and not (hasattr(value, "tolist") or hasattr(value, "numpy")):
        raise _no_form(value, key)
    try:
        inner = _python_values(value, is_scalar=not shape)
    except REFUSALS as error:
        raise BadValue(f"{key}: a {type(value).__name__} has no plain values: {error}") from error
    if type(inner) is type(value):  # numpy.longdouble.item() is itself
        return float(inner)
    return plain(inner, key, lenient=lenient, depth=depth + 1)


def _python_values(value: Any, *, is_scalar: bool) -> Any:  # any library's array -> number or lists
    if not hasattr(value, "tolist") and hasattr(value, "numpy"):
        value = on_host(value).numpy()
    return value.item() if is_scalar else value.tolist()


def _no_form(value: object, key: str) -> BadValue:
    kind = type(value)
    return BadValue(
        f"{key}: a {kind.__module__}.{kind.__qualname__} cannot be logged; numbers, strings, bools, None,"
        " lists, dicts, and arrays of those can"
    )


def from_wire(value: Any) -> Any:  # JSON-like
    """The value with numbers for the words "NaN" and "Infinity". Source: docs/api.md, "Numbers"."""
    if isinstance(value, str):
        return NON_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: from_wire(part) for key, part in value.items()}
    if isinstance(value, list):
        return [from_wire(part) for part in value]
    return value
