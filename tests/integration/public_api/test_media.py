"""Media logged by a training script, read back through `Api()` from a real stack."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage

import runhue
from runhue._public_api import Run
from tests.integration.public_api.running import Lab, until

PIXELS = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
MASK = np.arange(24 * 32).reshape(24, 32) % 3


def everything(folder: Path) -> dict[str, Any]:
    """One of each that can be logged."""
    (folder / "photo.jpg").write_bytes(jpeg())
    (folder / "a.pdb").write_text("ATOM")
    (folder / "a.glb").write_bytes(b"glTF")
    image = runhue.Image(
        PIXELS,
        caption="a scene",
        masks={"pred": {"mask_data": MASK, "class_labels": {0: "bg", 1: "cat", 2: "dog"}}},
        boxes={"b": {"box_data": [{"position": {"middle": [0.5, 0.5], "width": 0.1, "height": 0.1}}]}},
    )
    return {
        "image": image,
        "photo": runhue.Image(folder / "photo.jpg"),
        "images": [image, runhue.Image(PIXELS)],
        "histogram": runhue.Histogram(np_histogram=([1, 2], [0.0, 0.5, 1.0])),
        "large": np.arange(1000),
        "sound": [runhue.Audio(np.zeros(80), sample_rate=8000, caption="quiet")],
        "clip": runhue.Video(np.zeros((2, 3, 8, 8), dtype=np.uint8)),
        "table": runhue.Table(columns=["n", "image"], data=[[1, image], [2, None]]),
        "page": runhue.Html("<b>hi</b>"),
        "molecule": runhue.Molecule(folder / "a.pdb"),
        "model": runhue.Object3D(folder / "a.glb"),
        "cloud": runhue.Object3D(np.ones((4, 6))),
        "nested": {"deep key": {"image": image}},
    }


def jpeg() -> bytes:
    content = io.BytesIO()
    PillowImage.fromarray(PIXELS).save(content, format="JPEG")
    return content.getvalue()


def named_files(value: Any) -> list[tuple[str, str]]:  # a stored value
    """(path, sha256) of every file that a value names, lists of paths without a hash."""
    if isinstance(value, dict):
        own = [(value["path"], value["sha256"])] if "path" in value else []
        paths = [(path, "") for path in value.get("filenames", [])]
        return own + paths + [file for part in value.values() for file in named_files(part)]
    if isinstance(value, list):
        return [file for part in value for file in named_files(part)]
    return []


@pytest.fixture
def logged(lab: Lab, project: str, tmp_path: Path) -> Run:
    """A run with a row of everything, and media in its summary."""
    with runhue.init(project=project, id="r", settings=lab.settings()) as run:
        run.log({"loss": 1.0})
        run.log(everything(tmp_path))
        run.summary["best"] = runhue.Image(PIXELS)
        run.summary["weights"] = np.linspace(0, 1, 1000)
    found = until(lambda: complete(lab, f"{project}/r"))
    assert found is not None
    return found


def complete(lab: Lab, path: str) -> Run | None:
    run = lab.api.run(path)
    return run if "weights" in run.summary and "cloud" in run.summary else None


def test_every_named_file_is_there_byte_for_byte(logged: Run) -> None:
    """Each path in history and summary is a file of the run whose bytes have the hash that the row says."""
    row = list(logged.scan_history())[-1]
    files = {file.path: file for file in logged.files()}

    named = named_files(row) + named_files(dict(logged.summary))

    assert len(named) > 25
    assert {path for path, _ in named} <= set(files)
    for path, sha256 in named:
        assert sha256 in {"", files[path].sha256}
    for file in files.values():
        assert len(file.read()) == file.size


def test_stored_forms_come_back(logged: Run, tmp_path: Path) -> None:
    """History has the stored form of each type; the files hold what was logged."""
    row = list(logged.scan_history())[-1]

    kinds = {key: value["_type"] for key, value in row.items() if isinstance(value, dict)}
    assert kinds == {
        "image": "image-file",
        "photo": "image-file",
        "images": "images/separated",
        "histogram": "histogram",
        "large": "histogram",
        "sound": "audio",
        "clip": "video-file",
        "table": "table-file",
        "page": "html-file",
        "molecule": "molecule-file",
        "model": "object3D-file",
        "cloud": "object3D-file",
        "nested.deep key.image": "image-file",
    }
    assert row["histogram"] == {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.5, 1.0]}
    assert logged.file(row["photo"]["path"]).read() == jpeg()
    assert logged.file(row["photo"]["path"]).mimetype == "image/jpeg"
    assert row["nested.deep key.image"]["path"].startswith("media/images/image_1_")
    picture = PillowImage.open(io.BytesIO(logged.file(row["image"]["path"]).read()))
    assert (np.asarray(picture) == PIXELS).all()
    mask = PillowImage.open(io.BytesIO(logged.file(row["image"]["masks"]["pred"]["path"]).read()))
    assert (np.asarray(mask) == MASK).all()
    table = json.loads(logged.file(row["table"]["path"]).read())
    assert table["data"][0][1]["caption"] == "a scene"


def test_summary_media_come_back(logged: Run, tmp_path: Path) -> None:
    """The summary has an image without a step in its name, and an array as statistics and file."""
    assert logged.summary["best"]["path"].startswith("media/images/best_summary_")
    weights = logged.summary["weights"]
    assert (weights["min"], weights["max"], weights["size"]) == (0.0, 1.0, 1000)
    path = logged.file(weights["path"]).download(tmp_path / "down")
    assert (np.load(path) == np.linspace(0, 1, 1000)).all()


def test_class_names_come_back(lab: Lab, logged: Run) -> None:
    """Names of the classes of masks and boxes can be read by the key of their image."""
    url = f"{lab.stack.api_url}/api/v1/projects/{logged.team}/{logged.project}/runs/r/class-labels"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {lab.stack.api_key}"})

    labels = {(one["kind"], one["key"], one["name"]): one["labels"] for one in answer.json()["class_labels"]}
    for key in ("image", "images", "nested.deep key.image"):
        assert labels["mask", key, "pred"] == {"0": "bg", "1": "cat", "2": "dog"}
