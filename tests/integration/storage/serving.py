"""The storage routes on a real port, in a thread of this process."""

from contextlib import AbstractContextManager

from starlette.applications import Starlette

from runhue_server.storage.routes import file_routes, storage_routes
from runhue_server.web.problems import install
from tests.serving import on_a_port


def serving() -> AbstractContextManager[str]:
    """Serve on a free port; gives the address."""
    app = Starlette(routes=[*storage_routes(), *file_routes()])
    install(app)
    return on_a_port(app)
