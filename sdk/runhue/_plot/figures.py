"""Figures of matplotlib and Plotly as media: interactive where they can be, otherwise a picture."""

import json
from importlib import import_module
from types import ModuleType
from typing import Any

from runhue._errors import BadMedia
from runhue._media.media import Media, Place

PYPLOT = "matplotlib.pyplot"
FAILURES = (AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)


class PlotlyFigure(Media):
    """A figure in Plotly's JSON, which the page draws."""

    def __init__(self, figure: dict[str, Any]) -> None:
        self._content = json.dumps(figure).encode()

    def stored(self, place: Place) -> dict[str, Any]:
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
    library = type(value).__module__.partition(".")[0]
    if library == "plotly" and hasattr(value, "to_plotly_json") and hasattr(value, "layout"):
        return PlotlyFigure(json.loads(value.to_json()))  # type: ignore[attr-defined]  # plotly.Figure has it
    if library == "matplotlib" or is_pyplot(value):
        return _of_matplotlib(matplotlib_figure(value))
    return None


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
    converter = import_module("runhue._plot.matplotlib_figure")
    try:
        return PlotlyFigure(converter.plotly_json(figure))
    except artists.Unsupported as unsupported:
        return PictureOfFigure(_picture(figure), str(unsupported))
    except FAILURES as failure:  # a release of matplotlib that draws in another way
        return PictureOfFigure(_picture(figure), f"what cannot be converted ({failure!r})")


def _picture(figure: Any) -> Media:  # a matplotlib.figure.Figure
    picture: Media = import_module("runhue._media.image").Image(figure)
    return picture
