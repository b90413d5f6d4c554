"""The call that lists what wandb clients asked the gateway for in vain."""

from datetime import datetime

from msgspec import Struct

from runhue._public_api.exchange import Call, fetch, get


class GatewayUnknown(Struct, frozen=True):
    """Something a client asked for and the server does not know; `kind` is operation, field, argument, ..."""

    operation: str
    kind: str
    name: str
    client: str
    count: int
    first_at: datetime
    last_at: datetime


class _Unknowns(Struct, frozen=True):
    unknown: list[GatewayUnknown]


def gateway_unknown_call() -> Call[list[GatewayUnknown]]:
    """What was asked for, the most often first."""
    return (yield from fetch(_Unknowns, get("/api/v1/gateway/unknown"))).unknown
