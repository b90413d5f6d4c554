"""The storage routes as a process of their own, which can be killed and measured.

`python -m tests.integration.storage.server_process [die]` serves on a free port and prints it; with `die` it
kills itself when bytes are stored and before their rows are committed.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from runhue_server.storage import routes
from runhue_server.web.problems import install

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 20


@contextmanager
def server_process(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """(the process, its address); it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.storage.server_process", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path]))},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate(timeout=STOP_SECONDS)


def main() -> None:
    """Serve until killed."""
    if "die" in sys.argv:
        routes._settle = lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL)
    app = Starlette(routes=[*routes.storage_routes(), *routes.file_routes()])
    install(app)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(listener.getsockname()[1], flush=True)  # for who started it
        config = uvicorn.Config(app, http="httptools", ws="none", access_log=False, log_config=None)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
