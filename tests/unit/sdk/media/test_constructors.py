"""Other ways to the same media: wandb's further names and arguments."""

import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.figure
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image as Pillow

import runhue
from tests.unit.sdk.media.logged import log, logging, stored

PDB = "ATOM      1  C   UNL A   1       0.000   0.000   0.000\n"


class Mol:
    """What the SDK asks of a molecule of RDKit."""

    def __init__(self, name: str) -> None:
        self.name = name

    def GetNumAtoms(self) -> int:  # noqa: N802  # RDKit's name
        return 1


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """RDKit's functions, as they are called."""
    made: list[tuple[Any, ...]] = []

    def noting(name: str, result: Any) -> Any:  # a function of RDKit
        def call(*arguments: Any, **named: Any) -> Any:
            made.append((name, *named.items()))
            return result

        return call

    chem, shaping = ModuleType("rdkit.Chem"), ModuleType("rdkit.Chem.AllChem")
    for name, result in (
        ("MolFromSmiles", Mol("smiles")),
        ("MolFromMolFile", Mol("file")),
        ("SDMolSupplier", iter([Mol("first"), Mol("second")])),
        ("AddHs", Mol("with hydrogens")),
        ("MolToPDBBlock", PDB),
    ):
        setattr(chem, name, noting(name, result))
    for name in ("EmbedMolecule", "MMFFOptimizeMolecule"):
        setattr(shaping, name, noting(name, 0))
    monkeypatch.setitem(sys.modules, "rdkit", ModuleType("rdkit"))
    monkeypatch.setitem(sys.modules, "rdkit.Chem", chem)
    monkeypatch.setitem(sys.modules, "rdkit.Chem.AllChem", shaping)
    return made


def test_a_molecule_of_smiles(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """SMILES become a shape in space, stored as pdb."""
    molecule = runhue.Molecule.from_smiles("CC", caption="ethane", mmff_optimize_molecule_max_iterations=7)

    value, logged = stored(tmp_path, molecule)
    assert calls == [
        ("MolFromSmiles", ("sanitize", True)),
        ("AddHs",),
        ("EmbedMolecule",),
        ("MMFFOptimizeMolecule", ("maxIters", 7)),
        ("MolToPDBBlock",),
    ]
    assert (value["_type"], value["caption"], value["path"][-4:]) == ("molecule-file", "ethane", ".pdb")
    assert logged.files[value["path"]] == PDB.encode()


@pytest.mark.parametrize(("ending", "reader"), [("mol", "MolFromMolFile"), ("sdf", "SDMolSupplier")])
def test_a_molecule_of_rdkit(calls: list[tuple[Any, ...]], tmp_path: Path, ending: str, reader: str) -> None:
    """A file that RDKit reads, or what it holds already, is stored as pdb without another shape."""
    path = tmp_path / f"a.{ending}"
    path.write_text("x")

    runhue.Molecule.from_rdkit(str(path), convert_to_3d_and_optimize=False)
    runhue.Molecule.from_rdkit(Mol("held"), convert_to_3d_and_optimize=False)
    assert [call[0] for call in calls] == [reader, "MolToPDBBlock", "MolToPDBBlock"]


def test_what_is_no_molecule_is_refused(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """Other values, files and SMILES are ValueErrors that say what can be given."""
    vars(sys.modules["rdkit.Chem"])["MolFromSmiles"] = lambda *_, **__: None
    for given, message in (
        (7, "got int"),
        (str(tmp_path / "a.pdb"), "must be mol or sdf"),
        ("no.mol", "no file"),
    ):
        with pytest.raises(ValueError, match=message):
            runhue.Molecule.from_rdkit(given)
    with pytest.raises(ValueError, match="SMILES that RDKit takes, got 'C1'"):
        runhue.Molecule.from_smiles("C1")


def test_objects_by_their_source(tmp_path: Path) -> None:
    """from_file, from_numpy and from_point_cloud store what Object3D of the same stores."""
    points = np.array([[0.0, 1, 2], [3, 4, 5]])
    vectors = [{"start": [0, 0, 0], "end": [1, 1, 1]}]
    scene = {"type": "lidar/beta", "points": points, "boxes": [], "vectors": vectors}
    pairs = [
        (
            runhue.Object3D.from_file(io.StringIO("v 0 0 0"), "obj"),
            runhue.Object3D(io.StringIO("v 0 0 0"), file_type="obj"),
        ),
        (runhue.Object3D.from_numpy(points), runhue.Object3D(points)),
        (runhue.Object3D.from_point_cloud(points.tolist(), [], vectors), runhue.Object3D(scene)),
    ]
    for number, (one, other) in enumerate(pairs):
        assert stored(tmp_path / f"{number}a", one)[0] == stored(tmp_path / f"{number}b", other)[0]


def test_figures_by_name(tmp_path: Path) -> None:
    """Plotly(figure) is stored as the figure itself is, of either library; a picture only on request."""
    interactive = matplotlib.figure.Figure()
    interactive.add_subplot().plot([1, 2], [3, 4])
    picture = matplotlib.figure.Figure()
    picture.add_subplot().imshow(np.zeros((2, 2)))

    for number, figure in enumerate((go.Figure(go.Scatter(y=[1, 2])), interactive)):
        named, _ = stored(tmp_path / f"{number}a", runhue.Plotly(figure))
        assert named["_type"] == "plotly-file"
        assert named == stored(tmp_path / f"{number}b", figure)[0]
    media = runhue.Plotly.make_plot_media(picture)
    assert stored(tmp_path / "c", media)[0]["_type"] == "image-file"
    with pytest.raises(ValueError, match=r"no interactive form, .* log runhue.Image of it"):
        runhue.Plotly(picture)


def test_a_graph_is_its_nodes_and_edges(tmp_path: Path) -> None:
    """Nodes with what is known of them, and edges by id, are in the file."""
    graph = runhue.Graph()
    first = graph.add_node(id="conv", name="Conv2D", size=(3, 3), num_parameters=np.int64(9))
    graph.add_node(id=2)
    graph.add_edge(first, 2)

    value, logged = stored(tmp_path, graph)
    assert value["_type"] == "graph-file"
    assert value["path"].startswith("media/graph/key_0_")
    assert json.loads(logged.files[value["path"]]) == {
        "format": "keras",
        "nodes": [
            {"name": "Conv2D", "id": "conv", "size": [3, 3], "num_parameters": 9},
            {"name": None, "id": 2},
        ],
        "edges": [["conv", 2]],
    }
    assert (graph["conv"], len(graph.nodes)) == (first, 2)


def test_classes_name_masks_and_boxes(tmp_path: Path) -> None:
    """Classes given once name the classes of layers that have no names of their own."""
    classes = runhue.Classes([{"id": 0, "name": "road"}, {"id": 1, "name": "car"}])
    pixels = np.zeros((2, 2), dtype=np.uint8)

    _, logged = stored(tmp_path, runhue.Image(pixels, classes=classes, masks={"m": {"mask_data": pixels}}))
    (setting,) = logged.settings.values()
    assert setting["value"] == {"0": "road", "1": "car"}


@pytest.mark.parametrize(
    ("values", "scaled", "as_they_are"), [([0.0, 1.0], [0, 255], [0, 1]), ([-1, 300], [0, 255], [0, 255])]
)
def test_values_are_scaled_unless_told_not_to(
    values: list[float], scaled: list[int], as_they_are: list[int]
) -> None:
    """normalize=False takes values as 0 to 255."""
    for normalize, expected in ((True, scaled), (False, as_they_are)):
        image = runhue.Image(np.array([values]), normalize=normalize)
        assert np.asarray(Pillow.open(io.BytesIO(image.content))).tolist() == [expected]


def test_media_nest_in_dicts_and_lists(tmp_path: Path) -> None:
    """A media value within dicts is stored there, one of a list of several types too."""
    pixels = np.zeros((2, 2), dtype=np.uint8)
    row = log(tmp_path, {"a": {"b": {"c": runhue.Image(pixels)}, "l": [runhue.Html("x"), 1]}}).rows[0][1]
    assert row["a"]["b"]["c"]["_type"] == "image-file"
    assert [row["a"]["l"][0]["_type"], row["a"]["l"][1]] == ["html-file", 1]


def test_columns_have_types_when_told(tmp_path: Path) -> None:
    """Numbers of any library pass for int and float, None where it is optional, and anything if mixed."""
    table = runhue.Table(columns=["n", "s"], dtype=[float, str], optional=[True, False])
    table.add_data(np.float32(0.5), "a")
    table.add_data(None, "b")
    table.add_data(3, "c")
    table.cast("n", int, optional=True)
    table.add_computed_columns(lambda number, row: {"at": number, "upper": row["s"].upper()})
    assert table.data[2] == [3, "c", 2, "C"]
    assert (table.get_index(), table.index_ref(1)) == ([0, 1, 2], 1)
    runhue.Table(columns=["a"], data=[[1], ["x"]], dtype=int, allow_mixed_types=True)


def test_increments_hold_what_is_new(tmp_path: Path) -> None:
    """Each log of an incremental table stores the rows since the last one under its key."""
    table = runhue.Table(columns=["n"], log_mode="INCREMENTAL")
    with logging(tmp_path) as (run, logged):
        for number in range(3):
            table.add_data(number)
            run.log({"t": table})
        run.log({"other": table})
        run.summary["whole"] = runhue.Table(columns=["n"], data=[[1]], log_mode="INCREMENTAL")

    values = [row.get("t") or row["other"] for _, row in logged.rows]
    paths = [value["path"] for value in values]
    assert [json.loads(logged.files[path])["data"] for path in paths] == [
        [[0]],
        [[1]],
        [[2]],
        [[0], [1], [2]],
    ]
    assert [value["increment_num"] for value in values] == [0, 1, 2, 0]
    assert [value["previous_increments_paths"] for value in values] == [[], paths[:1], paths[:2], []]
    assert {(value["_type"], value["log_mode"]) for value in values} == {
        ("incremental-table-file", "INCREMENTAL")
    }
    assert [value["nrows"] for value in values] == [1, 2, 3, 3]
    assert logged.summary["whole"]["_type"] == "table-file"


def test_an_increment_that_is_refused_comes_again(tmp_path: Path) -> None:
    """Rows of a call that fails are in the next increment, and columns stay once rows are logged."""
    table = runhue.Table(columns=["n"], data=[[1]], log_mode="INCREMENTAL")
    with logging(tmp_path) as (run, logged):
        with pytest.raises(TypeError):
            run.log({"t": table, "wrong": object()})
        run.log({"t": table})
        with pytest.raises(ValueError, match="'b' must be added before an INCREMENTAL table is first logged"):
            table.add_column("b", [1])
    ((_, row),) = logged.rows
    assert json.loads(logged.files[row["t"]["path"]])["data"] == [[1]]
