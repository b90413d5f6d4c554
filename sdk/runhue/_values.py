"""Which keys and values can be stored, and the plain form of those that need one.

Plain means: str, bool, int, float, None, lists of plain values, dicts with str keys. Arrays and
tensors are known by what they can do (`shape`, `item`, `tolist`), so that no library is imported.
"""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Mapping, Set
from typing import Any

from runhue._errors import BadKey, BadValue

MAX_KEY_LENGTH = 500
MAX_DEPTH = 64
MAX_LIST_VALUES = 10_000
RESERVED = "_step"

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


def plain_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain form of what `log()` got.

    Raises:
        BadKey: a key cannot be stored, also one that nesting makes too long.
        BadValue: a value cannot be stored; the message names its key.
    """
    return {check_key(key): plain(value, key) for key, value in values.items()}


def plain(value: Any, key: str, *, lenient: bool = False, depth: int = 0) -> Any:  # user data of any kind
    """Plain form of one value; `key` is its dotted name, for messages.

    `lenient` turns what has no plain form into its `str`, as config does; otherwise it is refused.
    """
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return value
    if depth > MAX_DEPTH:
        raise BadValue(f"{key[:80]}: values nest at most {MAX_DEPTH} deep")
    if isinstance(value, enum.Enum):
        return plain(value.value, key, lenient=lenient, depth=depth + 1)
    if isinstance(value, str | int | float):
        return _plain_scalar(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value, key, lenient, depth)
    if isinstance(value, list | tuple | Set):
        return [plain(part, key, lenient=lenient, depth=depth + 1) for part in _bounded(value, key)]
    return _plain_object(value, key, lenient, depth)


def _plain_scalar(value: str | int | float) -> str | int | float:
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value)


def _plain_mapping(
    value: Mapping[Any, Any], key: str, lenient: bool, depth: int
) -> dict[str, Any]:  # user data
    nested: dict[str, Any] = {}
    for name, part in value.items():
        text = name if isinstance(name, str) else str(name)
        dotted = f"{key}.{text}"
        check_key(dotted)
        nested[str(text)] = plain(part, dotted, lenient=lenient, depth=depth + 1)
    return nested


def _bounded(values: Any, key: str) -> Any:  # list, tuple or set, whatever it holds
    if len(values) > MAX_LIST_VALUES:
        raise BadValue(
            f"{key}: a list holds at most {MAX_LIST_VALUES:,} values, this one has {len(values):,}"
        )
    return values


def _plain_object(value: Any, key: str, lenient: bool, depth: int) -> Any:  # user data
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
        return _plain_mapping(fields, key, lenient, depth)
    if hasattr(value, "shape") or hasattr(value, "item"):
        return _plain_array(value, key, lenient, depth)
    if lenient:
        return _plain_scalar(str(value))
    raise _no_form(value, key)


def _plain_array(
    value: Any, key: str, lenient: bool, depth: int
) -> Any:  # numpy, torch, jax, tensorflow, pandas
    if not hasattr(value, "tolist") and hasattr(value, "numpy"):
        value = value.numpy()
    shape = tuple(getattr(value, "shape", ()))
    size = math.prod(shape)
    if size > MAX_LIST_VALUES:
        raise BadValue(
            f"{key}: an array of {size:,} values is too large to be logged whole (at most"
            f" {MAX_LIST_VALUES:,}): log a histogram or statistics of it"
        )
    if shape:
        if not hasattr(value, "tolist"):
            raise _no_form(value, key)
        return plain(value.tolist(), key, lenient=lenient, depth=depth + 1)
    inner = value.item()
    if type(inner) is type(value):  # numpy.longdouble.item() is itself
        return float(inner)
    return plain(inner, key, lenient=lenient, depth=depth + 1)


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
