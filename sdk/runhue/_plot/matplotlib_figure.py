"""A matplotlib figure as a Plotly figure: its axes where they stood, with scales, ticks, texts and legend.

Imported when a matplotlib figure is logged.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogFormatter, NullFormatter, ScalarFormatter

from runhue._plot.matplotlib_artists import Trace, Unsupported, css, is_dated, on_axis, traces_of

Layout = dict[str, Any]  # JSON of Plotly's schema

SCALES = ("linear", "log")
HORIZONTAL = {"left": "left", "center": "center", "right": "right"}
VERTICAL = {
    "top": "top",
    "center": "middle",
    "bottom": "bottom",
    "baseline": "bottom",
    "center_baseline": "middle",
}


def plotly_json(figure: Figure) -> dict[str, Any]:
    """The figure in Plotly's JSON: `data` and `layout`.

    Raises:
        Unsupported: something in it has no faithful form; the message says what.
    """
    _refuse_unknown(figure)
    figure.draw_without_rendering()  # settles limits, ticks and layout
    width, height = figure.get_size_inches() * figure.dpi
    layout: Layout = {
        "width": round(width),
        "height": round(height),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": css(figure.get_facecolor()),
        "hovermode": "closest",
        "annotations": [_on_paper(text) for text in figure.texts if text.get_text()],
        "showlegend": False,
    }
    data: list[Trace] = []
    for number, axes in enumerate(figure.axes, start=1):
        data += _add_axes(axes, number, layout, figure)
    return {"data": data, "layout": layout}


def _refuse_unknown(figure: Figure) -> None:
    if not figure.axes:
        raise Unsupported("an empty figure")
    if figure.subfigs or figure.images or figure.lines or figure.patches or figure.artists:
        raise Unsupported("something drawn outside the axes")
    for axes in figure.axes:
        if axes.name != "rectilinear":
            raise Unsupported(f"{axes.name} axes")
        if axes.child_axes:
            raise Unsupported("axes within axes")


def _add_axes(axes: Axes, number: int, layout: Layout, figure: Figure) -> list[Trace]:
    suffix = "" if number == 1 else str(number)
    below = _twin_below(axes, figure)
    for letter, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        layout[f"{letter}axis{suffix}"] = _axis(axes, axis, letter, suffix, below)
    layout["plot_bgcolor"] = css(axes.get_facecolor()) if number == 1 else layout["plot_bgcolor"]
    layout["annotations"] += _titles(axes, suffix)
    layout["annotations"] += [_note(text, axes, suffix) for text in axes.texts if text.get_visible()]
    traces = traces_of(axes)
    _name(traces, axes, layout, bool(figure.legends))
    for trace in traces:
        trace["xaxis"], trace["yaxis"] = f"x{suffix}", f"y{suffix}"
    if any(trace["type"] == "bar" for trace in traces):
        layout["barmode"] = "overlay"
    return traces


def _twin_below(axes: Axes, figure: Figure) -> str | None:
    """The suffix of earlier axes in the same place, on which these are drawn."""
    here = axes.get_position().bounds
    for number, other in enumerate(figure.axes, start=1):
        if other is axes:
            return None
        if other.get_position().bounds == here:
            return "" if number == 1 else str(number)
    return None


def _axis(axes: Axes, axis: Axis, letter: str, suffix: str, below: str | None) -> Layout:
    if axis.get_scale() not in SCALES:
        raise Unsupported(f"a {axis.get_scale()} scale")
    box = axes.get_position()
    shown = axes.axison and axis.get_visible()
    settings: Layout = {
        "anchor": f"{'y' if letter == 'x' else 'x'}{suffix}",
        "domain": [box.x0, box.x1] if letter == "x" else [box.y0, box.y1],
        "type": "date" if is_dated(axis) else axis.get_scale(),
        "range": _range(axis),
        "visible": shown,
        "showgrid": bool(axis.get_gridlines() and axis.get_gridlines()[0].get_visible()),
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "linecolor": "rgba(0,0,0,1)",
        "ticks": "outside",
        "side": axis.get_label_position(),
        "title": {"text": axis.get_label_text()},
    }
    if below is not None:
        settings["overlaying"] = f"{letter}{below}"
    return settings | _ticks(axis)


def _range(axis: Axis) -> list[Any]:
    low, high = axis.get_view_interval()
    if axis.get_scale() == "log":
        return [float(value) for value in axis.get_transform().transform([low, high])]
    return on_axis([low, high], axis)


def _ticks(axis: Axis) -> Layout:
    """Ticks with words of their own; those of plain numbers and dates are left to Plotly, which zooms."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, NullFormatter):
        return {"showticklabels": False}
    if isinstance(formatter, ScalarFormatter | LogFormatter) or is_dated(axis):
        return {}
    places = [float(place) for place in axis.get_majorticklocs()]
    return {"tickvals": places, "ticktext": formatter.format_ticks(places)}


def _titles(axes: Axes, suffix: str) -> list[Layout]:
    """The title of axes, above them in their middle, or left or right."""
    titles = []
    for where, x in (("left", 0.0), ("center", 0.5), ("right", 1.0)):
        text = axes.get_title(where)  # type: ignore[arg-type]  # one of the three
        if text:
            place = {"x": x, "xref": f"x{suffix} domain", "xanchor": where}
            place |= {"y": 1.0, "yref": f"y{suffix} domain", "yanchor": "bottom"}
            titles.append(place | {"text": text, "showarrow": False, "font": {"size": 16}})
    return titles


def _note(text: Text, axes: Axes, suffix: str) -> Layout:
    style = _style(text)
    if isinstance(text, Annotation):
        return style | _annotation(text, suffix)
    x, y = text.get_position()
    if text.get_transform() == axes.transData:
        places = on_axis([x], axes.xaxis) + on_axis([y], axes.yaxis)
        return style | {"x": places[0], "y": places[1], "xref": f"x{suffix}", "yref": f"y{suffix}"}
    if text.get_transform() == axes.transAxes:
        return style | {"x": x, "y": y, "xref": f"x{suffix} domain", "yref": f"y{suffix} domain"}
    raise Unsupported("a text in coordinates of its own")


def _annotation(note: Annotation, suffix: str) -> Layout:
    """A note at a point of the data, with or without an arrow to it."""
    if note.xycoords != "data" or note.anncoords not in {"data", "offset points"}:
        raise Unsupported("an annotation in coordinates of its own")
    x, y = note.xy
    words_x, words_y = note.xyann
    if note.arrow_patch is None and note.anncoords == "data":
        x, y = words_x, words_y
    place: Layout = {"x": x, "y": y, "xref": f"x{suffix}", "yref": f"y{suffix}"}
    if note.arrow_patch is not None:
        place |= {"showarrow": True, "ax": words_x, "ay": words_y}
        if note.anncoords == "data":
            place |= {"axref": f"x{suffix}", "ayref": f"y{suffix}"}
        else:
            place["ay"] = -words_y
    elif note.anncoords == "offset points":
        place |= {"xshift": words_x, "yshift": words_y}
    return place


def _on_paper(text: Text) -> Layout:
    x, y = text.get_position()
    return _style(text) | {"x": x, "y": y, "xref": "paper", "yref": "paper"}


def _style(text: Text) -> Layout:
    return {
        "text": text.get_text().replace("\n", "<br>"),
        "showarrow": False,
        "xanchor": HORIZONTAL[text.get_horizontalalignment()],
        "yanchor": VERTICAL[text.get_verticalalignment()],
        "textangle": -text.get_rotation(),
        "font": {"size": text.get_fontsize(), "color": css(text.get_color(), text.get_alpha())},
    }


def _name(traces: list[Trace], axes: Axes, layout: Layout, for_all: bool) -> None:
    """Give the traces of the legend its words, and keep the others out of it."""
    legend = axes.get_legend()
    words = [text.get_text() for text in legend.get_texts()] if legend else []
    named = [trace for trace in traces if not trace["name"].startswith("_")]
    if words and words != [trace["name"] for trace in named]:
        for trace, word in zip(traces, words, strict=False):
            trace["name"] = word
        named = traces[: len(words)]
    for trace in traces:
        trace["showlegend"] = (legend is not None or for_all) and any(trace is one for one in named)
    layout["showlegend"] = layout["showlegend"] or any(trace["showlegend"] for trace in traces)
