"""Each media type is stored in the shape that the wandb client's history has for it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

import runhue
from tests.unit.sdk.media.logged import log, logging, stored

PIXELS = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
MASK = np.arange(24 * 32).reshape(24, 32) % 3
BOX = {"position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}, "class_id": 2}


def named(value: dict[str, Any], folder: str, key: str, extension: str) -> dict[str, Any]:
    """What a value says of its file, which must follow from the hash."""
    sha256 = value["sha256"]
    assert value["path"] == f"media/{folder}/{key}_{sha256[:20]}.{extension}"
    return {name: part for name, part in value.items() if name not in {"path", "sha256", "size"}}


def kept(value: dict[str, Any], files: dict[str, bytes]) -> bytes:
    """The bytes of the file that a value names, which must be those it describes."""
    content = files[value["path"]]
    assert hashlib.sha256(content).hexdigest() == value["sha256"]
    assert len(content) == value["size"]
    return content


def test_histogram(tmp_path: Path) -> None:
    """A histogram is inline: counts and one edge more."""
    value, logged = stored(tmp_path, runhue.Histogram([1, 2, 2, 3, 5], num_bins=2))

    assert value == {"_type": "histogram", "values": [3, 2], "bins": [1.0, 3.0, 5.0]}
    assert logged.files == {}


def test_image(tmp_path: Path) -> None:
    """An image is a PNG named by key, step and hash."""
    value, logged = stored(tmp_path, runhue.Image(PIXELS, caption="cap"), "image")

    fields = named(value, "images", "image_0", "png")
    assert fields == {"_type": "image-file", "format": "png", "width": 32, "height": 24, "caption": "cap"}
    assert kept(value, logged.files).startswith(b"\x89PNG")


def test_list_of_images(tmp_path: Path) -> None:
    """A list of images is one value with every file's name, and captions where there are any."""
    images = [runhue.Image(PIXELS, caption="a"), runhue.Image(PIXELS), runhue.Image(PIXELS + 1)]

    value, logged = stored(tmp_path, images, "images")

    names = value.pop("filenames")
    assert value == {
        "_type": "images/separated",
        "width": 32,
        "height": 24,
        "format": "png",
        "count": 3,
        "captions": ["a", None, None],
    }
    assert names[0] == names[1] != names[2]
    assert sorted(set(names)) == sorted(logged.files)


def test_masks_and_boxes(tmp_path: Path) -> None:
    """Masks are PNGs of class ids, boxes are JSON; names of classes are recorded for both."""
    image = runhue.Image(
        PIXELS,
        masks={"pred": {"mask_data": MASK, "class_labels": {0: "bg", 1: "cat", 2: "dog"}}},
        boxes={"truth": {"box_data": [BOX], "class_labels": {2: "dog"}}},
    )

    value, logged = stored(tmp_path, image, "scene")

    mask, boxes = value["masks"]["pred"], value["boxes"]["truth"]
    assert named(mask, "images/mask", "scene_0", "mask.png") == {"_type": "mask"}
    assert named(boxes, "metadata/boxes2D", "scene_0", "boxes2D.json") == {"_type": "boxes2D"}
    mask_path = tmp_path / "mask.png"
    mask_path.write_bytes(kept(mask, logged.files))
    assert (np.asarray(PillowImage.open(mask_path)) == MASK).all()
    assert json.loads(kept(boxes, logged.files)) == {"box_data": [BOX], "class_labels": {"2": "dog"}}
    assert logged.settings == {
        ("mask_classes", "scene_wandb_delimeter_pred"): {
            "type": "mask/class_labels",
            "key": "scene_wandb_delimeter_pred",
            "value": {"0": "bg", "1": "cat", "2": "dog"},
        },
        ("box_classes", "scene_wandb_delimeter_truth"): {
            "type": "bounding_box/class_labels",
            "key": "scene_wandb_delimeter_truth",
            "value": {"2": "dog"},
        },
    }


def test_lists_of_masked_images(tmp_path: Path) -> None:
    """Masks and boxes of a list stand beside each other, None where an image has none."""
    masked = runhue.Image(PIXELS, masks={"m": {"mask_data": MASK}}, boxes={"b": {"box_data": [BOX]}})

    value, logged = stored(tmp_path, [masked, runhue.Image(PIXELS)])

    assert [group and list(group) for group in value["all_masks"]] == [["m"], None]
    assert [group and list(group) for group in value["all_boxes"]] == [["b"], None]
    assert value["all_masks"][0]["m"]["path"] in logged.files
    assert logged.settings["mask_classes", "key_wandb_delimeter_m"]["value"] == {
        "0": "class_0",
        "1": "class_1",
        "2": "class_2",
    }
    assert logged.settings["box_classes", "key_wandb_delimeter_b"]["value"] == {"2": "class_2"}


def test_audio(tmp_path: Path) -> None:
    """A clip is a WAV; a list has sample rates and durations."""
    clip = runhue.Audio(np.zeros(800), sample_rate=8000, caption="hum")
    value, logged = stored(tmp_path, clip, "sound")
    assert named(value, "audio", "sound_0", "wav") == {"_type": "audio-file", "caption": "hum"}
    assert kept(value, logged.files).startswith(b"RIFF")

    several, _ = stored(tmp_path / "list", [clip, runhue.Audio(np.zeros(400), sample_rate=4000)], "sound")
    (first, second) = several.pop("audio")
    assert (first["_type"], second["_type"]) == ("audio-file", "audio-file")
    assert several == {
        "_type": "audio",
        "count": 2,
        "sampleRates": [8000, 4000],
        "durations": [0.1, 0.1],
        "captions": ["hum", ""],
    }


def test_video(tmp_path: Path) -> None:
    """Frames are a GIF with the size of a frame."""
    frames = np.zeros((3, 3, 16, 24), dtype=np.uint8)

    value, logged = stored(tmp_path, runhue.Video(frames, caption="vid"), "clip")

    fields = named(value, "videos", "clip_0", "gif")
    assert fields == {"_type": "video-file", "width": 24, "height": 16, "caption": "vid"}
    assert kept(value, logged.files).startswith(b"GIF89a")


def test_html(tmp_path: Path) -> None:
    """A page is a file; styles are put into its head unless it is told not to."""
    value, logged = stored(tmp_path, runhue.Html("<html><body>hi</body></html>"), "page")
    assert named(value, "html", "page_0", "html") == {"_type": "html-file"}
    page = kept(value, logged.files).decode()
    assert page.startswith('<html><head><base target="_blank">')
    assert page.endswith("</head><body>hi</body></html>")

    for words in ("see page.html", "<a>page.html", "page"):
        assert runhue.Html(words, inject=False).html == words
    assert runhue.Html("page.html", inject=False, data_is_not_path=True).html == "page.html"
    plain, logged = stored(tmp_path / "plain", runhue.Html("<p>hi</p>", inject=False))
    assert kept(plain, logged.files) == b"<p>hi</p>"


def test_molecule_and_models(tmp_path: Path) -> None:
    """Files of structures and models are kept as they are, with their extension."""
    for name, made, folder, kind in (
        ("a.pdb", runhue.Molecule, "molecule", "molecule-file"),
        ("a.glb", runhue.Object3D, "object3D", "object3D-file"),
        ("a.pts.json", runhue.Object3D, "object3D", "object3D-file"),
    ):
        (tmp_path / name).write_bytes(b"[]")
        value, logged = stored(tmp_path / f"run-{name}", made(tmp_path / name))
        assert named(value, folder, "key_0", name.partition(".")[2]) == {"_type": kind}
        assert kept(value, logged.files) == b"[]"


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_point_clouds(tmp_path: Path, columns: int) -> None:
    """Points are a list of lists, every one of them."""
    points = np.ones((5, columns))

    value, logged = stored(tmp_path, runhue.Object3D(points), "cloud")

    assert named(value, "object3D", "cloud_0", "pts.json") == {"_type": "object3D-file"}
    assert json.loads(kept(value, logged.files)) == points.tolist()


def test_lidar_scene(tmp_path: Path) -> None:
    """A scene has points, boxes and vectors; colors beyond 255 are cut off."""
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    scene = {
        "type": "lidar/beta",
        "points": np.array([[0.4, 1, 1.3], [1, 1, 1]]),
        "boxes": np.array([{"corners": corners, "label": "Box", "color": [123, 321, 111]}]),
        "vectors": [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}],
    }

    value, logged = stored(tmp_path, runhue.Object3D(scene))

    assert json.loads(kept(value, logged.files)) == {
        "type": "lidar/beta",
        "points": [[0.4, 1.0, 1.3], [1.0, 1.0, 1.0]],
        "boxes": [{"corners": corners, "label": "Box", "color": [123, 255, 111]}],
        "vectors": [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}],
    }


def test_table_with_media(tmp_path: Path) -> None:
    """A table is a JSON file; a cell with an image holds what history would have for it."""
    table = runhue.Table(columns=["n", "picture"], data=[[1, runhue.Image(PIXELS)], [float("nan"), None]])

    value, logged = stored(tmp_path, table, "examples")

    fields = named(value, "table", "examples_0", "table.json")
    assert fields == {"_type": "table-file", "ncols": 2, "nrows": 2, "log_mode": "IMMUTABLE"}
    content = json.loads(kept(value, logged.files))
    assert content["columns"] == ["n", "picture"]
    (one, picture), (gap, nothing) = content["data"]
    assert one == 1
    assert gap != gap  # NaN
    assert nothing is None
    assert picture["_type"] == "image-file"
    assert picture["path"] in logged.files


def test_large_arrays(tmp_path: Path) -> None:
    """An array of more than 32 numbers becomes a histogram of 32 bins, a smaller one stays a list."""
    row = log(tmp_path, {"small": np.arange(6).reshape(2, 3), "large": np.arange(1000)}).rows[0][1]

    assert row["small"] == [[0, 1, 2], [3, 4, 5]]
    assert row["large"]["_type"] == "histogram"
    assert (len(row["large"]["values"]), len(row["large"]["bins"])) == (32, 33)
    assert sum(row["large"]["values"]) == 1000


def test_summary_media(tmp_path: Path) -> None:
    """Media set in the summary have no step in their name."""
    with logging(tmp_path) as (run, logged):
        run.summary["img"] = runhue.Image(PIXELS)
        run.summary.update({"gradients": runhue.Histogram(np_histogram=([1, 2], [0, 1, 2]))})

    assert logged.summary["img"]["path"].startswith("media/images/img_summary_")
    assert logged.summary["gradients"] == {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    assert list(logged.files) == [logged.summary["img"]["path"]]


def test_summary_arrays(tmp_path: Path) -> None:
    """An array in the summary is kept whole as .npy, and stands there as its statistics."""
    array = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100)

    with logging(tmp_path) as (run, logged):
        run.summary["t"] = array

    value = logged.summary["t"]
    assert (value["_type"], value["size"], value["shape"]) == ("numpy.ndarray", 1000, [10, 100])
    assert (value["min"], value["max"], value["dtype"]) == (0.0, 1.0, "float32")
    for name, expected in (("mean", 0.5), ("25%", 0.25), ("50%", 0.5), ("90%", 0.9), ("var", array.var())):
        assert value[name] == pytest.approx(float(expected), abs=1e-6)
    content = logged.files[value["path"]]
    assert len(content) == value["bytes"]
    (tmp_path / "t.npy").write_bytes(content)
    assert (np.load(tmp_path / "t.npy") == array).all()
