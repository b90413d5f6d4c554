"""What is found in Plotly figures and in graphs of models."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from runhue_server.media.kinds import figures
from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import GRAPH, figure


def facts_of(figure: Any) -> dict[str, Any]:
    return look("plotly", "json", json.dumps(figure).encode()).facts


def test_a_figure_of_typed_arrays_is_counted() -> None:
    """Types and points of the traces, and the title's text."""
    assert look("plotly", "json", figure()).facts == {
        "traces": [{"type": "scatter", "points": 5}, {"type": "heatmap", "points": 6}],
        "title": "Loss",
    }


@pytest.mark.parametrize(
    ("trace", "points"),
    [
        (go.Pie(values=[1, 2], labels=["a", "b"]), 2),
        (go.Surface(z=np.zeros((4, 5))), 20),
        (go.Heatmap(z=[[1, 2], [3]]), 3),
        (go.Scatter3d(x=np.arange(7), y=[1], z=[2]), 7),
        (go.Table(cells={"values": [[1, 2, 3], [4, 5]]}), 3),
        (go.Sankey(link={"source": [0, 1], "target": [1, 2], "value": [3, 4]}), 2),
        (go.Parcoords(dimensions=[{"values": [1, 2, 3, 4]}]), 4),
        (go.Histogram(x=np.zeros(9, "f4")), 9),
        (go.Image(z=np.zeros((2, 3, 3), "u1")), 6),
        (go.Scatter(), 0),
    ],
)
def test_points_are_the_most_entries_of_a_trace(trace: Any, points: int) -> None:
    """Each kind of trace keeps its data under names of its own."""
    found = look("plotly", "json", go.Figure([trace]).to_json().encode()).facts["traces"]

    assert found == [{"type": trace.type, "points": points}]


def test_figures_of_the_wandb_client_are_read() -> None:
    """Lists instead of typed arrays, and NaN as Python writes it."""
    text = (
        '{"data": [{"type": "bar", "y": [1.0, NaN, Infinity]}], "layout": {"title": {"text": "a\\u0000b"}}}'
    )

    found = look("plotly", "json", text.encode()).facts

    assert found == {"traces": [{"type": "bar", "points": 3}], "title": "a\ufffdb"}


@pytest.mark.parametrize(
    ("made", "code", "reason"),
    [
        ([], "wrong_shape", "A figure must be an object, found a list of 0."),
        ({}, "wrong_shape", "A figure's data must be a list, found null."),
        ({"data": [3]}, "wrong_shape", "Trace 0 must be an object, found 3."),
        (
            {"data": [], "layout": [1]},
            "wrong_shape",
            "A figure's layout must be an object, found a list of 1.",
        ),
        ({"data": [{"type": 3}]}, "wrong_shape", "Trace 0: type must be text, found 3."),
        (
            {"data": [{"x": {"bdata": "AAA=", "dtype": "f8"}}]},
            "bad_data",
            "Trace 0: x: 0 values of 8 bytes are not the 2 bytes that are there.",
        ),
        (
            {"data": [{"z": {"bdata": "AAAA", "dtype": "u1", "shape": "9, 9"}}]},
            "bad_data",
            "Trace 0: z: 9 x 9 values of 1 bytes are not the 3 bytes that are there.",
        ),
        ({"data": [{"x": {"bdata": "!", "dtype": "u1"}}]}, "bad_data", "Trace 0: x: bdata is not base 64."),
        ({"data": [{"x": {"bdata": "", "dtype": []}}]}, "bad_data", "dtype must be one of plotly's"),
        ({"data": [{"x": {"bdata": "", "dtype": "u1", "shape": "-1"}}]}, "bad_data", "shape must be 1 to 3"),
    ],
)
def test_figures_of_another_shape_are_refused(made: Any, code: str, reason: str) -> None:
    """The trace and the attribute stand in the reason."""
    found = refused("plotly", "json", json.dumps(made).encode())

    assert found.code == code
    assert reason in found.reason


def test_too_many_traces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts stay small."""
    monkeypatch.setattr(figures, "MAX_TRACES", 2)

    assert refused("plotly", "json", b'{"data": [{}, {}, {}]}').code == "too_many_traces"
    assert len(facts_of({"data": [{}, {}]})["traces"]) == 2


def test_a_graph_is_counted() -> None:
    """Nodes and edges of what wandb.Graph stores."""
    assert look("graph", "json", GRAPH).facts == {"nodes": 2, "edges": 1}


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"nodes": [], "edges": None}, "A graph's edges must be a list, found null."),
        ({"nodes": [1], "edges": []}, "Node 0 of the graph must be an object, found 1."),
        ({"nodes": [{}], "edges": [[1]]}, "Edge 0 must be a list of two ids of nodes, found a list of 1."),
    ],
)
def test_graphs_of_another_shape_are_refused(made: Any, reason: str) -> None:
    """The node or edge stands in the reason."""
    assert refused("graph", "json", json.dumps(made).encode()).reason == reason
