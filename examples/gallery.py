"""Logs one of everything that can be logged: media, tables, charts, tensors.

python examples/gallery.py                  # with runhue
python examples/gallery.py --client wandb   # with the official client; WANDB_BASE_URL says where to

What a client or this machine lacks is skipped, and said to be. Samples are made or lie in `samples/`.
"""

import argparse
import io
import itertools
import shutil
import struct
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

# Beside this script, which is where Python looks for it.
from gallery_samples import (  # type: ignore[import-not-found]  # mypy knows it by another name
    SAMPLES,
    SIZE,
    SOUND_RATE,
    Gallery,
    figure,
    gif,
    glb,
    mmtf,
)

Value = Any
"""What can be logged; its types are the client's, whichever that is."""


class Item(NamedTuple):
    """One thing to log under `key`, and the libraries that runhue (`needs`) and wandb want for it."""

    key: str
    make: Callable[[Gallery], Value]
    needs: str
    wandb_needs: str | None


ITEMS: list[Item] = []
Maker = Callable[[Gallery], Value]


def item(key: str, needs: str = "", wandb: str | None = "") -> Callable[[Maker], Maker]:
    """Have the function make what is logged under `key`; with `wandb` None that client has no such call."""

    def note(make: Maker) -> Maker:
        ITEMS.append(Item(key, make, needs, None if wandb is None else f"{needs} {wandb}"))
        return make

    return note


@item("histogram/of_a_sequence", needs="numpy")
def _(gallery: Gallery) -> Value:
    return gallery.client.Histogram(gallery.np.random.default_rng(0).normal(size=500))


@item("histogram/counted_before", needs="numpy")
def _(gallery: Gallery) -> Value:
    return gallery.client.Histogram(np_histogram=gallery.np.histogram([1, 2, 2, 3, 3, 3], bins=3))


@item("image/grey", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(gallery.pixels(1), caption="one channel")


@item("image/rgb", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(gallery.pixels(3), caption="three channels")


@item("image/rgba", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(gallery.pixels(4), caption="with alpha")


@item("image/pil", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(import_module("PIL.Image").fromarray(gallery.pixels(3)).rotate(90))


@item("image/jpeg", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(gallery.picture_file("waves.jpg"), caption="a file stays as it is")


@item("image/as_jpeg", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(gallery.pixels(3), file_type="jpg")


@item("image/list", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return [gallery.client.Image(gallery.pixels(3, at), caption=f"shifted by {at}") for at in range(4)]


@item("image/masks", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    y, x = gallery.np.mgrid[0:SIZE, 0:SIZE]
    names = {0: "sky", 1: "car", 2: "road"}
    truth = (x > SIZE / 2).astype(gallery.np.uint8) + (y > SIZE / 2)
    layers = {"truth": {"mask_data": truth, "class_labels": names}}
    layers["predictions"] = {"mask_data": gallery.np.roll(truth, 5), "class_labels": names}
    return gallery.client.Image(gallery.pixels(3), masks=layers)


@item("image/boxes", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    corners = {"minX": 0.1, "maxX": 0.4, "minY": 0.2, "maxY": 0.7}
    middle = {"middle": [30, 20], "width": 16, "height": 12}
    boxes = [
        {"position": corners, "class_id": 1, "box_caption": "car", "scores": {"acc": 0.9}},
        {"position": middle, "domain": "pixel", "class_id": 2, "box_caption": "road", "scores": {"acc": 0.4}},
    ]
    return gallery.client.Image(
        gallery.pixels(3), boxes={"predictions": {"box_data": boxes, "class_labels": {1: "car", 2: "road"}}}
    )


@item("image/of_a_figure", needs="numpy PIL matplotlib")
def _(gallery: Gallery) -> Value:
    return gallery.client.Image(figure(), caption="a figure as a picture")


@item("audio/samples", needs="numpy", wandb="soundfile")
def _(gallery: Gallery) -> Value:
    return gallery.client.Audio(gallery.sound(), sample_rate=SOUND_RATE, caption="the note a")


@item("audio/file", wandb="soundfile")
def _(gallery: Gallery) -> Value:
    content = io.BytesIO()
    with wave.open(content, "wb") as clip:
        clip.setparams((1, 2, SOUND_RATE, 0, "NONE", ""))
        clip.writeframes(b"".join(struct.pack("<h", at * 997 % 20_000) for at in range(1_600)))
    return gallery.client.Audio(gallery.file("saw.wav", content.getvalue()), caption="a file")


@item("audio/list", needs="numpy", wandb="soundfile")
def _(gallery: Gallery) -> Value:
    return [gallery.client.Audio(gallery.sound(pitch), sample_rate=SOUND_RATE) for pitch in (262, 330, 392)]


@item("video/frames", needs="numpy PIL", wandb="moviepy imageio")
def _(gallery: Gallery) -> Value:
    return gallery.client.Video(gallery.frames(), fps=4, format="gif", caption="eight frames")


@item("video/batch", needs="numpy imageio_ffmpeg", wandb="moviepy")
def _(gallery: Gallery) -> Value:
    return gallery.client.Video(gallery.np.stack([gallery.frames()] * 4), fps=4, format="mp4")


@item("video/file", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Video(gallery.file("clip.gif", gif(gallery)), caption="a file")


@item("video/bytes", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    return gallery.client.Video(io.BytesIO(gif(gallery)), format="gif")


@item("table/texts")
def _(gallery: Gallery) -> Value:
    table = gallery.client.Table()
    table.add_data("I love my phone", "1", "1")
    table.add_data("My phone sucks", "0", "-1")
    return table


@item("table/with_media", needs="numpy PIL")
def _(gallery: Gallery) -> Value:
    table = gallery.client.Table(columns=["number", "picture"])
    for at in range(3):
        table.add_data(at, gallery.client.Image(gallery.pixels(3, at)))
    table.add_column("score", [0.5, 0.25, 0.125])
    return table


@item("table/frame", needs="numpy pandas")
def _(_: Gallery) -> Value:
    return import_module("pandas").DataFrame({"x": [1, 2, 3], "y": [0.5, None, 1.5], "word": ["a", "b", "c"]})


@item("table/incremental")
def _(gallery: Gallery) -> Value:
    return gallery.client.Table(columns=["step", "seen"], data=[[0, 32], [1, 64]], log_mode="INCREMENTAL")


@item("html/text")
def _(gallery: Gallery) -> Value:
    return gallery.client.Html('<a href="https://example.org">A link</a> and <b>bold words</b>')


@item("html/file")
def _(gallery: Gallery) -> Value:
    return gallery.client.Html(str(SAMPLES / "page.html"), inject=False)


MOLECULES = {"pdb": "pdb", "pqr": "pqr", "mmcif": "cif", "mcif": "cif", "cif": "cif"}
MOLECULES |= {"sdf": "sdf", "sd": "sdf", "gro": "gro", "mol2": "mol2"}
"""Formats by the ending of the sample that is of it."""


def _molecule(ending: str) -> Maker:
    def make(gallery: Gallery) -> Value:
        content = (SAMPLES / f"water.{MOLECULES[ending]}").read_bytes() if ending != "mmtf" else mmtf()
        return gallery.client.Molecule(gallery.file(f"water.{ending}", content), caption=f"water as {ending}")

    return make


for _ending in (*MOLECULES, "mmtf"):
    item(f"molecule/{_ending}")(_molecule(_ending))


@item("molecule/list")
def _(gallery: Gallery) -> Value:
    return [gallery.client.Molecule(str(SAMPLES / f"water.{ending}")) for ending in ("pdb", "sdf")]


@item("object/obj")
def _(gallery: Gallery) -> Value:
    return gallery.client.Object3D(str(SAMPLES / "pyramid.obj"))


@item("object/gltf")
def _(gallery: Gallery) -> Value:
    return gallery.client.Object3D(str(SAMPLES / "pyramid.gltf"))


@item("object/glb")
def _(gallery: Gallery) -> Value:
    return gallery.client.Object3D(gallery.file("pyramid.glb", glb()))


@item("points/places", needs="numpy")
def _(gallery: Gallery) -> Value:
    return gallery.client.Object3D(gallery.points())


@item("points/categories", needs="numpy")
def _(gallery: Gallery) -> Value:
    categories = 1 + gallery.np.arange(400) * 14 // 400
    return gallery.client.Object3D(gallery.np.column_stack([gallery.points(), categories]))


@item("points/colors", needs="numpy")
def _(gallery: Gallery) -> Value:
    colors = gallery.np.random.default_rng(0).integers(0, 256, (400, 3))
    return gallery.client.Object3D(gallery.np.column_stack([gallery.points(), colors]))


@item("points/lidar", needs="numpy")
def _(gallery: Gallery) -> Value:
    corners = [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (0, 2)]
    scene = {
        "type": "lidar/beta",
        "points": gallery.points(),
        "boxes": gallery.np.array([{"corners": corners, "label": "spiral", "color": [123, 21, 111]}]),
        "vectors": gallery.np.array([{"start": [0, 0, 0], "end": [0.5, 0.5, 2]}]),
    }
    return gallery.client.Object3D(scene)


@item("figure/plotly", needs="plotly")
def _(_: Gallery) -> Value:
    figures = import_module("plotly.graph_objects")
    return figures.Figure(figures.Scatter(x=[1, 2, 3], y=[4, 1, 9]))


@item("figure/matplotlib", needs="matplotlib", wandb="plotly")
def _(_: Gallery) -> Value:
    return figure()


@item("chart/line")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.line(gallery.table(), "step", "height", stroke="plant", title="Two plants")


@item("chart/scatter")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.scatter(gallery.table(), "step", "height", title="Points")


@item("chart/bar")
def _(gallery: Gallery) -> Value:
    table = gallery.client.Table(columns=["plant", "height"], data=[["fern", 4.4], ["moss", 2.2]])
    return gallery.client.plot.bar(table, "plant", "height", title="Bars")


@item("chart/histogram")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.histogram(gallery.table(), "height", title="Heights")


@item("chart/line_series")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.line_series(
        [0, 1, 2, 3], [[1, 2, 4, 8], [1, 3, 9, 27]], keys=["twos", "threes"], title="Powers", xname="power"
    )


TRUTH = [0, 0, 1, 1, 2, 2, 0, 1]
SCORES = [[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]
SCORES += [[0.1, 0.2, 0.7], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1], [0.1, 0.6, 0.3]]
NAMES = ["cat", "dog", "bird"]


@item("chart/pr_curve", wandb="numpy sklearn pandas")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.pr_curve(TRUTH, SCORES, labels=NAMES)


@item("chart/roc_curve", wandb="numpy sklearn pandas")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.roc_curve(TRUTH, SCORES, labels=NAMES, classes_to_plot=[0, 1])


@item("chart/confusion_matrix", wandb="numpy")
def _(gallery: Gallery) -> Value:
    return gallery.client.plot.confusion_matrix(probs=SCORES, y_true=TRUTH, class_names=NAMES)


@item("chart/preset")
def _(gallery: Gallery) -> Value:
    fields = {"x": "step", "y": "height"}
    return gallery.client.plot_table("wandb/scatter/v0", gallery.table(), fields, {"title": "By its name"})


@item("chart/heatmap_of_2020", wandb=None)
def _(gallery: Gallery) -> Value:
    return gallery.client.plots.HeatMap(["a", "b"], ["x", "y"], [[1, 2], [3, 4]], show_text=True)


@item("chart/roc_of_2020", wandb=None)
def _(gallery: Gallery) -> Value:
    return gallery.client.plots.ROC(TRUTH, SCORES, NAMES)


@item("chart/pr_of_2020", wandb=None)
def _(gallery: Gallery) -> Value:
    return gallery.client.plots.precision_recall(TRUTH, SCORES, NAMES)


@item("graph")
def _(gallery: Gallery) -> Value:
    graph = gallery.client.Graph()
    nodes = [graph.add_node(id=name, name=name, class_name="Dense") for name in ("input", "hidden", "output")]
    for one, other in itertools.pairwise(nodes):
        graph.add_edge(one, other)
    return graph


def missing(needs: str | None) -> str | None:
    """Why an item cannot be made; None when it can."""
    if needs is None:
        return "the wandb client has no such call"
    absent = [name for name in needs.split() if find_spec(name) is None]
    return f"needs {', '.join(absent)}" if absent else None


def makeable(is_wandb: bool) -> Iterator[Item]:
    """The items that can be logged here; the others are said to be skipped."""
    for one in ITEMS:
        reason = missing(one.wandb_needs if is_wandb else one.needs)
        if reason is None:
            yield one
        else:
            print(f"skipped {one.key}: {reason}")


def log_gallery(client: Any, project: str, run_id: str | None, folder: Path) -> str:  # one of two modules
    """Log everything; the run's path."""
    gallery = Gallery(client, folder)
    with client.init(project=project, id=run_id, name="gallery", job_type="gallery") as run:
        for number, one in enumerate(makeable(client.__name__ == "wandb")):
            try:
                value = one.make(gallery)
            except (TypeError, ValueError) as error:  # an old client, or one beside a new library
                print(f"skipped {one.key}: {client.__name__} {client.__version__} refuses it: {error}")
                continue
            run.log({one.key: value, "logged": number})
            print(f"logged {one.key}")
        if gallery.np is not None:
            _over_steps(gallery, run)
            _in_summary(gallery, run)
        return str(run.path)


def _over_steps(gallery: Gallery, run: Any) -> None:  # a Run of either client
    """Distributions that drift, and what only a run of several steps shows."""
    random = gallery.np.random.default_rng(1)
    for step in range(10):
        drifting = random.normal(step / 5, 1 + step / 10, 400)
        run.log({"steps/weights": gallery.client.Histogram(drifting), "steps/gradients": drifting})


def _in_summary(gallery: Gallery, run: Any) -> None:  # a Run of either client
    """An array with its statistics, and a histogram, of the run as a whole."""
    values = gallery.np.random.default_rng(2).random((30, 40))
    run.summary["tensor"] = values
    run.summary.update({"distribution": gallery.client.Histogram(values.ravel())})
    print("logged tensor\nlogged distribution")


def main() -> None:
    parser = argparse.ArgumentParser(description="Log one of everything.")
    parser.add_argument("--client", choices=("runhue", "wandb"), default="runhue")
    parser.add_argument("--project", default="gallery")
    parser.add_argument("--id", help="the run's id; a new one by default")
    asked = parser.parse_args()
    with suppress(ImportError):
        import_module("matplotlib").use("agg")
    folder = Path(tempfile.mkdtemp(prefix="gallery-"))
    try:
        print(f"run {log_gallery(import_module(asked.client), asked.project, asked.id, folder)}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
