"""Which form a logged figure gets: interactive, or a picture with a word on why."""

import hashlib
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.lines import Line2D

import runhue
from runhue._plot.figures import as_media
from tests.unit.sdk.spooled import offline_run, rows_of

mpl.use("Agg")


def stored(value: object, folder: Path, **settings: Any) -> tuple[dict[str, Any], bytes]:
    """What a row has for a logged value, and the bytes of the file that it names."""
    with offline_run(folder, **settings) as run:
        run.log({"chart": value})
    ((_, row),) = rows_of(run.dir)
    contents = {
        hashlib.sha256(file.read_bytes()).hexdigest(): file.read_bytes()
        for file in (Path(run.dir) / "files").iterdir()
    }
    return row["chart"], contents[row["chart"]["sha256"]]


def test_the_current_figure_becomes_interactive(tmp_path: Path) -> None:
    """pyplot stands for its current figure, which is stored as Plotly's JSON."""
    plt.plot([1, 2, 3, 4])
    plt.ylabel("some numbers")

    value, content = stored(plt, tmp_path)

    plt.close("all")
    figure: dict[str, Any] = json.loads(content)
    assert value["_type"] == "plotly-file"
    assert value["path"].startswith("media/plotly/chart_0_")
    assert value["path"].endswith(".plotly.json")
    assert figure["data"][0]["y"] == [1, 2, 3, 4]
    assert figure["layout"]["yaxis"]["title"]["text"] == "some numbers"


def test_axes_and_what_is_on_them_stand_for_their_figure(tmp_path: Path) -> None:
    """The same is stored for a figure, its axes and a line of it."""
    figure, axes = plt.subplots()
    (line,) = axes.plot([1, 2])

    values = [stored(value, tmp_path)[0] for value in (figure, axes, line)]

    plt.close("all")
    assert values[0] == values[1] == values[2]


def test_what_has_no_interactive_form_is_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image plot is stored as a PNG, and the user is told why."""
    plt.imshow(np.eye(3))

    value, content = stored(plt, tmp_path, silent=False)

    plt.close("all")
    assert value["_type"] == "image-file"
    assert content.startswith(b"\x89PNG")
    assert "chart: the figure is kept as a picture, because it holds an AxesImage" in capsys.readouterr().err


def test_an_image_of_a_figure_stays_a_picture() -> None:
    """`runhue.Image(plt)` is a picture whatever the figure holds."""
    plt.plot([1, 2])

    picture = runhue.Image(plt)

    plt.close("all")
    assert picture.format == "png"


def test_plotly_figures_are_stored_as_they_are(tmp_path: Path) -> None:
    """A Plotly figure is its own JSON."""
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3.5, None]), layout={"title": {"text": "T"}})

    value, content = stored(figure, tmp_path)

    assert value["_type"] == "plotly-file"
    assert json.loads(content) == json.loads(figure.to_json())


@pytest.mark.parametrize("value", [3, "plt", [1], np.zeros(3), go.Scatter(y=[1]), json])
def test_other_values_are_no_figures(value: object) -> None:
    """What is neither a matplotlib drawing nor a Plotly figure is left to others."""
    assert as_media(value) is None


def test_a_drawing_without_a_figure_is_refused() -> None:
    """A matplotlib object that is on no figure is a ValueError."""
    with pytest.raises(ValueError, match="Line2D of matplotlib is in no figure"):
        as_media(Line2D([0, 1], [0, 1]))
