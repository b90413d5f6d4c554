"""`examples/gallery.py`, by our own client and by wandb's: everything that it logs arrives."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runhue import Api
from runhue._public_api import Run
from runhue_server.stack import Stack
from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

EXAMPLES = Path(__file__).parents[3] / "examples"
GALLERY = EXAMPLES / "gallery.py"
SAMPLES = {
    "molecule/pdb": "water.pdb",
    "molecule/mol2": "water.mol2",
    "object/obj": "pyramid.obj",
    "object/gltf": "pyramid.gltf",
    "html/file": "page.html",
}
SCRIPT = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["gallery.py", "--client", "wandb", "--project", sys.argv[2], "--id", "everything"]
runpy.run_path(sys.path[0] + "/gallery.py", run_name="__main__")
"""
WITHOUT_MOVIEPY = {"video/frames", "video/batch"}
OURS = {"chart/heatmap_of_2020", "chart/roc_of_2020", "chart/pr_of_2020"}
SECONDS = 120


def said(output: str, word: str) -> set[str]:
    """The items that the gallery said something of."""
    lines = (line.partition(" ") for line in output.splitlines())
    return {rest.partition(":")[0] for first, _, rest in lines if first == word}


def paths_in(value: Any) -> Iterator[str]:  # JSON
    """The files that a stored value names."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "path" and isinstance(part, str):
                yield part
            elif name == "filenames":
                folder = "media/object3D/" if value.get("_type") == "object3D" else ""
                yield from (part if part.startswith("media/") else folder + part for part in part)
            else:
                yield from paths_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from paths_in(part)


def arrived(api: Api, path: str, logged: set[str]) -> Run:
    """The run, once everything that was logged is in its summary, and each file named there is stored."""
    assert eventually(lambda: api.run(path).state == "finished", seconds=SECONDS)
    assert eventually(lambda: not missing_in(api.run(path), logged), seconds=SECONDS), missing_in(
        api.run(path), logged
    )
    return api.run(path)


def missing_in(run: Run, logged: set[str]) -> set[str]:
    """What is logged and not in the summary, and files that are named and not there."""
    absent = {key for key in logged if key not in run.summary and f"{key}_table" not in run.summary}
    there = {file.path for file in run.files()}
    return absent | (set(paths_in(dict(run.summary))) - there)


def unready_in(run: Run) -> dict[str, list[str]]:
    """The media that cannot be shown, by key: their states, with the reason where there is one."""
    keys = run.media_keys()
    media = [one for key in keys for one in run.media(key.key)] + run.summary_media()
    files = [(one.key, file) for one in media for file in (one, *one.masks.values(), *one.boxes.values())]
    wrong: dict[str, list[str]] = {}
    for key, file in files:
        if file.state != "ready":
            wrong.setdefault(key, []).append(f"{file.path} is {file.state}: {file.reason}")
    return wrong


def check_ready(api: Api, path: str, logged: set[str]) -> None:
    """Everything that was logged is among the run's media, and the server has looked at all of it."""
    run = api.run(path)
    keys = {key.key for key in run.media_keys()} | {one.key for one in run.summary_media()}
    assert {key for key in logged if key not in keys and f"{key}_table" not in keys} == set()
    assert eventually(lambda: not unready_in(run), seconds=SECONDS), unready_in(run)


def check_bytes(run: Run) -> None:
    """Files are what was logged, each with its hash; those that are samples are equal to them."""
    for file in run.files("media/"):
        assert len(file.read()) == file.size  # read() compares the hash
    for key, sample in SAMPLES.items():
        (path,) = paths_in(run.summary[key])
        assert run.file(path).read() == (EXAMPLES / "samples" / sample).read_bytes(), key


def test_our_client_logs_one_of_everything(stack: Stack, doors: Doors, project: str, tmp_path: Path) -> None:
    """Nothing is skipped where every extra is installed, and every file is stored as it was logged."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": tempfile.gettempdir(),
        "RUNHUE_BASE_URL": stack.api_url,
        "RUNHUE_API_KEY": stack.api_key,
    }
    command = [sys.executable, str(GALLERY), "--project", project, "--id", "everything"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert said(done.stdout, "skipped") == set()
    logged = said(done.stdout, "logged")
    assert len(logged) >= 60
    assert logged >= OURS

    path = f"{doors.team}/{project}/everything"
    check_bytes(arrived(doors.api, path, logged))
    check_ready(doors.api, path, logged)


def test_the_wandb_client_logs_what_it_has(newest: WandbClient, doors: Doors, project: str) -> None:
    """The unmodified client logs all but what it has no call or library for; its files are stored too."""
    libraries = sysconfig.get_path("purelib")  # of the tests, for what the client's environment lacks
    done = newest.run(SCRIPT, str(EXAMPLES), project, PYTHONPATH=libraries)

    assert said(done.stdout, "skipped") <= OURS | WITHOUT_MOVIEPY
    path, logged = f"{doors.team}/{project}/everything", said(done.stdout, "logged")
    check_bytes(arrived(doors.api, path, logged))
    check_ready(doors.api, path, logged)
