"""What becomes of arrays, pictures, files and figures as images."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image as PillowImage

import runhue
from tests.unit.sdk.media.logged import log, logging

mpl.use("agg")
from matplotlib import pyplot as plt  # the backend comes first


class Tensor:
    """What a torch tensor on an accelerator offers: channels first, and no array without `detach().cpu()`."""

    def __init__(self, array: Any, is_detached: bool = False) -> None:  # numpy.ndarray
        self._array = array
        self._is_detached = is_detached
        self.shape = array.shape

    def detach(self) -> "Tensor":
        return Tensor(self._array, is_detached=True)

    def cpu(self) -> "Tensor":
        return self

    def numpy(self) -> Any:  # numpy.ndarray
        assert self._is_detached
        return self._array


Tensor.__module__ = "torch"


def pixels(image: runhue.Image) -> Any:  # numpy.ndarray
    return np.asarray(PillowImage.open(io.BytesIO(image.content)))


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((4, 6), "L"),
        ((4, 6, 1), "L"),
        ((1, 4, 6), "L"),
        ((4, 6, 3), "RGB"),
        ((4, 6, 4), "RGBA"),
        ((1, 4, 6, 3), "RGB"),
        ((1, 6, 3), "RGB"),
    ],
)
def test_channels_tell_the_mode(shape: tuple[int, ...], mode: str) -> None:
    """Grey, RGB and RGBA arrays keep every pixel; axes of length 1 in front do not matter."""
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)

    image = runhue.Image(array)

    assert PillowImage.open(io.BytesIO(image.content)).mode == mode
    assert (pixels(image).ravel() == array.ravel()).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [[0, 127, 255]]),
        (np.array([[0.0, 128.7, 255.0]]), [[0, 128, 255]]),
        (np.array([[-1.0, 0.0, 1.0]]), [[0, 127, 255]]),
        (np.array([[0.0, 300.0, 20.0]]), [[0, 255, 20]]),
        (np.array([[np.nan, np.inf, 1.0]]), [[0, 255, 255]]),
        (np.array([[True, False, True]]), [[255, 0, 255]]),
        (np.array([[0, 1, 255]], dtype=np.int64), [[0, 1, 255]]),
        (np.array([[0, 1, 1]], dtype=np.uint8), [[0, 1, 1]]),
        (np.array([[0, 1, 70_000]]), [[0, 1, 255]]),
        (np.array([[0.0, 1.0, 0.25]], dtype=np.float16), [[0, 255, 63]]),
    ],
)
def test_values_become_0_to_255(values: Any, expected: list[list[int]]) -> None:
    """Floats of at most 1 are scaled, negative values spread, the rest is cut off; uint8 stays."""
    assert pixels(runhue.Image(values)).tolist() == expected


def test_tensors_have_their_channels_first() -> None:
    """A torch tensor (channels, height, width) gives the picture that it is."""
    array = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)

    image = runhue.Image(Tensor(array))

    assert (image.width, image.height) == (6, 4)
    assert (pixels(image) == array.transpose(1, 2, 0)).all()


def test_a_mode_converts() -> None:
    """`mode` turns an RGB array into grey as pillow does."""
    array = np.zeros((2, 2, 3), dtype=np.uint8)
    array[..., 1] = 255

    assert pixels(runhue.Image(array, mode="L")).tolist() == [[150, 150], [150, 150]]


def test_files_stay_as_they_are(tmp_path: Path) -> None:
    """A JPEG given by path is stored byte for byte, as a JPEG."""
    path = tmp_path / "photo.JPG"
    PillowImage.fromarray(np.zeros((8, 9, 3), dtype=np.uint8)).save(path, format="JPEG")

    image = runhue.Image(str(path))

    assert (image.content, image.format) == (path.read_bytes(), "jpg")
    assert (image.width, image.height) == (9, 8)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"holds no image that can be read: png, jpg, .* are taken"):
        runhue.Image(tmp_path / "text.png")


def test_drawings_stay_as_they_are(tmp_path: Path) -> None:
    """An SVG is stored byte for byte, without a size in pixels, alone and in a list."""
    path = tmp_path / "drawing.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>')

    logged = log(tmp_path, {"one": runhue.Image(path), "two": [runhue.Image(str(path))] * 2})

    one, two = logged.rows[0][1]["one"], logged.rows[0][1]["two"]
    assert (logged.files[one["path"]], one["format"]) == (path.read_bytes(), "svg")
    assert not {"width", "height"} & (one.keys() | two.keys())
    assert (two["count"], two["format"]) == (2, "svg")
    path.write_text("no drawing")
    with pytest.raises(ValueError, match=r"drawing\.svg holds no <svg> element"):
        runhue.Image(path)


def test_layers_that_look_wrong_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mask of another size and boxes in pixels that are said to be fractions are stored, with a warning."""
    wide = {"minX": 10, "maxX": 40, "minY": 20, "maxY": 30}
    right = [
        {"position": {"minX": 0, "maxX": 1.01, "minY": 0, "maxY": 0.5}},
        {"position": wide, "domain": "pixel"},
    ]
    picture = np.zeros((8, 8), dtype=np.uint8)

    def image(mask: Any, boxes: list[Any]) -> runhue.Image:
        return runhue.Image(picture, masks={"m": {"mask_data": mask}}, boxes={"b": {"box_data": boxes}})

    with logging(tmp_path, silent=False) as (run, _):
        run.log({"scene": image(picture, right)})
        assert "scene" not in capsys.readouterr().err
        run.log({"scene": image(picture[:4], [{"position": wide}])})

    said = capsys.readouterr().err
    assert "scene: masks['m'] has another width or height than the image" in said
    assert "scene: boxes['b'] has positions far beyond 1" in said


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F"])
@pytest.mark.parametrize("file_type", ["png", "jpg", "bmp"])
def test_every_pillow_mode_can_be_written(mode: str, file_type: str) -> None:
    """A picture of any mode is stored in any type, converted where the type has no such mode."""
    picture = PillowImage.new(mode, (5, 3))

    image = runhue.Image(picture, file_type=file_type)

    assert image.format == file_type
    assert PillowImage.open(io.BytesIO(image.content)).size == (5, 3)


def test_the_same_picture_gives_the_same_bytes() -> None:
    """Encoding is deterministic, and leaves out what a reader put into the picture."""
    array = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    picture = PillowImage.fromarray(array)
    picture.info = {"dpi": (72, 72), "icc_profile": b"x", "transparency": (1, 2, 3)}

    assert runhue.Image(array).content == runhue.Image(array.copy()).content
    assert runhue.Image(picture).content == runhue.Image(array).content


def test_later_changes_do_not_matter() -> None:
    """An image holds what the array held when it was made."""
    array = np.zeros((4, 4), dtype=np.uint8)
    image = runhue.Image(array)

    array[:] = 255

    assert (pixels(image) == 0).all()


def test_figures_become_pictures() -> None:
    """A figure, its axes and pyplot are drawn."""
    figure, axes = plt.subplots()
    axes.plot([1, 2])

    sizes = {(runhue.Image(drawn).width, runhue.Image(drawn).height) for drawn in (figure, axes, plt)}

    assert sizes == {tuple(int(side) for side in figure.canvas.get_width_height())}
    plt.close(figure)


def test_an_image_of_an_image(tmp_path: Path) -> None:
    """An image made of another one has its picture and caption, not its masks and boxes."""
    mask = {"m": {"mask_data": np.zeros((2, 2), dtype=np.uint8)}}
    first = runhue.Image(np.zeros((2, 2)), caption="first", masks=mask)

    copy, renamed = runhue.Image(first), runhue.Image(first, caption="second")

    assert (copy.content, copy.caption, renamed.caption) == (first.content, "first", "second")


def test_masks_by_path_and_shared_classes(tmp_path: Path) -> None:
    """A mask's file of ids is kept; `classes` names those of masks and boxes without labels."""
    ids = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    PillowImage.fromarray(ids).save(tmp_path / "mask.png")
    PillowImage.fromarray(ids).save(tmp_path / "mask.bmp")
    image = runhue.Image(
        ids,
        classes=[{"id": 1, "name": "car"}],
        masks={"png": {"path": str(tmp_path / "mask.png")}, "bmp": {"path": tmp_path / "mask.bmp"}},
        boxes={"b": {"box_data": [{"position": {"middle": [0.5, 0.5], "width": 1, "height": 1}}]}},
    )

    assert image.masks[0].content == (tmp_path / "mask.png").read_bytes()
    assert (np.asarray(PillowImage.open(io.BytesIO(image.masks[1].content))) == ids).all()
    assert [mask.labels for mask in image.masks] == [{"1": "car"}] * 2
    assert image.boxes[0].labels == {"1": "car"}


def test_boxes_keep_what_they_were_given() -> None:
    """Scores, captions, domains and further fields of a box are stored, numpy's numbers as plain ones."""
    box = {
        "position": {"middle": [np.float32(0.5), 20], "width": np.int64(68), "height": 112},
        "domain": "pixel",
        "class_id": np.int32(3),
        "box_caption": "a car",
        "scores": {"acc": np.float64(0.5)},
        "track": 7,
    }

    image = runhue.Image(np.zeros((4, 4)), boxes={"b": {"box_data": (box,)}})

    assert image.boxes[0].boxes == [
        {
            "position": {"middle": [0.5, 20], "width": 68, "height": 112},
            "domain": "pixel",
            "class_id": 3,
            "box_caption": "a car",
            "scores": {"acc": 0.5},
            "track": 7,
        }
    ]
    assert image.boxes[0].labels == {"3": "class_3"}
