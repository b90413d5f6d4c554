"""Looks at pages: how they are encoded, their title, and from which hosts they would load. Nothing is run."""

import codecs
import re
from collections.abc import Iterator
from html import unescape
from typing import Final

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import check_size, found_in, is_binary, shown
from runhue_server.media.kinds.markup import Tag, tags

MAX_BYTES: Final = 64 << 20
MAX_HOSTS: Final = 200
MAX_TITLE_LENGTH: Final = 300
_PRESCANNED: Final = 1024
"""Bytes in which a page may name its encoding (HTML Standard, 13.2.3.2)."""

_ENCODINGS: Final = frozenset(
    [
        *(
            "utf-8",
            "koi8-r",
            "koi8-u",
            "gbk",
            "gb18030",
            "big5",
            "euc-jp",
            "iso-2022-jp",
            "shift_jis",
            "euc-kr",
        ),
        *(f"windows-{page}" for page in range(1250, 1259)),
        *(f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    ]
)
"""Those of browsers that Python has too (WHATWG Encoding Standard)."""

_AS_BROWSERS_READ: Final = {
    **dict.fromkeys(("utf8", "utf-16", "utf-16le", "utf-16be"), "utf-8"),
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "windows-1252"),
    "gb2312": "gbk",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,500}?charset\s{0,20}=\s{0,20}[\"']?\s{0,20}([\w-]{1,40})", re.IGNORECASE
)
_STYLE_ADDRESS: Final = re.compile(
    r"(?:url\(\s*+|@import\s++)(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"')(;]++))", re.IGNORECASE
)
_STYLE_ESCAPE: Final = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
_REMOTE: Final = re.compile(r"(?:(?:https?|wss?|ftp):/*|//+)(?:[^/?#@]*@)?([^/?#@]+)", re.IGNORECASE)
_IGNORED_IN_ADDRESSES: Final = str.maketrans({"\t": None, "\n": None, "\r": None, "\\": "/"})

_LOADING: Final[dict[str, tuple[str, ...]]] = {
    "link": ("href",),
    "image": ("href", "xlink:href"),
    "feimage": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "script": ("src", "href", "xlink:href"),
    "object": ("data", "codebase"),
    "applet": ("archive", "codebase"),
    "video": ("src", "poster"),
    "body": ("background",),
    "table": ("background",),
    "td": ("background",),
    "th": ("background",),
}
"""Attributes whose address is loaded without a click; of any other element it is `src`."""


def inspect_html(source: Source, _workshop: Workshop) -> Facts:
    """What a page is, and from where it would load.

    Returns:
        `encoding` as browsers would read it; `title`, or null; `external`: hosts (with a port where one
        is named) of scripts, styles, images, frames and the like, sorted; the addresses that scripts put
        together are not known.
    Raises:
        Refused: `empty`, `too_large`, `not_html`.
    """
    check_size(source, MAX_BYTES)
    content = source.path.read_bytes()
    encoding = _encoding(content)
    if not encoding.startswith("utf-16") and is_binary(content[:_PRESCANNED]):
        raise Refused("not_html", f"A page was expected, found {found_in(content[:64])}.")
    title, hosts = _looked_over(content.decode(encoding, "replace").removeprefix("\ufeff"))
    return {"encoding": encoding, "title": title, "external": hosts[:MAX_HOSTS]}


def _encoding(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    named = _CHARSET.search(content[:_PRESCANNED])
    if named:
        name = named.group(1).decode("ascii", "replace").lower()
        name = _AS_BROWSERS_READ.get(name, name)
        if name in _ENCODINGS:
            return name
    try:
        codecs.utf_8_decode(content, "strict", True)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def _looked_over(page: str) -> tuple[str | None, list[str]]:
    """The title and the hosts. Relative addresses are those of `<base href>`, wherever that leads."""
    title, base, relative = None, None, False
    hosts: set[str] = set()
    for tag in tags(page):
        if tag.name == "title" and title is None:
            title = " ".join(unescape(tag.text).split())
        elif tag.name == "base" and base is None and "href" in tag.attributes:
            base = _host(tag.attributes["href"])
        for address in _addresses(tag):
            host = _host(address)
            relative = relative or (host is None and _is_relative(address))
            hosts.update([host] if host else [])
    if base and relative:
        hosts.add(base)
    return shown(title, MAX_TITLE_LENGTH) if title else None, sorted(hosts)


def _addresses(tag: Tag) -> Iterator[str]:
    attributes = tag.attributes
    for name in _LOADING.get(tag.name, ("src",)):
        if name in attributes:
            yield attributes[name]
    for name in ("srcset", "imagesrcset"):
        if name in attributes:
            yield from _candidates(attributes[name])
    yield from _style_addresses(attributes.get("style", ""))
    if tag.name == "style":
        yield from _style_addresses(tag.text)
    if tag.name == "meta" and attributes.get("http-equiv", "").strip().lower() == "refresh":
        yield attributes.get("content", "").partition("=")[2].strip(" \"'")
    if tag.name == "iframe" and "srcdoc" in attributes:
        yield from _of_inner_page(attributes["srcdoc"])


def _of_inner_page(page: str) -> Iterator[str]:
    # One level only: pages within pages within attributes are not written by hand.
    for tag in tags(page):
        if "srcdoc" not in tag.attributes:
            yield from _addresses(tag)


def _candidates(srcset: str) -> Iterator[str]:
    for candidate in re.split(r",\s+|\s,", srcset):
        yield candidate.strip(" \t\n\r\f,").partition(" ")[0]


def _style_addresses(style: str) -> Iterator[str]:
    for found in _STYLE_ADDRESS.finditer(_STYLE_ESCAPE.sub(_escaped, style) if "\\" in style else style):
        yield found.group(1) or found.group(2) or found.group(3) or ""


def _escaped(found: re.Match[str]) -> str:
    sign = int(found.group(1), 16)
    return chr(sign) if 0 < sign < 0xD800 else "\ufffd"


def _host(address: str) -> str | None:
    """The host that an address names as browsers read it; None for relative ones and `data:`."""
    found = _REMOTE.match(_cleaned(address))
    return shown(found.group(1).lower(), 200) if found else None


def _is_relative(address: str) -> bool:
    cleaned = _cleaned(address)
    return bool(cleaned) and not re.match(r"[a-z][a-z0-9+.-]*:|#", cleaned, re.IGNORECASE)


def _cleaned(address: str) -> str:
    return address[:4096].strip("".join(map(chr, range(33)))).translate(_IGNORED_IN_ADDRESSES)
