"""Under which origins browsers see this server: the app, and apart from it what users logged."""

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from runhue_shared.settings import Settings, settings

LOOPBACK = {"127.0.0.1": "localhost", "localhost": "127.0.0.1", "::1": "localhost"}
"""Each name of this machine and the one under which content is: no port would do, cookies know none."""


class Origins(NamedTuple):
    """`app` and `content` as https://host:port, equal when there is only one; '' when neither is known."""

    app: str
    content: str


def origin_of(url: str) -> str:
    """Scheme, host and port of an address; '' for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def host_of(origin: str) -> str:
    """Host and port as a request's Host header says them."""
    return urlsplit(origin).netloc


def is_loopback(origin: str) -> bool:
    """Whether an origin is this machine under one of its own names."""
    return (urlsplit(origin).hostname or "") in LOOPBACK


def content_of(app: str) -> str:
    """The origin of what users logged, for the app's origin.

    `RUNHUE_USERCONTENT_URL`, else the loopback's other name, else the app's own.
    """
    if settings().usercontent_url:
        return origin_of(settings().usercontent_url)
    if not is_loopback(app):
        return app
    parts = urlsplit(app)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{LOOPBACK[parts.hostname or '']}{port}"


def origins(request: HTTPConnection | None = None) -> Origins:
    """The origins for whoever sent the request: by the settings, or by its address where they do not tell.

    A server that is configured for its own machine may be reached from others, to which that is no address.
    """
    app = origin_of(settings().public_url)
    if request is not None and (not app or is_loopback(app)):
        asked = origin_of(str(request.base_url))
        app = asked if not app or not is_loopback(asked) else app
    return Origins(app, content_of(app))


def configured(current: Settings) -> Origins | None:
    """The origins where settings say both, and they differ; None elsewhere."""
    app = origin_of(current.public_url)
    content = content_of(app)
    return Origins(app, content) if content and app != content else None
