"""Where the server is and how to speak HTTP to it."""

import platform
from typing import Any

import httpx
import msgspec

from runhue._public_api.exchange import ConnectionFailed, Response
from runhue._public_api.watching import HEARTBEAT_TIMEOUT
from runhue._version import __version__

CONNECT_TIMEOUT = 5.0


class ServerAddress(msgspec.Struct, frozen=True):
    """Address and key of one server. `timeout`: seconds that an answer may take."""

    base_url: str
    api_key: str
    timeout: float


def httpx_options(server: ServerAddress) -> dict[str, Any]:  # keyword arguments of two httpx classes
    """Arguments for `httpx.Client` and `httpx.AsyncClient` alike."""
    headers = {"User-Agent": f"runhue/{__version__} python/{platform.python_version()}"}
    if server.api_key:
        headers["Authorization"] = f"Bearer {server.api_key}"
    return {
        "base_url": server.base_url,
        "headers": headers,
        "timeout": httpx.Timeout(server.timeout, connect=min(CONNECT_TIMEOUT, server.timeout)),
        "follow_redirects": False,
    }


def stream_timeout(server: ServerAddress) -> dict[str, float | None]:
    """Time-outs of a stream: silent at most as long as the server may be between two heartbeats."""
    connect = min(CONNECT_TIMEOUT, server.timeout)
    return httpx.Timeout(server.timeout, connect=connect, read=HEARTBEAT_TIMEOUT).as_dict()


def connection_failed(server: ServerAddress, error: Exception) -> ConnectionFailed:
    """What went wrong on the way to which server."""
    return ConnectionFailed(f"{server.base_url}: {str(error) or type(error).__name__}")


def response_of(response: httpx.Response) -> Response:
    """A response that has been read, without httpx."""
    return Response(response.status_code, response.headers, response.content)
