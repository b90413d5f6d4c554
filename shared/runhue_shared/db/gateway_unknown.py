"""What clients asked the gateway for and it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction

MOST_ROWS = 20_000
"""Names come from clients, so the table has a bound; what is in it goes on being counted."""


class Unknown(NamedTuple):
    """One thing that was asked for. `kind` is one of those that the table's check lists."""

    operation: str
    kind: str
    name: str
    client: str


@dataclass(frozen=True, slots=True)
class CountedUnknown:
    """The same, with how often and between when it was asked for."""

    operation: str
    kind: str
    name: str
    client: str
    count: int
    first_at: datetime
    last_at: datetime


def count(tx: Transaction, counts: Mapping[Unknown, int]) -> None:
    """Add to the counts; new things are left out when the table is full."""
    ordered = sorted(counts)  # so that two processes never wait for each other in a circle
    columns = [list(column) for column in zip(*ordered, strict=True)] if ordered else [[], [], [], []]
    tx.execute(
        "INSERT INTO gateway_unknown AS g (operation, kind, name, client, count)"
        " SELECT u.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])"
        "  AS u (operation, kind, name, client, count)"
        " WHERE (SELECT count(*) FROM gateway_unknown) < %s"
        "  OR EXISTS (SELECT 1 FROM gateway_unknown k WHERE (k.operation, k.kind, k.name, k.client)"
        "   = (u.operation, u.kind, u.name, u.client))"
        " ORDER BY u.operation, u.kind, u.name, u.client"
        " ON CONFLICT (operation, kind, name, client)"
        " DO UPDATE SET count = g.count + excluded.count, last_at = now()",
        (*columns, [counts[key] for key in ordered], MOST_ROWS),
    )


def listed(tx: Transaction, limit: int = 1000) -> list[CountedUnknown]:
    """What was asked for, the most often first."""
    with tx.cursor(row_factory=class_row(CountedUnknown)) as cursor:
        cursor.execute(
            "SELECT operation, kind, name, client, count, first_at, last_at FROM gateway_unknown"
            " ORDER BY count DESC, operation, kind, name, client LIMIT %s",
            (limit,),
        )
        return cursor.fetchall()
