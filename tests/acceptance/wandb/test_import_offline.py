"""`runhue import wandb-offline DIR`: runs that the wandb client kept on disk come in, once."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

OFFLINE = """
import sys, wandb
project, runs, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(runs):
    with wandb.init(project=project, id=f"kept-{number}", config={"number": number}) as run:
        for step in range(rows):
            run.log({"loss": 1 / (step + 1 + number)})
        run.summary["best"] = 0.5
"""


def keep_offline(client: WandbClient, project: str, runs: int, rows: int) -> Path:
    """Log with the client in offline mode; the folder with what it kept."""
    client.run(OFFLINE, project, str(runs), str(rows), WANDB_MODE="offline")
    return client.home / "wandb"


def bring_in(
    client: WandbClient, folder: Path, *options: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command with the client's interpreter."""
    command = [sys.executable, "-m", "runhue", "import", "wandb-offline", str(folder), "--json", *options]
    return subprocess.run(
        command,
        cwd=client.home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(client.home),
            "TMPDIR": tempfile.gettempdir(),
            "RUNHUE_BASE_URL": client.base_url,
            "RUNHUE_API_KEY": client.api_key,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def rows_of(doors: Doors, project: str, run: str) -> list[dict[str, Any]]:  # JSON
    answer = doors.http.get(
        f"/api/v1/projects/{doors.team}/{project}/runs/{run}/rows", params={"keys": "loss", "limit": 1000}
    )
    rows: list[dict[str, Any]] = answer.json()["rows"] if answer.status_code == 200 else []
    return rows


def arrived(doors: Doors, project: str, run: str, rows: int) -> bool:
    """Whether every row of the run came in time, and no other."""
    assert eventually(lambda: len(rows_of(doors, project, run)) >= rows, seconds=30), run
    number = int(run.removeprefix("kept-"))
    losses = [row["loss"] for row in rows_of(doors, project, run)]
    return losses == [1 / (step + 1 + number) for step in range(rows)]


def test_kept_runs_come_in(client: WandbClient, doors: Doors, project: str) -> None:
    """Each run is there with every row, its config and summary."""
    folder = keep_offline(client, project, runs=2, rows=30)

    done = bring_in(client, folder, "--python", str(client.python))

    assert done.returncode == 0, done.stderr + done.stdout
    assert [one["done"] for one in json.loads(done.stdout)] == [True, True]
    for number in range(2):
        assert arrived(doors, project, f"kept-{number}", 30)
        stored = doors.http.get(f"/api/v1/projects/{doors.team}/{project}/runs/kept-{number}").json()
        assert (stored["config"]["number"], stored["summary"]["best"]) == (number, 0.5)
        assert stored["state"] == "finished"


def test_runs_come_in_once_and_a_damaged_one_is_told(newest: WandbClient, doors: Doors, project: str) -> None:
    """What was sent is left out; sent again, or elsewhere, it stays one; a damaged file is named."""
    folder = keep_offline(newest, project, runs=2, rows=3)
    damaged = next(folder.rglob("run-kept-0.wandb"))
    damaged.write_bytes(b"no run file at all" * 10)
    online = folder / "run-20261121_000000-online"
    online.mkdir()
    (online / "run-online.wandb").write_bytes(b"its server has it")

    first = bring_in(newest, folder, "--python", str(newest.python))
    results = {one["run"]: one for one in json.loads(first.stdout)}
    assert (first.returncode, results["kept-0"]["done"], results["kept-1"]["done"]) == (1, False, True)
    assert results["kept-0"]["error"]
    damaged.unlink()
    nothing_left = bring_in(newest, folder, "--python", str(newest.python))
    again = bring_in(newest, folder, "--python", str(newest.python), "--again")
    moved = bring_in(
        newest, folder, "--python", str(newest.python), "--again", "--project", f"{project}-moved"
    )

    assert (nothing_left.returncode, json.loads(nothing_left.stdout)) == (0, [])
    assert (again.returncode, moved.returncode) == (0, 0), again.stderr + moved.stderr
    assert arrived(doors, project, "kept-1", 3)
    assert arrived(doors, f"{project}-moved", "kept-1", 3)


def test_what_is_missing_is_said(newest: WandbClient, tmp_path: Path) -> None:
    """Without wandb, and with a key that is no key, one line says what to do."""
    without_wandb = bring_in(newest, tmp_path)
    bad_key = bring_in(newest, tmp_path, "--python", str(newest.python), RUNHUE_API_KEY="0" * 40)

    assert without_wandb.returncode == 1
    assert "pip install wandb" in without_wandb.stderr
    assert bad_key.returncode == 1
    assert "API key" in bad_key.stderr
