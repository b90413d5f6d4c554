"""What media types refuse, in words that name the argument, what came and what is allowed."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runhue
from tests.unit.sdk.media.logged import logging, stored

BOX = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}}
PIXELS = np.zeros((4, 4), dtype=np.uint8)
CORNERS = [[0, 0, 0]] * 8


def image_with_mask(**mask: Any) -> runhue.Image:  # of a mask's dict
    return runhue.Image(PIXELS, masks={"m": mask})


def image_with_box(**fields: Any) -> runhue.Image:  # of a box's dict
    return runhue.Image(PIXELS, boxes={"b": {"box_data": [{**BOX, **fields}]}})


def box3d(**parts: Any) -> object:  # arguments of box3d
    return runhue.box3d(
        **{"center": (0,) * 3, "size": (1,) * 3, "orientation": (1, 0, 0, 0), "color": (0,) * 3, **parts}
    )


def scene(**parts: Any) -> runhue.Object3D:  # of a scene's dict
    return runhue.Object3D({"type": "lidar/beta", **parts})


def graph_of_one() -> runhue.Graph:
    graph = runhue.Graph()
    graph.add_node(id="a")
    return graph


REFUSED: list[tuple[Callable[[], object], str]] = [
    (runhue.Histogram, "exactly one of them"),
    (lambda: runhue.Histogram([1], np_histogram=([1], [0, 1])), "exactly one of them"),
    (lambda: runhue.Histogram([1, 2], num_bins=513), "num_bins must be 1 to 512, got 513"),
    (lambda: runhue.Histogram([1, 2], num_bins=0), "num_bins must be 1 to 512, got 0"),
    (lambda: runhue.Histogram(np_histogram=([1] * 513, range(514))), "513 bins, at most 512"),
    (lambda: runhue.Histogram(np_histogram=([1, 2], [0, 1])), "2 counts and 2 edges"),
    (lambda: runhue.Histogram(np_histogram=([1, 2], [0, 2, 1])), "must ascend"),
    (lambda: runhue.Histogram(np_histogram=([1],)), r"must be \(counts, bin edges\)"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: runhue.Histogram([1.0, float("nan")]), "1 of 2 are NaN or infinite"),
    (lambda: runhue.Histogram(["a"]), "must hold numbers"),
    (lambda: runhue.Histogram([[1], [1, 2]]), "cannot become an array"),
    (lambda: runhue.Image(np.zeros((2, 2, 5))), r"must have shape .* got \(2, 2, 5\)"),
    (lambda: runhue.Image(np.zeros(7)), r"must have shape .* got \(7,\)"),
    (lambda: runhue.Image(np.zeros((0, 4))), "is empty"),
    (lambda: runhue.Image(np.full((2, 2), "x")), "must hold numbers"),
    (lambda: runhue.Image(object()), "takes an array, a PIL image, a path"),
    (lambda: runhue.Image("missing.png"), "there is no file missing.png"),
    (lambda: runhue.Image(PIXELS, file_type="tiff"), "file_type must be one of png, jpg, jpeg, bmp"),
    (lambda: runhue.Image(PIXELS, caption=7), "caption must be a str, got int"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: runhue.Image(PIXELS, masks=[1]), "masks must be a dict by name"),  # type: ignore[arg-type]  # wrong on purpose
    (image_with_mask, "must have mask_data"),
    (lambda: image_with_mask(mask_data=np.zeros((2, 2, 2))), r"must have shape \(height, width\)"),
    (lambda: image_with_mask(mask_data=np.full((2, 2), 256)), "from 0 to 255, got 256 to 256"),
    (lambda: image_with_mask(mask_data=np.full((2, 2), -1)), "from 0 to 255, got -1 to -1"),
    (lambda: image_with_mask(mask_data=np.full((2, 2), 0.5)), "must hold integers"),
    (lambda: image_with_mask(mask_data=PIXELS, class_labels={"a": "b"}), "names by class id"),
    (lambda: runhue.Image(PIXELS, boxes={"b": {}}), "must be a dict with a list box_data"),
    (lambda: image_with_box(position={"minX": 0}), "numbers minX, maxX, minY, maxY, or middle"),
    (lambda: image_with_box(position={"middle": [1], "width": 1, "height": 1}), "middle"),
    (lambda: image_with_box(domain="miles"), "domain must be 'percentage'"),
    (lambda: image_with_box(class_id="cat"), "class_id must be an integer, got 'cat'"),
    (lambda: image_with_box(box_caption=1), "box_caption must be a str"),
    (lambda: image_with_box(scores={"acc": "high"}), "scores must be numbers by name"),
    (lambda: runhue.Audio(np.zeros(10)), "samples need sample_rate"),
    (lambda: runhue.Audio(np.zeros(10), sample_rate=0), "samples need sample_rate"),
    (lambda: runhue.Audio(np.zeros((2, 2, 2)), sample_rate=8), r"must have shape \(n,\)"),
    (lambda: runhue.Audio(np.full(2, np.nan), sample_rate=8), "must be finite"),
    (lambda: runhue.Audio(np.zeros(2, dtype=np.int64), sample_rate=8), "int16, int32 or uint8, got int64"),
    (lambda: runhue.Audio("missing.wav"), "there is no file missing.wav"),
    (lambda: runhue.Video(np.zeros((3, 4, 4))), r"must have shape \(\[batch,\] time"),
    (lambda: runhue.Video(np.zeros((2, 2, 4, 4))), "1|3|4 channels"),
    (lambda: runhue.Video(np.zeros((2, 3, 4, 4)), format="avi"), "gif, mp4, webm, ogg, got 'avi'"),
    (lambda: runhue.Video(np.zeros((2, 3, 4, 4)), fps=0), "fps must be more than 0"),
    (lambda: runhue.Video("missing.mp4"), "there is no file missing.mp4"),
    (lambda: runhue.Video(__file__), "must be one of gif, mp4, ogg, webm"),
    (lambda: runhue.Video([1, 2]), "takes an array, a path or a BytesIO"),
    (lambda: runhue.Table(data=[[1, 2]]), "3 columns .*, got 2"),
    (lambda: runhue.Table(columns=["a"], data=[1]), "row 0 must be a list of values"),
    (lambda: runhue.Table(columns="ab"), "must be a list of names"),
    (lambda: runhue.Table(columns=["a"], data=[[1]]).add_column("a", [2]), "a column 'a' already"),
    (lambda: runhue.Table(columns=["a"], data=[[1]]).add_column("b", [2, 3]), "must have 1 values, got 2"),
    (lambda: runhue.Table(columns=["a"]).get_column("b"), "there is no column 'b'"),
    (lambda: runhue.Table(columns=["a"], data=[["x"]], dtype=int), "column 'a' must hold int, got str: 'x'"),
    (lambda: runhue.Table(columns=["a"], data=[[True]], dtype=float), "column 'a' must hold float, got bool"),
    (lambda: runhue.Table(columns=["a"], data=[[2]], dtype=[1]), "column 'a' must hold 1, got int: 2"),
    (lambda: runhue.Table(columns=["a"], data=[[None]], optional=False), "must have a value in each row"),
    (lambda: runhue.Table(columns=["a", "b"], dtype=[int]), "dtype must have one entry for each of the 2"),
    (lambda: runhue.Table(columns=["a"], optional=[1]), "optional must be a bool"),  # type: ignore[list-item]  # wrong on purpose
    (lambda: runhue.Table(columns=["a"], data=[["x"]]).cast("a", int), "column 'a' must hold int, got str"),
    (lambda: runhue.Table(columns=["a"]).index_ref(0), "index must be below 0, got 0"),
    (lambda: runhue.Table(columns=["a"], data=[[1], [2]]).add_computed_columns(
        lambda number, _row: {str(number): 1}), "the same columns for each row"),
    (lambda: runhue.Table(log_mode="SOMETIMES"), "log_mode must be one of IMMUTABLE"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: runhue.Classes([{"id": 1}]), "classes must be dicts with id and name"),
    (lambda: runhue.Graph().add_node(), "takes a node, or id"),
    (lambda: runhue.Graph().add_node(id=1, color="red"), "a node has id, name.*got color"),
    (lambda: runhue.Graph().add_node(id=1.5), "id must be a str or an int, got 1.5"),
    (lambda: graph_of_one().add_node(id="a"), "there is a node 'a' already"),
    (lambda: graph_of_one().add_edge("a", "b"), "to_node must be a node of the graph, got 'b'"),
    (lambda: runhue.Plotly(3), "must be a figure of Plotly or matplotlib, got int"),
    (lambda: runhue.Plotly.make_plot_media("x"), "must be a figure of Plotly or matplotlib, got str"),
    (lambda: runhue.Table(columns=["a", 1, "1"]), "must have different names, '1' comes more than once"),
    (lambda: runhue.Table(dataframe=[[1]]), "dataframe must be a DataFrame of pandas, got list"),
    (lambda: runhue.Html("missing.html"), "there is no file missing.html; data_is_not_path=True"),
    (lambda: runhue.Html(3), "must be a str, an open file or a path"),
    (lambda: runhue.Molecule(__file__), "must be one of cif, gro, mcif"),
    (lambda: runhue.Molecule("missing.pdb"), "there is no file missing.pdb"),
    (lambda: runhue.Molecule(io.StringIO("x")), "needs file_type"),
    (lambda: runhue.Object3D(np.zeros((3, 5))), r"must have shape .* got \(3, 5\)"),
    (lambda: runhue.Object3D(np.array([[0, 0, 0, 15]])), "from 1 to 14, got 15"),
    (lambda: runhue.Object3D(np.array([[0, 0, 0, 0.5]])), "from 1 to 14, got 0.5"),
    (lambda: runhue.Object3D({"type": "other"}), "must be 'lidar/beta', got 'other'"),
    (lambda: runhue.Object3D(7), "takes an array, a scene, a path or an open file"),
    (lambda: scene(boxes=[{"corners": CORNERS[:7]}]), "box 0 must have corners, 8 points"),
    (lambda: scene(boxes=[{"corners": CORNERS, "color": [1, 2]}]), "color must be r, g, b"),
    (lambda: scene(vectors=[{"start": [0, 0, 0]}]), "vector 0 must have start and end"),
    (lambda: runhue.Audio(np.zeros(9), sample_rate=2**33), "sample_rate must be 1 to 4294967295"),
    (lambda: runhue.Histogram(np_histogram=([1, float("inf")], [0, 1, 2])), "counts must be finite numbers"),
    (lambda: runhue.Histogram([-1.7e308, 1.7e308]), "cannot be put into bins|too far apart"),
    (lambda: runhue.Molecule(7), "takes a path or an open file, got int"),
    (lambda: runhue.Molecule.from_smiles(7), "data must be a str, got int"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: runhue.Image(PIXELS, masks={"m": 3}), "must be a dict with mask_data, got int"),
    (lambda: image_with_mask(mask_data=PIXELS, class_labels=3), "dict of names by class id, got int"),
    (lambda: runhue.Image(PIXELS, boxes={"b": {"box_data": [3]}}), "box 0 must be a dict, got int"),
    (lambda: runhue.Image(PIXELS, mode="XYZ"), "mode 'XYZ' cannot be made of shape"),
    (lambda: runhue.Image(np.zeros((1, 65_536), np.uint8), file_type="jpg"), "cannot be written as jpg"),
    (lambda: scene(boxes=3), "boxes must be a list of dicts, got int"),
    (lambda: scene(boxes=[3]), "box 0 must be a dict, got int"),
    (lambda: scene(boxes=[{"corners": CORNERS, "label": 3}]), "label must be a str, got 3"),
    (lambda: runhue.Object3D(np.array([["a", "b", "c"]])), "points must be numbers"),
    (lambda: runhue.Table(columns=["a"]).get_column("a", convert_to="l"), "must be None or 'numpy'"),  # type: ignore[arg-type]  # wrong on purpose
    (lambda: runhue.Table(columns=[1.5]), "name must be a str or an int, got 1.5"),  # type: ignore[list-item]  # wrong on purpose
    (lambda: runhue.Table(data="abc"), "data must be a list of rows, got str"),
    (lambda: box3d(center=(0, 0)), "center must be 3 numbers, got 2"),
    (lambda: box3d(orientation=(0, 0, 0, 0)), "orientation must not be 0, 0, 0, 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_stored_is_a_value_error(make: Callable[[], object], message: str) -> None:
    """A shape, limit or format that is not allowed raises a ValueError that says so."""
    with pytest.raises(ValueError, match=message):
        make()


def test_tables_have_a_row_limit_that_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 rows are logged, one more is refused until MAX_ROWS allows it."""
    table = runhue.Table(columns=["n"], data=[[n] for n in range(10_000)])
    assert stored(tmp_path / "whole", table)[0]["nrows"] == 10_000

    table.add_data(10_000)
    with logging(tmp_path / "more") as (run, logged):
        with pytest.raises(
            ValueError, match=r"10,000 rows, this one has 10,001: assign runhue.Table.MAX_ROWS"
        ):
            run.log({"t": table})
        monkeypatch.setattr(runhue.Table, "MAX_ROWS", 20_000)
        run.log({"t": table})
    assert [row["t"]["nrows"] for _, row in logged.rows] == [10_001]


def test_a_step_takes_100_clips(tmp_path: Path) -> None:
    """100 clips of one step are taken, over several calls and keys too; the next step counts anew."""
    clips = [runhue.Audio(np.zeros(2), sample_rate=8)] * 99
    with logging(tmp_path) as (run, logged):
        run.log({"a": clips}, step=0)
        with pytest.raises(ValueError, match="at most 100 Audio, this would be 101"):
            run.log({"b": clips[:2]}, step=0)
        run.log({"b": clips[0]}, step=0)
        run.log({"a": clips}, step=1)
        with pytest.raises(ValueError, match="at most 100 Audio, this would be 198"):
            run.log({"c": clips}, step=1)
    assert [(step, *row) for step, row in logged.rows] == [(0, "a"), (0, "b"), (1, "a")]


def test_fifty_images_a_step_are_worth_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """49 images of a step say nothing, 50 warn once, and all of them are stored."""
    image = runhue.Image(np.zeros((2, 2), dtype=np.uint8))
    with logging(tmp_path, silent=False) as (run, logged):
        run.log({"few": [image] * 49})
        assert "50 or more" not in capsys.readouterr().err
        run.log({"many": [image] * 50})
        run.log({"many": [image] * 60})
    assert capsys.readouterr().err.count("50 or more Image in one step") == 1
    assert [row.get("many", {}).get("count") for _, row in logged.rows] == [None, 50, 60]
