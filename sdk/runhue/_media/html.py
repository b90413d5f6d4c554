"""`runhue.Html`: a page of its own within a run."""

from pathlib import Path
from typing import Any

from runhue._errors import BadMedia
from runhue._media.media import Media, Place
from runhue._media.text import clean, existing_file, path_of, suffix_of

STYLES = (
    '<base target="_blank">'
    "<style>html{font-family:system-ui,sans-serif;line-height:1.5}body{margin:8px}"
    "img,svg,video{max-width:100%}table{border-collapse:collapse}td,th{padding:2px 8px}</style>"
)
"""Put into a page unless it is told not to; they are part of it, so that it shows without a network."""


class Html(Media):
    """A page, shown where it cannot reach the rest of the application.

    Args:
        data: HTML as a str, an open file, or the path of a file that ends in `.html`.
        inject: put default styles into its head.
        data_is_not_path: take a str as HTML, whatever it looks like.
    Raises:
        BadMedia: none of these, or one word that ends in `.html` where there is no such file.
    """

    def __init__(
        self, data: Any, inject: bool = True, data_is_not_path: bool = False
    ) -> None:  # str, path, file
        self.html = _html_of(data, data_is_not_path)
        if inject:
            self.html = _with_styles(self.html)

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: html-file, path, sha256, size}`."""
        return {"_type": "html-file", **place.add_file(clean(self.html).encode(), "html", "html")}

    @classmethod
    def stored_list(cls, items: Any, place: Place) -> dict[str, Any]:  # sequence of Html
        """`{_type: html, count, html: [...]}`."""
        return {"_type": "html", "count": len(items), "html": [item.stored(place) for item in items]}


def _html_of(data: Any, is_text: bool) -> str:  # str, path or file
    if hasattr(data, "read"):
        if hasattr(data, "seek"):
            data.seek(0)
        content = data.read()
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
    path = None if is_text else path_of(data)
    if path is not None and (isinstance(data, Path) or _is_page(data)):
        return existing_file(path, "Html").read_text(encoding="utf-8")
    if isinstance(data, str):
        if not is_text and _could_be_a_path(data) and len(data.split()) == 1:
            raise BadMedia(f"Html: there is no file {data}; data_is_not_path=True takes these words as text")
        return data
    raise BadMedia(f"Html: data must be a str, an open file or a path, got {type(data).__name__}")


def _is_page(data: str) -> bool:
    """True for the path of a page that is there, and not for HTML."""
    return _could_be_a_path(data) and Path(data).is_file()


def _could_be_a_path(data: str) -> bool:
    return not any(mark in data for mark in "\n<") and suffix_of(Path(data)) == "html"


def _with_styles(html: str) -> str:
    for tag, before, after in (("<head>", "<head>", ""), ("<html>", "<html><head>", "</head>")):
        start, found, rest = html.partition(tag)
        if found:
            return f"{start}{before}{STYLES}{after}{rest}".strip()
    return f"{STYLES}{html}".strip()
