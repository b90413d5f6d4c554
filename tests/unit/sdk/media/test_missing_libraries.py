"""What an optional library brings says so when the library is not there."""

import sys
from collections.abc import Callable

import numpy as np
import pytest

import runhue
from runhue._media import libraries

PIXELS = np.zeros((4, 4), dtype=np.uint8)
FRAMES = np.zeros((2, 3, 4, 4), dtype=np.uint8)
MEDIA = r"pip install 'runhue\[media\]'"

NEEDED: list[tuple[str, Callable[[], object], str]] = [
    ("numpy", lambda: runhue.Histogram([1, 2]), MEDIA),
    ("numpy", lambda: runhue.Audio([0.0], sample_rate=8), MEDIA),
    ("numpy", lambda: runhue.Video(FRAMES), MEDIA),
    ("numpy", lambda: runhue.Object3D([[0, 0, 0]]), MEDIA),
    ("numpy", lambda: runhue.Image(PIXELS), MEDIA),
    ("numpy", lambda: runhue.Table(columns=["a"]).get_column("a", convert_to="numpy"), MEDIA),
    ("PIL.Image", lambda: runhue.Image(PIXELS), MEDIA),
    ("PIL.Image", lambda: runhue.Video(FRAMES), MEDIA),
    ("imageio_ffmpeg", lambda: runhue.Video(FRAMES, format="mp4"), MEDIA),
    ("pandas", lambda: runhue.Table(columns=["a"]).get_dataframe(), r"pip install 'runhue\[pandas\]'"),
    ("rdkit.Chem", lambda: runhue.Molecule.from_smiles("CC"), r"pip install 'runhue\[rdkit\]'"),
    ("rdkit.Chem", lambda: runhue.Molecule.from_rdkit("a.mol"), r"pip install 'runhue\[rdkit\]'"),
]


@pytest.mark.parametrize(("library", "make", "cure"), NEEDED, ids=range(len(NEEDED)))
def test_a_missing_library_names_what_brings_it(
    library: str, make: Callable[[], object], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ImportError names the library that is missing, and what pip installs for it."""
    monkeypatch.setitem(sys.modules, library, None)
    name = library.partition(".")[0]

    with pytest.raises(ImportError, match=rf"needs {name}, which is not installed: {cure}"):
        make()


def test_a_library_that_is_there_is_given() -> None:
    """What is installed is imported and returned."""
    assert libraries.library("numpy", "a test") is np


@pytest.mark.parametrize("absent", ["sklearn", "plotly", "matplotlib", "soundfile", "pandas", "rdkit"])
def test_what_does_not_need_a_library_does_without(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves, matrices, clips, tables and point clouds are made without these libraries."""
    monkeypatch.setitem(sys.modules, absent, None)

    runhue.plot.roc_curve([0, 1], [[0.4, 0.6], [0.2, 0.8]])
    runhue.plot.pr_curve([0, 1], [[0.4, 0.6], [0.2, 0.8]])
    runhue.plot.confusion_matrix(y_true=[0, 1], preds=[0, 0])
    runhue.Audio(np.zeros(4), sample_rate=8)
    runhue.Table(columns=["a"], data=[[1]])
    runhue.Object3D(np.zeros((3, 3)))
