"""The worker as a process among others: files come in by the API; whatever is killed, nothing is lost."""

import hashlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from runhue_server.stack import Stack
from tests.integration.gateway.artifact_logging import Logger
from tests.integration.gateway.conftest import Client
from tests.integration.ingest.sender import Sender
from tests.integration.media.pictures import png
from tests.waiting import eventually

pytestmark = pytest.mark.stack

SECONDS = 60.0
SECRET = "a secret of the machine"


class Running:
    """A stack with a run, files put into it, and what is known of them."""

    def __init__(self, stack: Stack, http: httpx.Client) -> None:
        self.stack = stack
        self._http = http
        sender = Sender(stack.ingest_url, stack.api_key)
        with sender.http:
            sender.new_writer()
        http.base_url = stack.api_url
        http.headers["Authorization"] = f"Bearer {stack.api_key}"

    def put(self, name: str, content: bytes, folder: str = "media/images") -> None:
        path = f"/api/v1/projects/main/digits/runs/r1/files/{folder}/{name}"
        answer = self._http.put(path, content=content)
        assert answer.status_code == 200, answer.text

    def states(self) -> dict[str, str]:
        """State or code by the last part of the path, of those that are media."""
        with psycopg.connect(self.stack.database_url) as connection:
            rows = connection.execute(
                "SELECT f.path, coalesce(i.code, i.state) FROM run_file f JOIN inspection i"
                " USING (team_id, sha256)"
            ).fetchall()
        return {path.rpartition("/")[2]: state for path, state in rows}

    def renditions(self) -> int:
        with psycopg.connect(self.stack.database_url) as connection:
            return int(connection.execute("SELECT count(*) FROM rendition").fetchall()[0][0])

    def becomes(self, **states: str) -> bool:
        """Whether these are known in time, by name without the ending."""
        wanted = {f"{name}.png": state for name, state in states.items()}

        def known() -> bool:
            found = self.states()
            return all(found.get(name) == state for name, state in wanted.items())

        return eventually(known, SECONDS)

    def bounded(self) -> psutil.Process | None:
        """The bounded process of the worker that runs now."""
        pid = self.stack.processes.get("media")
        try:
            children = psutil.Process(pid).children() if pid else []
        except psutil.NoSuchProcess:
            return None
        return children[0] if children else None

    def wait_for_work(self) -> psutil.Process:
        """The bounded process, in the middle of an item."""
        found: list[psutil.Process] = []

        def busy() -> bool:
            process = self.bounded()
            try:
                if process is not None and process.children():
                    found.append(process)
            except psutil.NoSuchProcess:
                pass
            return bool(found)

        assert eventually(busy, SECONDS)
        return found[0]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A stack in whose environment are secrets."""
    environ = {**os.environ, "RUNHUE_KEY_PEPPER": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET}
    services = ("ingest", "gateway", "api", "media", "sweeper")
    with Stack.temporary(services=services, environ=environ) as stack, httpx.Client(timeout=60) as http:
        yield Running(stack, http)


def test_put_and_looked_at(running: Running) -> None:
    """What is put by the API is known soon, good and bad; nothing heavy is in the worker itself."""
    running.put("good.png", png(300, 300))
    running.put("bad.png", b"<html>")

    assert running.becomes(good="ready", bad="not_an_image")
    maps = Path(f"/proc/{running.stack.processes['media']}/maps")
    if maps.exists():
        assert not re.findall(r"/(PIL|pyarrow|av)/", maps.read_text())


def test_offered_bytes_that_are_here(running: Running) -> None:
    """Bytes that came as another file are looked at once a path of media names them."""
    content = png(seed=77)
    running.put("weights.bin", content, folder="checkpoints")
    assert "weights.bin" not in running.states()
    sender = Sender(running.stack.ingest_url, running.stack.api_key)
    with sender.http:
        writer = sender.new_writer()
        body = {"path": "media/images/offered.png", "size": len(content)}
        offered = sender.http.post(
            f"/ingest/v1/writers/{writer}/files",
            json={**body, "sha256": hashlib.sha256(content).hexdigest()},
        )

    assert offered.json() == {"stored": True}
    assert running.becomes(offered="ready")


def test_environment_of_the_bounded_process(running: Running) -> None:
    """No secret of the worker's environment is in that of the process that sees hostile bytes."""
    running.put("env.png", png(seed=1))
    assert running.becomes(env="ready")
    process = running.bounded()
    assert process is not None

    given = process.environ()

    if "zygote" in running.stack.processes:
        assert SECRET in str(psutil.Process(running.stack.processes["zygote"]).environ())
    assert SECRET not in str(given)
    assert not [name for name in given if name.startswith(("RUNHUE", "AWS"))]
    assert running.stack.api_key not in str(given)


def test_kill_of_the_worker(running: Running, slow_png: bytes) -> None:
    """kill -9 of the worker in the middle of an item: its processes go too; the item gets its one result."""
    before = running.renditions()
    running.put("slow.png", slow_png)
    process = running.wait_for_work()
    forks = process.children()

    running.stack.kill("media", signal.SIGKILL)

    assert eventually(lambda: not any(one.is_running() for one in [process, *forks]), 10)
    assert running.becomes(slow="ready")
    assert running.renditions() == before + 1


def test_kill_of_the_bounded_process(running: Running, slow_png: bytes) -> None:
    """kill -9 of the bounded process in the middle of an item: the worker lives, and tries again."""
    worker = running.stack.processes["media"]
    running.put("again.png", slow_png + b"0")
    process = running.wait_for_work()

    process.send_signal(signal.SIGKILL)

    assert running.becomes(again="ready")
    assert running.stack.processes["media"] == worker


def test_stop_of_the_worker(running: Running, slow_png: bytes) -> None:
    """A worker that is asked to stop does so at once; the next one takes what it was at, and counts once."""
    running.put("stopped.png", slow_png + b"1")
    running.wait_for_work()
    with psycopg.connect(running.stack.database_url) as connection:
        running.stack.kill("media", signal.SIGTERM)
        assert running.becomes(stopped="ready")
        rows = connection.execute(
            "SELECT attempts FROM inspection JOIN run_file USING (team_id, sha256) WHERE path ~ 'stopped'"
        )
        assert rows.fetchall() == [(1,)]


def test_kill_of_postgres(running: Running) -> None:
    """Postgres dies while pictures are looked at: in the end all of them are known."""
    names = [f"many{number}" for number in range(40)]
    for number, name in enumerate(names):
        running.put(f"{name}.png", png(400, 300, seed=100 + number))

    running.stack.kill("postgres", signal.SIGKILL)
    running.stack.wait_ready(60)

    assert running.becomes(**dict.fromkeys(names, "ready"))


def test_tables_of_artifacts(running: Running) -> None:
    """Media in an artifact are looked at once it is committed; other files are not."""
    client = Client(running.stack.api_url, running.stack.api_key)
    files: dict[str, bytes | str] = {
        "media/images/x.png": png(seed=9),
        "t.table.json": b'{"columns": ["a"], "data": [[1]]}',
        "model.bin": b"weights",
    }
    with client.http, httpx.Client(timeout=30) as plain:
        Logger(client, plain).log("results", files)

    def kinds() -> set[tuple[str, str]]:
        with psycopg.connect(running.stack.database_url) as connection:
            rows = connection.execute(
                "SELECT f.path, i.kind FROM artifact_file f JOIN inspection i USING (team_id, sha256)"
                " WHERE i.state <> 'waiting'"
            )
            return {(path, kind) for path, kind in rows}

    wanted = {("media/images/x.png", "image"), ("t.table.json", "table")}
    assert eventually(lambda: kinds() == wanted, SECONDS)
