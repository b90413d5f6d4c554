"""What Plotly gets of a matplotlib figure: the same points, words and scales."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.axes import Axes

from runhue._plot.matplotlib_artists import Unsupported
from runhue._plot.matplotlib_figure import plotly_json

mpl.use("Agg")


@pytest.fixture
def axes() -> Iterator[Axes]:
    """Empty axes of a figure of its own."""
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def drawn(axes: Axes) -> dict[str, Any]:
    """The figure's JSON, which Plotly itself has accepted."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    converted = plotly_json(figure)
    go.Figure(converted)
    return converted


def test_lines_keep_points_names_and_titles(axes: Axes) -> None:
    """Two lines with a legend, a title and axis labels are the same lines with the same words."""
    axes.plot([0, 1, 2], [4, 5, 6], "r--", label="train")
    axes.plot([0, 1, 2], [1, float("nan"), 3], "o-", label="test")
    axes.set(title="Loss", xlabel="epoch", ylabel="value")
    axes.legend()

    figure = drawn(axes)

    train, test = figure["data"]
    assert (train["x"], train["y"]) == ([0, 1, 2], [4, 5, 6])
    assert (train["name"], train["mode"], train["line"]["dash"]) == ("train", "lines", "dash")
    assert train["line"]["color"] == "rgba(255,0,0,1)"
    assert (test["y"], test["mode"], test["marker"]["symbol"]) == ([1, None, 3], "lines+markers", "circle")
    assert figure["layout"]["showlegend"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "epoch"
    assert figure["layout"]["yaxis"]["title"]["text"] == "value"
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["Loss"]


def test_words_given_to_the_legend_name_the_lines(axes: Axes) -> None:
    """`legend(["a", "b"])` names lines that have no label."""
    axes.plot([1, 2])
    axes.plot([2, 1])
    axes.legend(["a", "b"])

    assert [trace["name"] for trace in drawn(axes)["data"]] == ["a", "b"]


def test_without_a_legend_there_is_none(axes: Axes) -> None:
    """Labels alone show no legend, as in matplotlib."""
    axes.plot([1, 2], label="a")

    assert not drawn(axes)["layout"]["showlegend"]


def test_bars_keep_their_categories(axes: Axes) -> None:
    """Bars over words keep the words at their ticks, and the labels on them."""
    axes.bar_label(axes.bar(["cat", "dog"], [3, 5], color=["red", "blue"]))

    figure = drawn(axes)

    (bars,) = figure["data"]
    assert (bars["x"], bars["y"], bars["base"]) == ([0, 1], [3, 5], [0, 0])
    assert bars["marker"]["color"] == ["rgba(255,0,0,1)", "rgba(0,0,255,1)"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["cat", "dog"]
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["3", "5"]


def test_lying_bars_lie(axes: Axes) -> None:
    """Horizontal bars stay horizontal."""
    axes.barh([1, 2], [3, 5], left=[0, 1])

    (bars,) = drawn(axes)["data"]

    assert (bars["orientation"], bars["x"], bars["y"], bars["base"]) == ("h", [3, 5], [1, 2], [0, 1])


def test_a_histogram_is_bars_without_gaps(axes: Axes) -> None:
    """Each bin is a bar as wide as the bin, named as the histogram is."""
    axes.hist([1, 2, 2, 3], bins=[1, 2, 3, 4], label="scores")
    axes.legend()

    (bars,) = drawn(axes)["data"]

    assert (bars["x"], bars["y"], bars["width"]) == ([1.5, 2.5, 3.5], [1, 2, 1], [1, 1, 1])
    assert bars["name"] == "scores"


def test_points_keep_their_sizes_and_colors(axes: Axes) -> None:
    """Points with a size and a color each keep both."""
    axes.scatter([1, 2], [3, 4], s=[16, 64], c=["red", "blue"], marker="^")

    (points,) = drawn(axes)["data"]

    assert points["marker"]["symbol"] == "triangle-up"
    assert points["marker"]["size"] == [4, 8]
    assert points["marker"]["color"] == ["rgba(255,0,0,1)", "rgba(0,0,255,1)"]


def test_logarithmic_axes_stay_so(axes: Axes) -> None:
    """A logarithmic axis is one, and its range is given in powers of ten, as Plotly wants it."""
    axes.loglog([1, 10, 100], [1, 10, 100])
    axes.set_xlim(1, 1000)

    xaxis = drawn(axes)["layout"]["xaxis"]

    assert xaxis["type"] == "log"
    assert xaxis["range"] == pytest.approx([0, 3])


def test_dates_stay_dates(axes: Axes) -> None:
    """Dates are ISO text on a date axis."""
    days: Any = [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2, 12)]  # noqa: DTZ001  # as users write
    axes.plot(days, [1, 2])

    figure = drawn(axes)

    assert figure["data"][0]["x"] == ["2026-01-01T00:00:00", "2026-01-02T12:00:00"]
    assert figure["layout"]["xaxis"]["type"] == "date"


def test_axes_stand_where_they_stood(axes: Axes) -> None:
    """Subplots and twins each have axes of their own; a twin lies over the other."""
    twin = axes.twinx()
    axes.plot([1, 2])
    twin.plot([30, 40])

    figure = drawn(axes)

    assert [trace["yaxis"] for trace in figure["data"]] == ["y", "y2"]
    assert figure["layout"]["yaxis2"]["overlaying"] == "y"
    assert figure["layout"]["yaxis2"]["side"] == "right"
    box = axes.get_position()
    assert figure["layout"]["xaxis"]["domain"] == [box.x0, box.x1]


def test_an_inverted_axis_is_inverted(axes: Axes) -> None:
    """An axis that runs down runs down."""
    axes.plot([1, 2])
    axes.set_ylim(5, 0)

    assert drawn(axes)["layout"]["yaxis"]["range"] == [5, 0]


CONVERTED: dict[str, Callable[[Axes], object]] = {
    "area": lambda axes: axes.fill_between([1, 2, 3], [1, 2, 3], [2, 3, 4]),
    "error bars": lambda axes: axes.errorbar([1, 2], [1, 2], yerr=0.1, capsize=3),
    "steps": lambda axes: axes.step([1, 2, 3], [1, 2, 3]),
    "stems": lambda axes: axes.stem([1, 2, 3]),
    "boxes": lambda axes: axes.boxplot([[1, 2, 3, 9]]),
    "violins": lambda axes: axes.violinplot([[1, 2, 3, 4]]),
    "a line across": lambda axes: axes.axhline(1.5),
    "a span": lambda axes: axes.axvspan(0.2, 0.4),
    "several lines": lambda axes: axes.hlines([1, 2], 0, 1),
    "an outlined histogram": lambda axes: axes.hist([1, 2, 2], histtype="step"),
    "stacked bars": lambda axes: axes.hist([[1, 2, 2], [1, 1]], stacked=True),
    "a text": lambda axes: axes.text(0.5, 0.5, "here", transform=axes.transAxes),
    "an arrow": lambda axes: axes.annotate("here", (0, 0), xytext=(0.5, 0.5), arrowprops={}),
    "an arrow of some length": lambda axes: axes.annotate(
        "here", (0, 0), xytext=(5, 5), textcoords="offset points", arrowprops={}
    ),
    "masked values": lambda axes: axes.plot(np.ma.masked_greater([1, 2, 3], 2)),
    "no axes shown": lambda axes: axes.set_axis_off(),
    "nothing": lambda axes: axes.grid(),
}


@pytest.mark.parametrize("kind", CONVERTED)
def test_common_drawings_are_converted(axes: Axes, kind: str) -> None:
    """What is drawn with the usual calls has an interactive form that Plotly accepts."""
    CONVERTED[kind](axes)

    assert drawn(axes)["layout"]["width"] == 640


UNSUPPORTED: dict[str, Callable[[Axes], object]] = {
    "an image": lambda axes: axes.imshow(np.eye(2)),
    "a pie": lambda axes: axes.pie([1, 2]),
    "contours": lambda axes: axes.contour(np.outer(range(4), range(4))),
    "a mesh": lambda axes: axes.pcolormesh(np.eye(2)),
    "a symlog scale": lambda axes: axes.set_yscale("symlog"),
    "a line without ends": lambda axes: axes.axline((0, 0), slope=1),
    "a marker of its own": lambda axes: axes.plot([1, 2], marker="$f$"),
    "axes within axes": lambda axes: axes.inset_axes((0, 0, 0.5, 0.5)),
    "arrows": lambda axes: axes.quiver([1, 2], [1, 2]),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_has_no_faithful_form_is_said_to_have_none(axes: Axes, kind: str) -> None:
    """A drawing that would come out different is not converted at all."""
    UNSUPPORTED[kind](axes)

    with pytest.raises(Unsupported):
        drawn(axes)


def test_round_axes_have_no_form() -> None:
    """Polar and 3-D axes are not converted, nor is an empty figure."""
    for projection in ("polar", "3d"):
        figure = plt.figure()
        figure.add_subplot(projection=projection)
        with pytest.raises(Unsupported):
            plotly_json(figure)
        plt.close(figure)
    with pytest.raises(Unsupported):
        plotly_json(plt.figure())
    plt.close("all")
