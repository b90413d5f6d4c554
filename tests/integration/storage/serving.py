"""The storage routes on a real port, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from runhue_server.storage.routes import file_routes, storage_routes
from runhue_server.web.problems import install

START_SECONDS = 20.0


@contextmanager
def serving() -> Iterator[str]:
    """Serve on a free port; gives the address."""
    app = Starlette(routes=[*storage_routes(), *file_routes()])
    install(app)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", ws="none", access_log=False, log_config=None
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)
