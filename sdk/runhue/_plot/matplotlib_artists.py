"""What is drawn in matplotlib axes, as Plotly traces with the same points, colors and labels.

Imported when a matplotlib figure is logged; whoever has one has matplotlib.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib import colors
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection
from matplotlib.container import BarContainer
from matplotlib.dates import DateLocator, num2date
from matplotlib.lines import AxLine, Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.spines import Spine
from matplotlib.text import Text
from matplotlib.transforms import Transform

Trace = dict[str, Any]  # JSON of Plotly's schema

DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
STEPS = {"steps": "vh", "steps-pre": "vh", "steps-mid": "hvh", "steps-post": "hv"}
SYMBOLS = {
    "o": "circle",
    ".": "circle",
    "s": "square",
    "D": "diamond",
    "d": "diamond-tall",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "*": "star",
    "p": "pentagon",
    "h": "hexagon",
    "H": "hexagon2",
    "8": "octagon",
    "+": "cross-thin",
    "x": "x-thin",
    "P": "cross",
    "X": "x",
    "|": "line-ns",
    "_": "line-ew",
}
DRAWN_BY_ITS_EDGE = frozenset("+x|_")
HALF_AS_LARGE = "."


class Unsupported(Exception):
    """What a figure holds has no faithful Plotly form."""


def traces_of(axes: Axes) -> list[Trace]:
    """A trace for each thing drawn, in matplotlib's legend order: artists, then bars.

    Raises:
        Unsupported: something drawn has no faithful trace.
    """
    in_bars = {id(bar) for container in _bar_containers(axes) for bar in container.patches}
    in_bars |= {id(axes.patch)}
    traces = []
    for artist in axes.get_children():
        if artist.get_visible() and id(artist) not in in_bars and not _is_furniture(artist, axes):
            traces += _trace(artist, axes)
    return traces + [_bars(container, axes) for container in _bar_containers(axes)]


def _bar_containers(axes: Axes) -> list[BarContainer]:
    return [container for container in axes.containers if isinstance(container, BarContainer)]


def _is_furniture(artist: Artist, axes: Axes) -> bool:
    """Frame, axes, legend and texts, which are the layout's."""
    if isinstance(artist, Text | Axis | Spine):
        return True
    return artist is axes.get_legend()


def _trace(artist: Artist, axes: Axes) -> list[Trace]:
    if isinstance(artist, Line2D) and not isinstance(artist, AxLine):
        return [_line(artist, axes)]
    if isinstance(artist, PathCollection):
        return [_points(artist, axes)]
    if isinstance(artist, LineCollection):
        return [_segments(artist, axes)]
    if isinstance(artist, PolyCollection):
        return [_polygons(artist, axes)]
    if isinstance(artist, Rectangle | Polygon | PathPatch):
        return [_outline(artist, axes)]
    raise Unsupported(_named(artist))


def _named(artist: Artist) -> str:
    kind = type(artist).__name__
    return f"an {kind}" if kind[0] in "AEIOU" else f"a {kind}"


def _line(line: Line2D, axes: Axes) -> Trace:
    xy = _placed(line.get_xydata(), line.get_transform(), axes)
    has_line = line.get_linestyle() not in {"None", " ", ""} and line.get_linewidth() > 0
    has_markers = line.get_marker() not in {"None", "none", " ", "", None}
    trace = _scatter(xy, axes, line)
    trace["mode"] = "+".join(["lines"] * has_line + ["markers"] * has_markers) or "none"
    if has_line:
        dash = DASHES.get(str(line.get_linestyle()), "dash")
        trace["line"] = {"color": css(line.get_color(), line.get_alpha()), "width": line.get_linewidth()}
        trace["line"] |= {"dash": dash, "shape": STEPS.get(line.get_drawstyle(), "linear")}
    if has_markers:
        trace["marker"] = {
            "symbol": _symbol(line.get_marker()),
            "size": _size(line.get_markersize(), line.get_marker()),
            "color": css(line.get_markerfacecolor(), line.get_alpha()),
            "line": {
                "color": css(line.get_markeredgecolor(), line.get_alpha()),
                "width": line.get_markeredgewidth(),
            },
        }
    return trace


def _symbol(marker: Any) -> str:  # str, int or path: any of matplotlib's marker styles
    symbol = SYMBOLS.get(marker) if isinstance(marker, str) else None
    if symbol is None:
        raise Unsupported(f"the marker {marker!r}")
    return f"{symbol}-open" if marker in DRAWN_BY_ITS_EDGE else symbol


def _size(points: float, marker: object) -> float:
    return points / 2 if marker == HALF_AS_LARGE else points


def _points(points: PathCollection, axes: Axes) -> Trace:
    offsets = _placed(points.get_offsets(), points.get_offset_transform(), axes)
    count = len(offsets)
    points.update_scalarmappable()
    faces = [css(color) for color in points.get_facecolor()]
    edges = [css(color) for color in points.get_edgecolor()]
    paths = points.get_paths()
    if len(paths) != 1:
        raise Unsupported("points with several markers")
    marker = _marker_of(paths[0])
    trace = _scatter(offsets, axes, points)
    trace["mode"] = "markers"
    trace["marker"] = {
        "symbol": _symbol(marker),
        "size": _each([_size(math.sqrt(area), marker) for area in points.get_sizes()], count),
        "color": _each(faces or ["rgba(0,0,0,0)"], count),
        "line": {"color": _each(edges or faces, count), "width": _first_width(points)},
    }
    return trace


def _first_width(artists: Collection) -> float:
    """The line width that all of a collection have; matplotlib keeps it as a list."""
    widths: Any = artists.get_linewidth()
    return float(widths[0])


def _marker_of(outline: Any) -> str:  # a path of matplotlib's
    """The marker that has this outline."""
    corners = outline.vertices.round(6).tolist()
    for marker in SYMBOLS:
        style = MarkerStyle(marker)
        path: Any = style.get_path().transformed(style.get_transform())
        if path.vertices.round(6).tolist() == corners:
            return marker
    raise Unsupported("points with a marker of their own")


def _segments(lines: LineCollection, axes: Axes) -> Trace:
    trace = _scatter(_joined([path.vertices for path in lines.get_paths()], lines, axes), axes, lines)
    lines.update_scalarmappable()
    drawn = {css(color) for color in lines.get_color()}
    if len(drawn) > 1:
        raise Unsupported("line segments of several colors")
    trace |= {"mode": "lines", "line": {"width": _first_width(lines)}}
    trace["line"]["color"] = drawn.pop() if drawn else "rgba(0,0,0,0)"
    return trace


def _polygons(polygons: PolyCollection, axes: Axes) -> Trace:
    if _offsets(polygons) != [[0, 0]]:
        raise Unsupported(_named(polygons))
    polygons.update_scalarmappable()
    faces = {css(color) for color in polygons.get_facecolor()}
    if len(faces) != 1:
        raise Unsupported("areas of several colors")
    outlines = [path.vertices for path in polygons.get_paths()]
    trace = _scatter(_joined(outlines, polygons, axes), axes, polygons)
    return trace | {"mode": "lines", "fill": "toself", "fillcolor": faces.pop(), "line": {"width": 0}}


def _offsets(artists: Collection) -> Any:  # an array, which matplotlib's types do not tell
    offsets: Any = artists.get_offsets()
    return offsets.tolist()


def _outline(patch: Rectangle | Polygon | PathPatch, axes: Axes) -> Trace:
    path: Any = patch.get_path()
    if path.codes is not None and {Path.CURVE3, Path.CURVE4} & set(path.codes.tolist()):
        raise Unsupported("a curved area")
    xy = _placed(patch.get_patch_transform().transform(path.vertices), patch.get_data_transform(), axes)
    trace = _scatter(xy, axes, patch) | {"mode": "lines"}
    trace["line"] = {"color": css(patch.get_edgecolor()), "width": patch.get_linewidth()}
    if patch.get_fill():
        trace |= {"fill": "toself", "fillcolor": css(patch.get_facecolor())}
    return trace


def _bars(container: BarContainer, axes: Axes) -> Trace:
    bars = container.patches
    flat = container.orientation == "horizontal"
    along, across = (axes.yaxis, axes.xaxis) if flat else (axes.xaxis, axes.yaxis)
    places = [
        (bar.get_y() + bar.get_height() / 2) if flat else bar.get_x() + bar.get_width() / 2 for bar in bars
    ]
    lengths = [bar.get_width() if flat else bar.get_height() for bar in bars]
    bases = [bar.get_x() if flat else bar.get_y() for bar in bars]
    if is_dated(across) or is_dated(along):
        raise Unsupported("bars over dates")
    edges = [css(bar.get_edgecolor()) if bar.get_linewidth() else "rgba(0,0,0,0)" for bar in bars]
    return {
        "type": "bar",
        "orientation": "h" if flat else "v",
        "x": numbers(lengths if flat else places),
        "y": numbers(places if flat else lengths),
        "base": numbers(bases),
        "width": numbers((bar.get_height() if flat else bar.get_width()) for bar in bars),
        "marker": {"color": [css(bar.get_facecolor()) for bar in bars], "line": {"color": edges}},
        "name": _label(container),
    }


def _label(container: BarContainer) -> str:
    """Its own; `hist` gives it to the first bar."""
    label = str(container.get_label())
    first = str(container.patches[0].get_label()) if container.patches else ""
    return first if label.startswith("_") and first else label


def _scatter(points: Sequence[Sequence[Any]], axes: Axes, artist: Artist) -> Trace:  # numbers or None
    return {
        "type": "scatter",
        "x": on_axis([point[0] for point in points], axes.xaxis),
        "y": on_axis([point[1] for point in points], axes.yaxis),
        "name": str(artist.get_label()),
    }


def _placed(xy: Any, transform: Transform, axes: Axes) -> list[list[Any]]:  # an array of matplotlib's
    """Points that were given by way of `transform`, in the coordinates of the data; None where masked."""
    if transform != axes.transData:
        xy = (transform - axes.transData).transform(xy)
    placed: list[list[Any]] = xy.tolist()
    return placed


def _joined(outlines: Sequence[Any], artist: Artist, axes: Axes) -> list[list[Any]]:  # arrays
    """The points of all outlines, each followed by NaN, which is a gap."""
    points = []
    for outline in outlines:
        points += [*_placed(outline, artist.get_transform(), axes), [math.nan, math.nan]]
    return points[:-1]


def on_axis(values: Iterable[Any], axis: Axis) -> list[Any]:
    """Numbers as Plotly's axis has them: dates as ISO text, what is not finite as None."""
    plain = numbers(values)
    if not is_dated(axis):
        return plain
    return [None if value is None else _iso(value) for value in plain]


def _iso(days: float) -> str:
    moment: dt.datetime = num2date(days)  # type: ignore[no-untyped-call]  # matplotlib has no type for it
    return moment.replace(tzinfo=None).isoformat()


def is_dated(axis: Axis) -> bool:
    return isinstance(axis.get_major_locator(), DateLocator)


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Floats; None for what is masked, NaN or infinite."""
    floats = [math.nan if value is None else float(value) for value in values]
    return [value if math.isfinite(value) else None for value in floats]


def _each(values: Sequence[Any], count: int) -> Any:
    """One value when all are the same; otherwise one for each of `count`, taken in turn."""
    if len(set(values)) == 1:
        return values[0]
    return [values[at % len(values)] for at in range(count)]


def css(color: Any, alpha: float | None = None) -> str:  # any color that matplotlib takes
    red, green, blue, opacity = colors.to_rgba(color, alpha)
    return f"rgba({round(red * 255)},{round(green * 255)},{round(blue * 255)},{round(opacity, 3):g})"
