"""JSON that may be hostile: bounded in size and depth; with NaN, which Python and wandb write."""

import json
from typing import Any, Final, TypeGuard

import orjson

from runhue_server.media.contract import Refused, Source
from runhue_server.media.kinds.first_bytes import check_size, found_in, shown

MAX_JSON_BYTES: Final = 256 << 20
"""Ten times as much may be needed to hold it."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_json(source: Source, most: int = MAX_JSON_BYTES) -> Any:  # whatever JSON says
    """The file's value. NaN, Infinity and -Infinity are taken; half surrogate pairs stay in strings.

    Raises:
        Refused: `empty`, `too_large`, `not_text`, `not_json` or `too_deep`.
    """
    check_size(source, most)
    return json_of(source.path.read_bytes())


def json_of(content: bytes) -> Any:  # whatever JSON says
    """The value that bytes spell; as `read_json`, from memory."""
    content = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # The strict parser knows no NaN and no lone surrogate; the standard library's is six times slower.
        return _lenient(content)


def _lenient(content: bytes) -> Any:  # whatever JSON says
    try:
        return json.loads(_text(content), parse_int=_integer)
    except RecursionError as error:
        raise Refused("too_deep", "The JSON is nested too deeply; about 900 levels are allowed.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,}, column {error.colno:,}"
        raise Refused("not_json", f"{place} is no JSON: {error.msg}; {_found(content)}.") from error


def _integer(digits: str) -> int | float:
    """As the strict parser takes it: what does not fit 64 bits is a double."""
    return int(digits) if len(digits) < 19 else float(digits)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        found = f"byte {error.start:,} is not UTF-8; {_found(content)}"
        raise Refused("not_text", f"JSON in UTF-8 was expected, and {found}.") from error


def _found(content: bytes) -> str:
    return f"the file begins as {found_in(content[:64])}" if content else "there is nothing"


def as_object(value: Any, what: str) -> dict[str, Any]:  # whatever JSON says
    """`value`, when it is an object.

    Raises:
        Refused: `wrong_shape`; `what` names the value in the reason.
    """
    if not isinstance(value, dict):
        raise Refused("wrong_shape", f"{what} must be an object, found {named(value)}.")
    return value


def as_list(value: Any, what: str) -> list[Any]:  # whatever JSON says
    """`value`, when it is a list.

    Raises:
        Refused: `wrong_shape`; `what` names the value in the reason.
    """
    if not isinstance(value, list):
        raise Refused("wrong_shape", f"{what} must be a list, found {named(value)}.")
    return value


def named(value: object) -> str:
    """What a JSON value is, for a reason."""
    if isinstance(value, dict):
        return f"an object with {len(value):,} keys"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the text {shown(value, 40)!r}" if isinstance(value, str) else shown(value, 40)


def is_number(value: object) -> TypeGuard[int | float]:
    """True for a JSON number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
