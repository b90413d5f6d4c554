"""Every example of the documents, run by both clients: what is stored must be the same.

Where it differs on purpose the difference is in `RIGHT_DIFFERENCES`, with its reason.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from runhue_server.stack import Stack
from tests.acceptance.wandb.stored_examples import Stored, Value
from tests.wandb_clients import NEWEST, OLDEST, WandbClient

pytestmark = pytest.mark.stack

FOLDER = Path(__file__).parents[3] / "examples" / "seeds"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("s0*.py"))
OURS = "runhue"
RUN_SECONDS = 240

WITH_LIBRARIES = """
import runpy, sys
libraries, program, *arguments = sys.argv[1:]
sys.path.append(libraries)  # behind the client's own
sys.argv = [program, *arguments]
runpy.run_path(program, run_name="__main__")
"""
"""Runs a program with the libraries of these tests where the client's environment lacks them."""


def said_by(example: str, name: str) -> str | None:
    """What an example says in a constant such as ONLY_RUNHUE."""
    found = re.search(
        rf"^{name} = (.+)$", (FOLDER / f"{example}.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    return found[1] if found else None


NOT_BY = {(OLDEST, "s003_masks"): "pillow 13 refuses the form that wandb 0.19 gives to a mask"}
"""(version, example): why that version cannot run it."""

BY_BOTH = [example for example in EXAMPLES if said_by(example, "ONLY_RUNHUE") is None]


@pytest.fixture(scope="module")
def stored(
    stack: Stack, client_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stored]:
    """What all examples left, each client's in one process, all clients at once."""
    home = tmp_path_factory.mktemp("examples")
    program = str(FOLDER / "run.py")
    libraries = sysconfig.get_paths()["purelib"]
    ours = {"RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key, "RUNHUE_RUN_GROUP": OURS}
    ours |= {"RUNHUE_SILENT": "true"}
    processes = {
        OURS: subprocess.Popen(
            [sys.executable, program],
            env={"PATH": os.environ["PATH"], "TMPDIR": tempfile.gettempdir(), "HOME": str(home), **ours},
            cwd=home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    }
    for version in (NEWEST, OLDEST):
        place = tmp_path_factory.mktemp(f"examples-{version}")
        client = WandbClient(version, client_python(version), stack.api_url, stack.api_key, place)
        processes[version] = client.start(
            WITH_LIBRARIES,
            libraries,
            program,
            "--client",
            "wandb",
            *(example for example in EXAMPLES if (version, example) not in NOT_BY),
            WANDB_SILENT="true",
            WANDB_RUN_GROUP=version,
            WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL="1",
        )
    for name, process in processes.items():
        said, errors = process.communicate(timeout=RUN_SECONDS)
        assert process.returncode == 0, f"{name}: {said}\n{errors}"
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60) as http:
        yield Stored(http, http.get("/api/v1/viewer").raise_for_status().json()["team"])


Change = Callable[[str, Value], Value]
"""What becomes of a part of a value, by its name."""


def changed(value: Value, change: Change) -> Value:
    """The value with each of its named parts changed, at any depth."""
    if isinstance(value, list):
        return [changed(part, change) for part in value]
    if isinstance(value, dict):
        return {name: change(name, changed(part, change)) for name, part in value.items()}
    return value


def without(value: Value, *names: str) -> Value:
    """The value without the parts of these names, at any depth."""
    if isinstance(value, list):
        return [without(part, *names) for part in value]
    if isinstance(value, dict):
        return {name: without(part, *names) for name, part in value.items() if name not in names}
    return value


def rounded(name: str, value: Value) -> Value:
    """Rows of a table with three digits."""
    if name != "data":
        return value
    return [[round(cell, 3) if isinstance(cell, float) else cell for cell in row] for row in value]


def bare(name: str, value: Value) -> Value:
    """HTML without the styles that are put before it."""
    return re.sub(r"<base.*?>(<link.*?>|<style>.*?</style>)", "", value) if name == "content" else value


def cut(name: str, value: Value) -> Value:
    """Components of a color that are at most 255."""
    return [min(part, 255) for part in value] if name == "color" else value


def points(name: str, value: Value) -> Value:
    """Of a figure, the points and the words at its axes; nothing of a picture of one that was converted."""
    if name == "picture":
        return without(value, "content")
    if name != "content" or "layout" not in value:
        return value
    words = [value["layout"].get(axis, {}).get("title", {}).get("text", "") for axis in ("xaxis", "yaxis")]
    return {"points": [(trace["x"], trace["y"]) for trace in value["data"]], "words": words}


def statistics(name: str, value: Value) -> Value:
    """Of an array in the summary, what wandb's client says of it too."""
    if not name.startswith("tensor"):
        return value
    return {
        key: value[key] for key in ("_type", "min", "max", "mean", "var", "10%", "25%", "75%", "90%", "size")
    }


@dataclass(frozen=True)
class Difference:
    """What is right to differ in an example. `alike` makes runs the same in this, and in nothing else."""

    reason: str
    alike: Callable[[Value], Value]
    versions: tuple[str, ...] = (NEWEST, OLDEST)


RIGHT_DIFFERENCES: dict[str, Difference] = {
    "s003_audio": Difference(
        "libsndfile cuts samples where we round them: the test below compares them",
        lambda run: without(run, "content"),
    ),
    "s003_boxes": Difference(
        "the documents promise class_0, class_1... where no labels are given; the client gives none",
        lambda run: changed(
            run, lambda name, value: without(value, "class_labels") if name == "ground_truth" else value
        ),
    ),
    "s003_curves": Difference("the client rounds curves to three digits", lambda run: changed(run, rounded)),
    "s003_html": Difference(
        "the client links to a stylesheet of wandb's server; ours stands in the page",
        lambda run: changed(run, bare),
    ),
    "s003_images": Difference(
        "today's client spreads floats over the whole range; the documents say times 255, as older ones did",
        lambda run: changed(
            run, lambda name, value: without(value, "content") if name == "floats" else value
        ),
        versions=(NEWEST,),
    ),
    "s003_matplotlib": Difference(
        "our conversion keeps what plotly's drops, and leaves the figure as it was; points are the same",
        lambda run: changed(run, points),
    ),
    "s003_point_clouds": Difference(
        "we cut colors above 255, as the documents' viewer does; the client stores them",
        lambda run: changed(run, cut),
    ),
    "s003_summary": Difference(
        "we keep the array itself, and more percentiles, than the client",
        lambda run: changed(run, statistics),
    ),
}


def comparable(run: Value, example: str, version: str) -> Value:
    """The run without what is right to differ between us and this version of the client."""
    difference = RIGHT_DIFFERENCES.get(example)
    if difference is not None and version in difference.versions:
        run = difference.alike(run)
    return without(run, "log_mode") if version == OLDEST else run  # tables had none then


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
@pytest.mark.parametrize("example", BY_BOTH)
def test_an_example_is_stored_alike_by_both_clients(stored: Stored, example: str, version: str) -> None:
    """Rows, summary, config, metrics, charts, class labels and files are the same whoever logs."""
    needed = said_by(example, "WANDB_NEEDS") or ""
    missing = [name for name in re.findall(r"\w+", needed) if find_spec(name) is None]
    if missing:
        pytest.skip(f"wandb needs {', '.join(missing)} for it")
    if (version, example) in NOT_BY:
        pytest.skip(NOT_BY[version, example])

    ours, theirs = stored.runs(OURS, example), stored.runs(version, example)

    assert ours
    assert [comparable(run, example, version) for run in ours] == [
        comparable(run, example, version) for run in theirs
    ]


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_sounds_are_the_same_to_the_last_bit(stored: Stored, version: str) -> None:
    """16-bit samples differ by at most one."""
    ((ours,), (theirs,)) = (stored.runs(client, "s003_audio") for client in (OURS, version))

    for our_clip, their_clip in zip(clips(ours), clips(theirs), strict=True):
        assert our_clip == pytest.approx(their_clip, abs=1)


def clips(run: Value) -> list[list[int]]:
    """The samples of each clip."""
    return [clip["content"] for clip in run["rows"][0]["examples"]["audio"]]


def test_what_frames_become_is_a_film(stored: Stored) -> None:
    """An array of frames is stored as a GIF of its size."""
    (run,) = stored.runs(OURS, "s003_video_of_frames")

    video = run["rows"][0]["video"]
    assert (video["_type"], video["width"], video["height"]) == ("video-file", 48, 32)
    assert video["place"] == "media/videos/video_0"


def test_the_open_row_of_old_scripts_is_a_row(stored: Stored) -> None:
    """What was put into `run.history.row` is in the row that `add`, or the next `log`, completed."""
    (run,) = stored.runs(OURS, "s004_history")

    assert run["rows"] == [
        {"_step": 0, "loss": 0.5, "acc": 0.75, "epoch": 1},
        {"_step": 1, "loss": 0.25, "epoch": 2},
    ]


def test_old_charts_are_drawn_by_the_presets_of_their_successors(stored: Stored) -> None:
    """Curves and matrix are today's charts; a heatmap, which has no successor, is what it was."""
    (run,) = stored.runs(OURS, "s004_old_charts")

    assert {chart["key"]: (chart["kind"], chart["panel_def_id"]) for chart in run["charts"]} == {
        "roc": ("chart", "wandb/area-under-curve/v0"),
        "pr": ("chart", "wandb/area-under-curve/v0"),
        "confusion_matrix": ("chart", "wandb/confusion_matrix/v1"),
        "heatmap": ("legacy_chart", "wandb/heatmap_no_text/v1"),
        "heatmap_with_text": ("legacy_chart", "wandb/heatmap/v1"),
    }
    table = run["summary"]["heatmap_with_text"]["content"]
    assert table["columns"] == ["x_axis", "y_axis", "values"]
    assert table["data"][0] == ["the", "le", 0.9]


def test_a_documented_scene_has_its_vectors(stored: Stored) -> None:
    """The lidar scene is stored as the document writes it, its colors cut at 255."""
    (run,) = stored.runs(OURS, "s003_lidar")

    scene = run["rows"][0]["point_scene"]["content"]
    assert scene["vectors"] == [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}]
    assert [(box["label"], box["color"]) for box in scene["boxes"]] == [
        ("Box", [123, 255, 111]),
        ("Box-2", [111, 255, 0]),
    ]


@pytest.mark.parametrize(
    ("project", "key", "palette", "buckets"),
    [
        ("seeds-colors", {"source": "default", "name": "step"}, "default", 2),
        ("seeds-keys", {"source": "metric", "name": "loss"}, "cvd-other", 4),
        ("seeds-buckets", {"source": "metric", "name": "acc"}, "default", 8),
    ],
)
def test_the_recipes_for_colors_leave_what_they_set(
    stored: Stored, project: str, key: Value, palette: str, buckets: int
) -> None:
    """The last settings of each script are the workspace's, and every run of the project has a color."""
    workspace = stored.get(f"/api/v1/projects/{stored.team}/{project}")["default_workspace"]
    coloring = stored.get(f"/api/v1/workspaces/{workspace}/coloring")

    settings = coloring["settings"]
    assert {name: settings["key"][name] for name in key} == key
    assert (settings["palette"], settings["buckets"]) == (palette, buckets)
    assert coloring["population"] == len(coloring["runs"]) > 3
    assert all(run["color"] for run in coloring["runs"])


def test_the_best_accuracy_is_in_the_last_of_evenly_spread_buckets(stored: Stored) -> None:
    """Boundaries are evenly spread between the lowest and highest accuracy; the highest is in the last."""
    workspace = stored.get(f"/api/v1/projects/{stored.team}/seeds-buckets")["default_workspace"]
    coloring = stored.get(f"/api/v1/workspaces/{workspace}/coloring")

    labels = [bucket["label"] for bucket in coloring["legend"]["buckets"]]
    assert (labels[0], labels[-1]) == ("Min - 0.5542", "0.8995 - Max")
    best = max(coloring["runs"], key=lambda run: run["value"])
    assert (best["value"], best["bucket"]) == (0.957, 8)
