"""What the server will never take is set aside with its reason, and the rest goes on."""

import json
import multiprocessing
import random
import subprocess
import sys
from pathlib import Path

import pytest

import runhue
from runhue._errors import ServerRefused
from runhue_shared.events import decode_batch
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.ingest_server import LARGEST_BATCH, IngestServer, assert_contiguous

pytestmark = pytest.mark.stack

SMALL_BODY = 4096


def noise(length: int) -> str:
    """Text that does not compress below half its length."""
    return "".join(random.Random(length).choices("0123456789abcdef", k=length))


def test_a_record_too_large_is_rejected_alone(ingest: IngestServer, run_settings: RunSettings) -> None:
    """One record above the server's limit goes to `rejected/` with its reason; all others arrive."""
    ingest.kill()
    ingest.start(RUNHUE_MAX_BODY_BYTES=str(SMALL_BODY))
    run = runhue.init(project="p", id="large", settings=run_settings())
    for step in range(40):
        run.log({"loss": float(step)})
    run.log({"essay": noise(20_000)})
    for step in range(41, 80):
        run.log({"loss": float(step)})
    run.finish()

    rows = ingest.rows("large")
    assert [step for step, _ in rows] == [step for step in range(80) if step != 40]
    assert_contiguous(ingest.batches("large"))
    rejected = sorted((Path(run.dir) / "rejected").iterdir())
    reason = json.loads(rejected[1].read_text())
    refused = decode_batch(rejected[0].read_bytes(), LARGEST_BATCH)
    assert reason["code"] == "body_too_large"
    assert refused.rows is not None
    assert [cells.values[0] for cells in refused.rows.cells] == [noise(20_000)]


def log_from_process(settings: runhue.Settings, number: int) -> None:
    """The work of one process of several on one run."""
    with runhue.init(project="p", id="many", settings=settings) as run:
        for step in range(50):
            run.log({f"process{number}": step}, step=step, commit=True)


def log_in_fork(run: runhue.Run) -> None:
    """The work of a forked child that does not end the run by itself."""
    run.log({"child": 1}, step=1, commit=True)


def test_several_processes_log_into_one_run(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Spawned processes that init the same id are writers of their own."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=log_from_process, args=(run_settings(), number)) for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    rows = ingest.rows("many")
    for number in range(2):
        assert [row[f"process{number}"] for _, row in rows if f"process{number}" in row] == list(range(50))
    assert ingest.query("SELECT count(*) FROM run_writer") == [(2,)]


def test_multiprocessing_child_finishes_its_writer(ingest: IngestServer, run_settings: RunSettings) -> None:
    """A forked `multiprocessing` child sends what it logged before it ends, without `atexit`."""
    run = runhue.init(project="p", id="pool", settings=run_settings())
    child = multiprocessing.get_context("fork").Process(target=log_in_fork, args=(run,))
    child.start()
    child.join(60)

    assert child.exitcode == 0
    assert ingest.rows("pool") == [(1, {"child": 1})]
    run.finish()


EXITS = {
    "pass": ("finished", 0),
    "raise ValueError": ("failed", 1),
    "import sys; sys.exit(7)": ("failed", 7),
    "raise KeyboardInterrupt": ("killed", 130),
}


@pytest.mark.parametrize("ending", EXITS)
def test_run_ends_as_its_process_does(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path, ending: str
) -> None:
    """Without finish() the interpreter's end finishes the run, with its exit code, and all it printed."""
    script = tmp_path / "script.py"
    script.write_text(
        "import runhue\n"
        f"runhue.init(project='p', id='end', dir={str(tmp_path)!r})\n"
        "runhue.log({'loss': 0.5})\n"
        "print('\\x1b[1mhello\\x1b[0m')\n"
        f"{ending}\n"
    )
    environment = {"RUNHUE_BASE_URL": ingest.url, "RUNHUE_API_KEY": ingest.key, "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )

    batches = [batch for _, batch in ingest.batches("end")]
    assert [(end.state, end.exit_code) for batch in batches for end in batch.finish] == [EXITS[ending]]
    assert ingest.rows("end") == [(0, {"loss": 0.5})]
    assert "hello" in [line.text for batch in batches for line in batch.console if line.stream == "stdout"]
    metadata = [one.metadata for batch in batches for one in batch.attributes if one.metadata]
    assert metadata[0]["command"] == [str(script)]
    assert "is on the server" in done.stderr
    assert "hello" in done.stdout


def test_a_start_that_is_refused_is_an_error_and_no_warning(
    ingest: IngestServer, run_settings: RunSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `init()` raises is not also said, least of all that logging goes on."""
    with pytest.raises(ServerRefused, match="there is no run 'nowhere'"):
        runhue.init(project="p", id="nowhere", resume="must", settings=run_settings(silent=False))

    assert capsys.readouterr().err == ""


def test_a_start_without_a_server_or_a_key_is_said_once(
    ingest: IngestServer, run_settings: RunSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong, what to do and where the data are."""
    away = "http://127.0.0.1:9"
    for settings, said in (
        (run_settings(silent=False, api_key="w" * 40), "run `runhue login`, or set RUNHUE_API_KEY"),
        (run_settings(silent=False, base_url=away, unreachable_timeout=0.1), f"no answer from {away}"),
    ):
        run = runhue.init(project="p", settings=settings)
        complained = capsys.readouterr().err

        assert complained.count("\n") == 1
        assert said in complained
        assert str(run.dir) in complained
        run.finish()
        capsys.readouterr()
