"""The Python of the documents runs as it stands, against the real services."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import runhue
from runhue_server.stack import Stack
from tests.integration.public_api.running import until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.temporary() as running:
        yield running


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[runhue.Api]:
    with runhue.Api(stack.api_url, stack.api_key) as made:
        yield made


def snippets(document: str) -> list[str]:
    """The Python of a document, block by block; one that imports nothing goes on with `runhue`."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    return [f"import runhue\n{block}" for block in found]


def python(stack: Stack, folder: Path, code: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key}
    command = [sys.executable, "-u", "-c", code]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_to_its_end(stack: Stack, folder: Path, code: str) -> str:
    """What the code prints."""
    with python(stack, folder, code) as process:
        said, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained
    return said


def first_lines(stack: Stack, folder: Path, code: str, count: int) -> list[str]:
    """What code that goes on for ever prints first."""
    with python(stack, folder, code) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(count)]
        process.terminate()
        assert process.stderr is not None
        assert all(lines), process.stderr.read()
    return lines


def test_the_readme_logs_and_colors(stack: Stack, api: runhue.Api, tmp_path: Path) -> None:
    """Its training loop makes runs; its watch prints six buckets with their colors."""
    training, _, watching = snippets("README.md")
    for _ in range(2):
        run_to_its_end(stack, tmp_path, training)
    until(lambda: [run.last_step for run in api.runs("basic-intro")] == [7, 7])
    workspace = api.workspace("main/basic-intro")
    workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y="max", buckets=6)
    until(lambda: sum(workspace.coloring().counts) == 2)

    lines = first_lines(stack, tmp_path, watching, 6)

    assert re.fullmatch(r"Min - [\d.]+ #[0-9a-fA-F]{6}", lines[0])
    assert re.fullmatch(r"[\d.]+ - Max #[0-9a-fA-F]{6}", lines[5])


def test_the_readme_logs_media(stack: Stack, api: runhue.Api, tmp_path: Path) -> None:
    """Its image, histogram and table are there, looked at, and the table is read back in order."""
    _, media, _ = snippets("README.md")
    run_to_its_end(stack, tmp_path, media)

    (run,) = api.runs("gallery")
    until(lambda: [one.state for key in ("example", "table") for one in run.media(key)] == ["ready"] * 2)
    (image,) = run.media("example")
    assert (image.caption, list(image.boxes)) == ("one", ["predictions"])
    assert [row["score"] for row in run.table("table").rows(sort=["-score"])] == [0.75, 0.5]


def test_the_sdk_page_logs_reads_and_colors(stack: Stack, api: runhue.Api, tmp_path: Path) -> None:
    """A run is logged, read, edited, found by its config and colored as the page has it."""
    logging, _, _, reading, *_, coloring = snippets("docs/sdk.md")
    run_to_its_end(stack, tmp_path, logging)
    log_x = logging.replace("init(", 'init(id="x", name="first", ').replace(
        "0.01}", '0.02, "optimizer": "adam"}'
    )
    run_to_its_end(stack, tmp_path, log_x)
    until(
        lambda: [(run.state, run.summary.get("loss")) for run in api.runs("mnist")] == [("finished", 0.3)] * 2
    )

    assert run_to_its_end(stack, tmp_path, reading) == "first finished\n"
    assert api.run("mnist/x").summary["note"] == "checked"
    assert re.match(r"\d+ \(", first_lines(stack, tmp_path, coloring, 1)[0])
    assert api.workspace("mnist").color_settings.scale == "log"


def test_the_sdk_page_logs_media_and_charts(stack: Stack, api: runhue.Api, tmp_path: Path) -> None:
    """Its media and charts are rows, and files that can be read."""
    _, media, charts, *others = snippets("docs/sdk.md")
    (reading,) = (snippet for snippet in others if "media_keys()" in snippet)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.pt").write_bytes(b"weights")

    run_to_its_end(stack, tmp_path, media)
    run_to_its_end(stack, tmp_path, charts)

    (run,) = api.runs("media")
    assert run.file("checkpoints/last.pt").read() == b"weights"
    assert {file.path.split("/")[1] for file in run.files("media/")} == {"images", "html", "table", "arrays"}
    until(lambda: {"scene", "embedding"} <= set(run.refresh().summary))
    until(lambda: {one.state for one in run.media("scene")} == {"ready"})
    said = run_to_its_end(stack, tmp_path, reading)
    assert "0 step 0 ready {" in said
    assert "[] {'0': 'background', '1': 'cat'}" in said
    (drawn,) = api.runs("charts")
    assert {file.path.split("/")[1] for file in drawn.files()} == {"table"}
