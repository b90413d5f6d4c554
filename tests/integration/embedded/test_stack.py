"""The whole stack on one machine: every process may be killed; `runhue up` starts, tells and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from runhue_server.embedded.errors import StackError
from runhue_server.stack import SERVICES, Stack

pytestmark = pytest.mark.stack

ON_LINUX = sys.platform == "linux"
PROCESSES = ("postgres", "valkey", *SERVICES, *(["zygote"] if ON_LINUX else []))
MEMORY_LIMIT_MB = 450


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for the tests that put it back into order."""
    with Stack.temporary() as made:
        yield made


def get(url: str) -> int:
    return httpx.get(url, timeout=20).status_code


def proportional_memory(name: str, pid: int) -> int:
    """Bytes of a process, shared pages divided among those who share them; Postgres with its backends."""
    members = [psutil.Process(pid)]
    if name == "postgres":
        members += members[0].children()
    return sum(int(member.memory_full_info().pss) for member in members)


def runs(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", PROCESSES)
def test_killed_process_comes_back_on_the_same_address(stack: Stack, name: str) -> None:
    """kill -9 of anything: a new pid, the same addresses, ready again."""
    addresses = (stack.api_url, stack.ingest_url, stack.database_url, stack.redis_url)
    old = stack.kill(name, signal.SIGKILL)

    stack.wait_ready(60)

    assert stack.processes[name] != old
    assert set(stack.processes) == set(PROCESSES)
    assert (stack.api_url, stack.ingest_url, stack.database_url, stack.redis_url) == addresses
    assert get(f"{stack.api_url}/readyz") == get(f"{stack.ingest_url}/readyz") == 200


def test_clients_wait_through_a_restart(stack: Stack) -> None:
    """The supervisor keeps the listening socket: a request during the restart is late, not refused."""
    stack.kill("ingest", signal.SIGKILL)

    assert get(f"{stack.ingest_url}/healthz") == 200

    stack.wait_ready(60)


def test_stopped_process_that_hangs_is_replaced(stack: Stack) -> None:
    """SIGSTOP leaves a process that neither works nor ends; its heartbeat gives it away."""
    old = stack.kill("aggregation", signal.SIGSTOP)
    deadline = time.monotonic() + 50
    while stack.processes.get("aggregation") in (old, None) and time.monotonic() < deadline:
        time.sleep(0.5)

    stack.wait_ready(60)

    assert stack.processes["aggregation"] != old


def test_first_key_is_private(stack: Stack) -> None:
    """The key is in a file that only its owner reads."""
    assert len(stack.api_key) >= 40
    assert stack.api_key_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not ON_LINUX, reason="proportional set size is Linux's")
def test_idle_stack_fits_a_laptop(stack: Stack) -> None:
    """All processes together, this test's own Python left out."""
    stack.wait_ready(60)

    total = sum(proportional_memory(name, pid) for name, pid in stack.processes.items())

    assert total < MEMORY_LIMIT_MB * 1e6, f"{total / 1e6:.0f} MB"


def test_a_second_start_finds_what_the_first_made(data_dir: Path) -> None:
    """The same key and database serve again; how fast is measured by `make bench NAME=p10`."""
    with Stack(data_dir) as stack:
        key = stack.api_key

    with Stack(data_dir) as stack:
        assert stack.api_key == key
        assert set(stack.processes) == set(PROCESSES)


def test_plain_processes_work_as_well(data_dir: Path) -> None:
    """Without forking (macOS) each service is a program of its own."""
    with Stack(data_dir, forking=False) as stack:
        assert set(stack.processes) == set(PROCESSES) - {"zygote"}
        assert get(f"{stack.api_url}/readyz") == 200


def up(data_dir: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runhue_server", "up", "--data-dir", str(data_dir), "--json", *options]
    environ = {
        name: value for name, value in os.environ.items() if not name.endswith(("DATABASE_URL", "REDIS_URL"))
    }
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_up_tells_its_addresses_and_stops_on_ctrl_c(data_dir: Path) -> None:
    """One line of JSON without the key itself; Ctrl-C ends with status 0 and no process left."""
    with up(data_dir, "--port", "0", "--ingest-port", "0", "--gateway-port", "0") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        children = psutil.Process(process.pid).children(recursive=True)
        assert get(f"{told['api_url']}/readyz") == get(f"{told['ingest_url']}/readyz") == 200
        key = Path(told["api_key_file"]).read_text().strip()
        assert key not in json.dumps(told)

        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 0
    assert not [child for child in children if runs(child)]


def test_ctrl_c_while_starting_leaves_nothing(data_dir: Path) -> None:
    """In the middle of a first start, too."""
    with up(data_dir, "--port", "0", "--ingest-port", "0", "--gateway-port", "0") as process:
        time.sleep(0.7)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert not [child for child in children if runs(child)]


def test_port_in_use_names_the_option(data_dir: Path) -> None:
    """Nothing is started; the message has the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with up(data_dir, "--port", str(port), "--ingest-port", "0", "--gateway-port", "0") as process:
            _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"port {port}" in errors
    assert "--port; 0 takes a free one" in errors


def test_unknown_service_is_refused(data_dir: Path) -> None:
    """A typing error in a test does not start half a stack."""
    with pytest.raises(ValueError, match=r"must be some of ingest, gateway, api.*got apy"):
        Stack(data_dir, services=("apy",))


def test_address_before_the_start_is_an_error(data_dir: Path) -> None:
    """There is no port yet."""
    with pytest.raises(StackError, match="runs no api service"):
        _ = Stack(data_dir).api_url


def test_stop_twice_and_from_another_thread(data_dir: Path) -> None:
    """A stop is safe to repeat."""
    stack = Stack(data_dir, services=(), schema=False)
    stack.start()
    other = threading.Thread(target=stack.stop)
    other.start()
    other.join(timeout=60)

    stack.stop()

    assert not other.is_alive()
