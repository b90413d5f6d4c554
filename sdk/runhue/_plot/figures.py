"""Figures of matplotlib and Plotly as media: interactive where they can be, otherwise a picture."""

import json
from importlib import import_module
from types import ModuleType
from typing import Any

from runhue._errors import BadMedia
from runhue._media.media import Media, Place

PYPLOT = "matplotlib.pyplot"
FAILURES = (AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)


class Plotly(Media):
    """A figure that the page draws, of Plotly, or of matplotlib where that has an interactive form.

    Args:
        val: a figure of Plotly, a figure, axes or artist of matplotlib, `pyplot` itself, or a figure in
            Plotly's JSON as a dict.
    Raises:
        BadMedia: none of these, or a drawing without an interactive form; `runhue.Image` keeps it a picture.
    """

    def __init__(self, val: Any) -> None:  # a figure of a library that is optional
        self._content = json.dumps(val if isinstance(val, dict) else _plotly_json(val)).encode()

    @classmethod
    def make_plot_media(cls, val: Any) -> Media:  # as __init__ has it
        """As `Plotly`, or a picture of what has no interactive form.

        Raises:
            BadMedia: no figure.
        """
        media = as_media(val)
        if media is None:
            raise _no_figure(val)
        return media

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: plotly-file, path, sha256, size}`."""
        return {"_type": "plotly-file", **place.add_file(self._content, "plotly", "plotly.json")}


class PictureOfFigure(Media):
    """A matplotlib figure that has no interactive form, as the picture that matplotlib draws."""

    def __init__(self, picture: Media, reason: str) -> None:
        self._picture = picture
        self._reason = reason

    def stored(self, place: Place) -> dict[str, Any]:
        place.warn(f"{place.key}: the figure is kept as a picture, because it holds {self._reason}")
        return self._picture.stored(place)


def as_media(value: object) -> Media | None:
    """What is stored of a matplotlib figure, axes, artist or `pyplot` itself, or of a Plotly figure.

    None for anything else. No library is imported that the value did not bring.

    Raises:
        BadMedia: of matplotlib, but in no figure.
    """
    if _is_plotly(value):
        return Plotly(value)
    if _is_matplotlib(value):
        return _of_matplotlib(matplotlib_figure(value))
    return None


def _is_plotly(value: object) -> bool:
    is_of_plotly = type(value).__module__.partition(".")[0] == "plotly"
    return is_of_plotly and hasattr(value, "to_plotly_json") and hasattr(value, "layout")


def _is_matplotlib(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "matplotlib" or is_pyplot(value)


def _plotly_json(value: Any) -> dict[str, Any]:  # a figure of a library that is optional
    if _is_plotly(value):
        figure: dict[str, Any] = json.loads(value.to_json())
        return figure
    if not _is_matplotlib(value):
        raise _no_figure(value)
    artists = import_module("runhue._plot.matplotlib_artists")
    try:
        return _interactive(matplotlib_figure(value))
    except (artists.Unsupported, *FAILURES) as reason:
        raise BadMedia(
            f"Plotly: the figure has no interactive form, because it holds {reason}: log runhue.Image of it"
        ) from reason


def _no_figure(value: object) -> BadMedia:
    return BadMedia(f"Plotly: val must be a figure of Plotly or matplotlib, got {type(value).__name__}")


def is_pyplot(value: object) -> bool:
    """Whether this is the module `matplotlib.pyplot`."""
    return isinstance(value, ModuleType) and value.__name__ == PYPLOT


def matplotlib_figure(value: Any) -> Any:  # a matplotlib.figure.Figure, whose library is optional
    """The figure that a matplotlib value is in; of `pyplot`, the current one.

    Raises:
        BadMedia: it is in none.
    """
    figure_type = import_module("matplotlib.figure").Figure
    if is_pyplot(value):
        return value.gcf()
    figure = value if isinstance(value, figure_type) else getattr(value, "figure", None)
    if not isinstance(figure, figure_type):
        raise BadMedia(
            f"a {type(value).__name__} of matplotlib is in no figure: log pyplot, a Figure, or its axes"
        )
    return figure


def _of_matplotlib(figure: Any) -> Media:  # a matplotlib.figure.Figure
    artists = import_module("runhue._plot.matplotlib_artists")
    try:
        return Plotly(_interactive(figure))
    except artists.Unsupported as unsupported:
        return PictureOfFigure(_picture(figure), str(unsupported))
    except FAILURES as failure:  # a release of matplotlib that draws in another way
        return PictureOfFigure(_picture(figure), f"what cannot be converted ({failure!r})")


def _interactive(figure: Any) -> dict[str, Any]:  # a matplotlib.figure.Figure
    converted: dict[str, Any] = import_module("runhue._plot.matplotlib_figure").plotly_json(figure)
    return converted


def _picture(figure: Any) -> Media:  # a matplotlib.figure.Figure
    picture: Media = import_module("runhue._media.image").Image(figure)
    return picture
