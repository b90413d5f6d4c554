"""What `runhue doctor` checks on a machine that runs the server; found by the entry point `runhue.doctor`."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import redis

from runhue._cli.checks import Check
from runhue_server.embedded.errors import EvictionPolicyError, StackError
from runhue_server.embedded.redis import check_policy
from runhue_server.storage.origins import content_of, origin_of
from runhue_shared.db import Transaction, diagnosis
from runhue_shared.settings import settings

OLDEST_POSTGRES = 160_000
CONNECT_SECONDS = 5
OLD_BATCH_SECONDS = 30.0
LONG_QUEUE = 1_000
QUEUES = ("aggregation", "coloring")


def server_machine_checks() -> Iterator[Check]:
    """Postgres, its schema and its inbox; Redis, its policy and its queues."""
    yield from postgres_checks(settings().database_url)
    yield from redis_checks(settings().redis_url)
    yield content_check(settings().public_url)


def content_check(public_url: str) -> Check:
    """Whether browsers get what users log from another origin than the app's."""
    app = origin_of(public_url)
    content = content_of(app)
    if not content:
        return Check(
            "content origin", "ok", "on this machine apart from the app's; RUNHUE_PUBLIC_URL is not set"
        )
    if app == content:
        found = f"pages that any team logs are on the app's own origin ({app}), in a sandbox"
        return Check("content origin", "warning", found, "name another host with RUNHUE_USERCONTENT_URL")
    shared = " for all teams, each page in a sandbox of its own"
    return Check("content origin", "ok", f"{content}, apart from {app}{shared}")


def postgres_checks(url: str) -> Iterator[Check]:
    """The database at `url`."""
    if not url:
        yield Check("postgres", "failure", "RUNHUE_DATABASE_URL is not set", "set it to a postgresql:// URL")
        return
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            yield from _database_checks(connection)
    except psycopg.Error as error:
        found = f"{_place(url)}: {' '.join(str(error).split())}"
        yield Check("postgres", "failure", found, "start Postgres, or correct RUNHUE_DATABASE_URL")


def redis_checks(url: str) -> Iterator[Check]:
    """The Redis or Valkey at `url`."""
    if not url:
        yield Check("redis", "failure", "RUNHUE_REDIS_URL is not set", "set it to a redis:// URL")
        return
    try:
        check_policy(url, seconds=CONNECT_SECONDS)
        yield Check("redis", "ok", f"{_place(url)}, never drops keys")
        yield queue_check(url)
    except EvictionPolicyError as error:
        yield Check("redis", "failure", str(error), "set maxmemory-policy noeviction")
    except (StackError, OSError, redis.RedisError) as error:
        yield Check("redis", "failure", str(error), "start Redis or Valkey, or correct RUNHUE_REDIS_URL")


def queue_check(url: str) -> Check:
    """Wake-ups that no worker has taken."""
    client = redis.Redis.from_url(url, socket_timeout=CONNECT_SECONDS)
    try:
        depths = {name: int(str(client.llen(name))) for name in QUEUES}
    finally:
        client.close()
    found = ", ".join(f"{name} {depth}" for name, depth in depths.items())
    if max(depths.values()) > LONG_QUEUE:
        return Check("queues", "warning", found, "start more workers: runhue worker <queue>")
    return Check("queues", "ok", found)


def _database_checks(tx: Transaction) -> Iterator[Check]:
    number, text = diagnosis.server_version(tx)
    old = number < OLDEST_POSTGRES
    yield Check(
        "postgres", "failure" if old else "ok", text, "update to Postgres 16 or newer" if old else None
    )
    missing = diagnosis.missing_migrations(tx)
    if missing:
        yield Check("schema", "failure", f"not applied: {', '.join(missing)}", "run `runhue migrate`")
        return
    yield Check("schema", "ok", "every migration is applied")
    yield from _work_checks(tx)


def _work_checks(tx: Transaction) -> Iterator[Check]:
    stopped = diagnosis.stopped_partitions(tx)
    for partition in stopped:
        found = f"partition {partition.part} stopped: {partition.reason}"
        fix = f"mend the cause, then: runhue resume-partition {partition.part}; nothing is lost meanwhile"
        yield Check("partitions", "failure", found, fix)
    if not stopped:
        yield Check("partitions", "ok", "none stopped")
    waits = diagnosis.waiting(tx)
    late = waits.oldest > OLD_BATCH_SECONDS
    found = f"{waits.batches} batches wait, the oldest for {waits.oldest:.0f} s"
    yield Check("inbox", "warning" if late else "ok", found, "start an aggregation worker" if late else None)
    dead = diagnosis.dead_letters(tx)
    advice = "see the health of the runs they belong to" if dead else None
    yield Check("dead letters", "warning" if dead else "ok", str(dead), advice)


def _place(url: str) -> str:
    """`url` without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
