"""Numbers and filters beyond all measure cost nobody else anything, and are never asked for again."""

from collections.abc import Iterator

import httpx
import pytest

from runhue_server.gateway import artifact_uploads
from runhue_shared import db
from runhue_shared.db import artifact_collections, artifact_versions, filtering
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import COMMIT, Logger, manifest_of
from tests.integration.gateway.conftest import Client, key_of
from tests.integration.gateway.posting import (
    CONSOLE,
    HISTORY,
    Poster,
    chunk,
    console_of,
    refused_of,
    rows,
    state_of,
    stored_rows,
)
from tests.integration.storage.logged_run import log_run


@pytest.fixture
def poster(url: str) -> Iterator[Poster]:
    """A client that began run r1."""
    made = Poster(url, key_of("main", "ingest", "read"))
    with made.http:
        made.begin()
        yield made


@pytest.mark.parametrize("code", [3221225477, -(2**31), 2**31, 2**70, -(2**70)])
def test_exit_code(poster: Poster, code: int) -> None:
    """A code that is none of a process is a failure, and the last rows are kept."""
    poster.log(rows(0, 4), complete=True, exitcode=code)

    assert len(stored_rows()) == 5
    assert state_of() == ("failed", 1)
    assert refused_of() == {}


@pytest.mark.parametrize("offset", [-5, 2**41, 2**63, 2**70])
def test_offset(poster: Poster, offset: int) -> None:
    """Lines whose place is none are taken as the file's first; history that came with them is kept."""
    poster.post(files={**chunk(CONSOLE, ["said"], offset), **chunk(HISTORY, rows(0, 4))})

    assert len(stored_rows()) == 5
    assert console_of() == [("stdout", "said")]
    assert refused_of() == {}


def test_time_to_live(server_settings: Settings, client: Client) -> None:
    """A time to live of longer than calendars have keeps an artifact, and lets others end."""
    log_run(server_settings)
    with httpx.Client(timeout=30, trust_env=False) as plain:
        logger = Logger(client, plain)
        logger.log("long", {"a": b"1"}, ttlDurationSeconds=2**62)
        logger.log("short", {"a": b"2"}, ttlDurationSeconds=60)
    with db.transaction() as tx:
        tx.execute("UPDATE artifact SET committed_at = now() - interval '61 seconds'")
        assert artifact_versions.forget_expired(tx, 10) == 1
        found = tx.execute("SELECT state FROM artifact ORDER BY id").fetchall()

    assert found == [("COMMITTED",), ("DELETED",)]


def test_manifest(server_settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that is larger than memory is to hold is refused for good."""
    log_run(server_settings)
    monkeypatch.setattr(artifact_uploads, "MOST_MANIFEST_BYTES", 200)
    with httpx.Client(timeout=30, trust_env=False) as plain:
        logger = Logger(client, plain)
        made = logger.create("ds", {"a": b"1" * 300})
        node = logger.announce(made["id"])
        plain.put(node["file"]["uploadUrl"], content=manifest_of({"a" * 300: b"1"})).raise_for_status()
        told = logger.refused(COMMIT, artifactID=made["id"])

    assert "more than 200 bytes" in told


SLOW = r"^(a+)(a+)(a+)(a+)\\1\\2\\3\\4$"
COUNT = """query Runs($filters: JSONString) { project(name: "digits") {
  runs(filters: $filters) { totalCount } } }"""
RUN_COUNT = 'query Runs($filters: JSONString) { project(name: "digits") { runCount(filters: $filters) } }'
COLLECTIONS = """query Collections($filters: JSONString) { project(name: "digits") {
  artifactCollections(filters: $filters) { totalCount } } }"""


def test_slow_patterns(server_settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that takes too long is refused for good: a client would send it for minutes after a 503."""
    log_run(server_settings)
    with httpx.Client(timeout=30, trust_env=False) as plain:
        Logger(client, plain).log("a" * 127, {"a": b"1"})
    with db.transaction() as tx:
        tx.execute("UPDATE run SET name = repeat('a', 127)")
    monkeypatch.setattr(filtering, "FILTER_TIMEOUT", "50ms")
    monkeypatch.setattr(artifact_collections, "FILTER_TIMEOUT", "50ms")

    by_name = f'{{"displayName": {{"$regex": "{SLOW}"}}}}'
    answers = [client.post(query, filters=by_name) for query in (COUNT, RUN_COUNT)]
    answers.append(client.post(COLLECTIONS, filters=f'{{"name": {{"$regex": "{SLOW}"}}}}'))

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert all(answer.json()["errors"][0]["extensions"]["field"] == "filters" for answer in answers)
