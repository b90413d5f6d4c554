"""Tags of an HTML page, read forward once, as a browser's tokenizer does.

The standard library's parser looks for the end of each unclosed tag and quote anew, so that a page of some
megabytes can keep it busy for hours. Here whatever is not closed ends the page, and the time is linear.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

_RAW: Final = frozenset({"script", "style", "title", "textarea", "xmp", "noembed", "noframes"})
"""Elements whose content is text up to their own end tag (HTML Standard, 13.2.5)."""

_NAME: Final = re.compile(r"[^\s/>]+")
_ATTRIBUTE_NAME: Final = re.compile(r"[^\s/>][^\s/>=]*")
_BEFORE_ATTRIBUTE: Final = re.compile(r"[\s/]*")
_SPACES: Final = re.compile(r"\s*")
_UNQUOTED: Final = re.compile(r"[^\s>]*")
MAX_ATTRIBUTES: Final = 1_000
"""Of one tag that are told; further ones are read over."""


class Tag(NamedTuple):
    """A start tag: names in lower case, values unescaped, and the text of `_RAW` elements."""

    name: str
    attributes: dict[str, str]
    text: str


def tags(page: str) -> Iterator[Tag]:
    """Start tags in order; comments, end tags and what stands between tags are left out."""
    at = page.find("<")
    while at >= 0:
        if page.startswith("<!--", at):
            at = _after(page, "-->", at + 2)
        elif page[at + 1 : at + 2] in {"!", "?", "/"}:
            at = _after(page, ">", at + 2)
        elif page[at + 1 : at + 2].isascii() and page[at + 1 : at + 2].isalpha():
            tag, at = _start_tag(page, at + 1)
            if at >= 0:
                yield tag
        else:
            at += 1
        at = page.find("<", at) if at >= 0 else at


def _after(page: str, end: str, at: int) -> int:
    found = page.find(end, at)
    return -1 if found < 0 else found + len(end)


def _start_tag(page: str, at: int) -> tuple[Tag, int]:
    """The tag whose name begins at `at`, and where the page goes on; -1 when the tag is not closed."""
    name = _match(_NAME, page, at)
    attributes, at = _attributes(page, at + len(name))
    name = name.lower()
    if at < 0 or name not in _RAW:
        return Tag(name, attributes, ""), at
    end = re.compile(rf"</{re.escape(name)}(?=[\s/>])", re.IGNORECASE).search(page, at)
    text = page[at : end.start()] if end else page[at:]
    return Tag(name, attributes, text), end.start() if end else len(page)


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while True:
        at += len(_match(_BEFORE_ATTRIBUTE, page, at))
        if at >= len(page):
            return found, -1
        if page[at] == ">":
            return found, at + 1
        name = _match(_ATTRIBUTE_NAME, page, at)
        value, at = _value(page, at + len(name))
        if at < 0:
            return found, -1
        if len(found) < MAX_ATTRIBUTES:
            found.setdefault(name.lower(), unescape(value))


def _value(page: str, at: int) -> tuple[str, int]:
    equals = at + len(_match(_SPACES, page, at))
    if page[equals : equals + 1] != "=":
        return "", at
    start = equals + 1
    start += len(_match(_SPACES, page, start))
    quote = page[start : start + 1]
    if quote in {'"', "'"}:
        end = page.find(quote, start + 1)
        return (page[start + 1 : end], end + 1) if end >= 0 else ("", -1)
    value = _match(_UNQUOTED, page, start)
    return value, start + len(value)


def _match(pattern: re.Pattern[str], page: str, at: int) -> str:
    found = pattern.match(page, at)
    return found.group() if found else ""
