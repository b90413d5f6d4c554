"""`/healthz`, `/readyz` and `/metrics` of every HTTP service."""

from collections.abc import Callable, Mapping

import anyio.to_thread
import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runhue_shared import db
from runhue_shared.queue import redis_client

Check = Callable[[], None]
"""Returns when a server is reachable, raises when it is not."""


def postgres_reachable() -> None:
    """Raises psycopg.OperationalError: Postgres is away."""
    with db.transaction() as tx:
        tx.execute("SELECT 1")


def redis_reachable() -> None:
    """Raises redis.RedisError: Redis is away."""
    redis_client().ping()


CHECKS: Mapping[str, Check] = {"postgres": postgres_reachable, "redis": redis_reachable}


def health_routes(required: frozenset[str] = frozenset(CHECKS)) -> list[Route]:
    """The three routes. `/readyz` answers 503 when a server in `required` is away, and names every state."""

    async def healthz(_request: Request) -> Response:
        return _json({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        states = await anyio.to_thread.run_sync(_states)
        ready = all(states[name] == "ok" for name in required)
        body = {"status": "ready" if ready else "unavailable", **states}
        return _json(body, 200 if ready else 503)

    async def metrics(_request: Request) -> Response:
        # Some are read from the database, so not on the event loop.
        return Response(await anyio.to_thread.run_sync(generate_latest), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _states() -> dict[str, str]:
    states = {}
    for name, check in CHECKS.items():
        try:
            check()
        except Exception:  # noqa: BLE001  # whatever went wrong, the server is not usable
            states[name] = "away"
        else:
            states[name] = "ok"
    return states


def _json(body: Mapping[str, str], status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
