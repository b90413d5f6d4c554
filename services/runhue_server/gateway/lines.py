"""The JSON of `file_stream`: bodies, and the lines in them with every number exactly as it was written."""

import json
import re
import zlib
from typing import Annotated, Any

import msgspec

from runhue_server.web.json_text import holds_lone_surrogate

GZIP_WINDOW = 31
LAST_OFFSET = 2**39
"""No client ever says so many lines; beyond twice of it a line has no place in the run's order."""

MOST_EXIT_CODE = 2**32 - 1
FAILED = 1


class Chunk(msgspec.Struct):
    """Lines of one file; `offset` is the number of the first."""

    offset: Annotated[int, msgspec.Meta(ge=0, le=LAST_OFFSET)] = 0
    content: list[str] = []


class Post(msgspec.Struct):
    """What one request of `file_stream` says; every part may be absent."""

    files: dict[str, Chunk] = {}
    uploaded: list[str] = []
    preempting: bool = False
    complete: bool = False
    exitcode: Annotated[int, msgspec.Meta(ge=-MOST_EXIT_CODE, le=MOST_EXIT_CODE)] = 0

    @property
    def is_heartbeat(self) -> bool:
        """Whether it says nothing but that the client lives."""
        return not (self.files or self.uploaded or self.preempting or self.complete)


class Unreadable(ValueError):
    """A body or line that is no JSON object; `code` is stable, the message says where it breaks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def unzip(content: bytes, limit: int) -> bytes:
    """The body of a request with `Content-Encoding: gzip`, never holding more than `limit` bytes.

    Raises:
        Unreadable: not gzip, cut short, or larger.
    """
    inflater = zlib.decompressobj(GZIP_WINDOW)
    try:
        raw = inflater.decompress(content, limit + 1)
    except zlib.error as error:
        raise Unreadable("body_unreadable", f"the body is not gzip: {error}") from error
    if len(raw) > limit:
        raise Unreadable("body_too_large", f"the body unpacks to more than {limit} bytes, the limit")
    if not inflater.eof:
        raise Unreadable("body_unreadable", "the body is cut short: the gzip stream does not end")
    return raw


_post = msgspec.json.Decoder(Post)
_object = msgspec.json.Decoder(dict[str, Any])
# Go and JavaScript write -0.0 so; as an int it would lose its sign.
_NEGATIVE_ZERO = re.compile(r"[:,\[]\s*-0(?![.\deE])")


def post_of(body: bytes) -> Post:
    """The request in a body. Parts of a wrong type count as absent: a newer client must not lose the rest.

    Raises:
        Unreadable: no JSON object.
    """
    try:
        return _post.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient_post(_slowly(body.decode("utf-8", "replace"), "body_unreadable"))


def _lenient_post(said: dict[str, Any]) -> Post:
    files = said.get("files")
    chunks = files.items() if isinstance(files, dict) else ()
    uploaded = said.get("uploaded")
    code = said.get("exitcode")
    return Post(
        {name: _chunk(part) for name, part in chunks if isinstance(part, dict)},
        [name for name in uploaded if isinstance(name, str)] if isinstance(uploaded, list) else [],
        said.get("preempting") is True,
        said.get("complete") is True,
        _exit_code(code) if isinstance(code, int) else 0,
    )


def _exit_code(code: int) -> int:
    return int(code) if abs(code) <= MOST_EXIT_CODE else FAILED


def _chunk(part: dict[str, Any]) -> Chunk:
    offset, content = part.get("offset"), part.get("content")
    lines = content if isinstance(content, list) else [content] if isinstance(content, str) else []
    return Chunk(
        offset if isinstance(offset, int) and 0 <= offset <= LAST_OFFSET else 0,
        # A place in the file stays taken, whatever is in it.
        [line if isinstance(line, str) else json.dumps(line) for line in lines],
    )


def object_of(line: str) -> dict[str, Any]:
    """The JSON object in a line: ints of any size, floats bit for bit, bare NaN and Infinity.

    Of equal keys the last counts. Half a surrogate pair becomes its escape as text.

    Raises:
        Unreadable: no JSON object, or nested too deep to read.
    """
    if not _may_hold_negative_zero(line) or _NEGATIVE_ZERO.search(line) is None:
        try:
            return _object.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass  # NaN, a number beyond doubles, half a surrogate pair, or no JSON
    return _slowly(line, "line_unreadable")


def _may_hold_negative_zero(line: str) -> bool:
    """Whether a number begins with -0; quicker than searching, and `e-05` is in most lines."""
    return ":-0" in line or " -0" in line or "[-0" in line or ",-0" in line


def _slowly(text: str, code: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise Unreadable("json_too_deep", "the JSON is nested too deep to read") from None
    except ValueError as error:
        raise Unreadable(code, f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable(code, f"a JSON object is expected, this is {type(found).__name__}")
    if holds_lone_surrogate(text.encode("utf-8", "surrogatepass")) or not _is_unicode(text):
        found = _unicode(found)
    return dict(found)


def _integer(digits: str) -> int | float:
    if digits == "-0":
        return -0.0
    try:
        return int(digits)
    except ValueError:  # longer than Python turns into an int, and so beyond every double
        return float(digits)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unicode(value: Any) -> Any:  # JSON
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_unicode(key): _unicode(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_unicode(part) for part in value]
    return value
