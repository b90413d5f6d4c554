"""Postgres: a pool, and `transaction()`, the only thing that commits.

Functions in the modules beside this one take the transaction first and hold all SQL.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from runhue_shared.settings import settings

Transaction = psycopg.Connection[tuple[Any, ...]]
"""An open transaction. Rows come back as tuples."""

RECONNECT_SOON = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq's settings (seconds, the last in ms) under which a server that vanished is noticed within 15 s.

Without the last one a statement on its way when that happens is sent again for a quarter of an hour.
"""

_pools: dict[str, ConnectionPool[Transaction]] = {}
_pools_lock = threading.Lock()


def _pool() -> ConnectionPool[Transaction]:
    url = settings().database_url
    with _pools_lock:
        pool = _pools.get(url)
        if pool is None:
            pool = ConnectionPool(
                url,
                min_size=1,
                max_size=20,
                max_idle=60,
                timeout=10,
                reconnect_timeout=5,
                check=ConnectionPool.check_connection,
                kwargs=RECONNECT_SOON,
                open=True,
                name="runhue",
            )
            _pools[url] = pool
    return pool


@contextmanager
def transaction(timeout: float | None = None) -> Iterator[Transaction]:
    """One transaction of the process's pool: commits at the end, rolls back on an exception.

    Raises:
        psycopg_pool.PoolTimeout: no connection within `timeout` seconds, 10 when None.
        psycopg.OperationalError: the server went away.
    """
    with _pool().connection(timeout) as connection:
        yield connection


@contextmanager
def snapshot(timeout: float | None = None) -> Iterator[Transaction]:
    """As `transaction()`, but it only reads, and every statement sees the same moment of the database.

    Whatever needs more than one statement to tell one thing must read so: between two statements of an
    ordinary transaction points move from tails to chunks, and chunks into others.
    """
    with transaction(timeout) as tx:
        tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield tx


def close_pool() -> None:
    """Close the process's connections; the next transaction opens new ones. Call after a fork."""
    with _pools_lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close(timeout=1)
