"""The address under which a client reached the server."""

import pytest
from starlette.requests import Request

from runhue_server.gateway.context import base_url_of
from runhue_shared.settings import Settings

LOCAL = "127.0.0.1"
ELSEWHERE = "192.0.2.7"


def asked(peer: str | None, **headers: str) -> Request:
    """A request from `peer` with these headers; `_` is `-` in their names."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if peer is None else (peer, 1234)
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "path": "/",
            "server": ("10.0.0.1", 8082),
            "headers": pairs,
            "client": client,
        }
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(ELSEWHERE, host="box:8080"), "http://box:8080"),
        (asked(ELSEWHERE, host="box", x_forwarded_proto="https", x_forwarded_host="evil"), "http://box"),
        (asked(LOCAL, host="box", x_forwarded_proto="https"), "https://box"),
        (asked(None, host="box", x_forwarded_proto="https"), "https://box"),
        (asked("::1", host="api", x_forwarded_host="box.example"), "http://box.example"),
        (asked(LOCAL, host="box", x_forwarded_prefix="/hue/"), "http://box/hue"),
        (asked(LOCAL, host="box", x_forwarded_prefix='/"><script>'), "http://box"),
        (asked(LOCAL, host="box", x_forwarded_proto="javascript"), "http://box"),
        (asked(LOCAL, host="[::1]:8080"), "http://[::1]:8080"),
        (asked(LOCAL, host="a b<>"), "http://10.0.0.1:8082"),
    ],
)
def test_address_is_the_one_that_the_client_used(request_: Request, expected: str) -> None:
    """Host and scheme are the request's; a proxy's word counts when the proxy is on this machine."""
    assert base_url_of(request_, Settings(public_url="")) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(ELSEWHERE, host="hue.example"), "https://hue.example/track"),
        (asked(ELSEWHERE, host="10.1.1.1:8080"), "http://10.1.1.1:8080/track"),
        (asked(ELSEWHERE, host=""), "https://hue.example/track"),
    ],
)
def test_public_address_gives_scheme_and_path(request_: Request, expected: str) -> None:
    """Its path is always there; its scheme when the client came by it."""
    assert base_url_of(request_, Settings(public_url="https://hue.example/track/")) == expected
