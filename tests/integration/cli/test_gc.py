"""`runhue gc`: what nothing names goes at once, or is only counted."""

import pytest
from click.testing import CliRunner

from runhue_server.cli import server_commands
from runhue_server.doctor import content_check
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.db import blobs
from runhue_shared.db.blobs import Blob
from runhue_shared.settings import BadSettings, Settings, settings
from tests.builders import make_team
from tests.conftest import forget_settings


def test_gc(server_settings: Settings) -> None:
    """A dry run counts and removes nothing; the real one removes that much, and then there is nothing."""
    with db.transaction() as tx:
        team_id = make_team(tx)
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(b"nothing names it")
        stored = store.keep(team_id, spool)
    with db.transaction() as tx:
        blobs.insert(tx, team_id, Blob(*stored))
        tx.execute("UPDATE blob SET touched_at = now() - interval '2 days'")

    for arguments, told in (
        (["gc", "--dry-run"], "would remove 1 blobs that nothing names, 16 bytes"),
        (["gc"], "removed 1 blobs that nothing names, 16 bytes"),
        (["gc"], "removed 0 blobs that nothing names, 0 bytes"),
    ):
        done = CliRunner().invoke(server_commands, arguments)
        assert (done.exit_code, done.output.splitlines()[0]) == (0, told)

    assert not store.holds(team_id, stored.sha256)


@pytest.mark.parametrize(
    ("public", "usercontent", "state"),
    [
        ("", "", "ok"),
        ("http://127.0.0.1:8080", "", "ok"),
        ("https://runhue.example.org", "", "warning"),
        ("https://runhue.example.org", "https://content.example.net", "ok"),
    ],
)
def test_doctor_looks_at_the_contents_origin(
    server_settings: Settings, monkeypatch: pytest.MonkeyPatch, public: str, usercontent: str, state: str
) -> None:
    """The doctor says when pages that teams log are on the app's own origin."""
    monkeypatch.setenv("RUNHUE_USERCONTENT_URL", usercontent)
    forget_settings()

    assert content_check(public).state == state


@pytest.mark.parametrize(
    "url", ["content.example.net", "ftp://x", "https://a/b", "https://user@a", "https://runhue.example.org"]
)
def test_bad_content_origins(server_settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An address that is no origin, or the app's own, is refused by the variable's name."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", "https://runhue.example.org")
    monkeypatch.setenv("RUNHUE_USERCONTENT_URL", url)
    forget_settings()

    with pytest.raises(BadSettings, match="RUNHUE_USERCONTENT_URL"):
        settings()
    monkeypatch.delenv("RUNHUE_USERCONTENT_URL")
    forget_settings()
