"""API keys: who they are, how they end, and the first one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runhue_server.web.auth import FRESH_SECONDS
from runhue_shared import db
from runhue_shared.db import Transaction, keys
from runhue_shared.settings import Settings
from tests.builders import make_team
from tests.integration.ingest.sender import Sender
from tests.waiting import eventually

PEPPER = b"pepper"


def test_key_is_forty_hex_digits_and_stored_as_a_digest(tx: Transaction) -> None:
    """The key is known to its holder only: the database has a prefix and a digest under the pepper."""
    key = keys.create(tx, make_team(tx), "laptop", ["ingest"], PEPPER)

    prefix, digest = tx.execute("SELECT prefix, digest FROM api_key").fetchall()[0]
    assert len(bytes.fromhex(key)) == 20
    assert prefix == key[:8]
    assert digest == keys.digest(key, PEPPER) != keys.digest(key, b"another")


@pytest.mark.parametrize("shown_as", ["{}", "local-{}"])
def test_key_names_its_team(tx: Transaction, shown_as: str) -> None:
    """A key is good with and without its optional prefix, and its use is noted."""
    key = keys.create(tx, make_team(tx), "laptop", ["ingest", "read"], PEPPER)

    principal = keys.authenticate(tx, shown_as.format(key), PEPPER)

    assert principal == keys.Principal(1, "main", frozenset({"ingest", "read"}), 1, "laptop")
    assert tx.execute("SELECT last_used_at = now() FROM api_key").fetchall() == [(True,)]


def test_admin_may_do_all(tx: Transaction) -> None:
    """The scope admin includes the others; the others include nothing."""
    team_id = make_team(tx)
    admin, reader = (
        keys.authenticate(tx, keys.create(tx, team_id, scope, [scope], PEPPER), PEPPER)
        for scope in ("admin", "read")
    )

    assert admin is not None
    assert reader is not None
    assert [admin.may(scope) for scope in ("ingest", "read", "admin")] == [True] * 3
    assert [reader.may(scope) for scope in ("ingest", "read", "admin")] == [False, True, False]


def test_bad_keys_are_nobody(tx: Transaction) -> None:
    """Unknown, expired and revoked keys, and a key under another pepper, are refused alike."""
    team_id = make_team(tx)
    past = datetime.now(UTC) - timedelta(seconds=1)
    good = keys.create(tx, team_id, "good", ["read"], PEPPER)
    expired = keys.create(tx, team_id, "expired", ["read"], PEPPER, expires_at=past)
    revoked = keys.create(tx, team_id, "revoked", ["read"], PEPPER)
    assert keys.revoke(tx, team_id, 3)
    assert keys.revoke(tx, team_id, 3)
    assert not keys.revoke(tx, team_id + 1, 1)

    assert keys.authenticate(tx, good, PEPPER) is not None
    assert keys.authenticate(tx, good, b"another") is None
    assert [keys.authenticate(tx, key, PEPPER) for key in (expired, revoked, good[:8] + "0" * 32, "")] == [
        None
    ] * 4


def test_key_without_scopes_is_not_made(tx: Transaction) -> None:
    """A key covers something, and only scopes that there are."""
    team_id = make_team(tx)

    with pytest.raises(ValueError, match="scopes must be some of"):
        keys.create(tx, team_id, "nothing", [], PEPPER)


def test_revoked_key_is_refused_within_five_seconds(sender: Sender) -> None:
    """A running service that has just seen the key stops taking it in time."""
    writer_id = sender.new_writer()
    with db.transaction() as tx:
        keys.revoke(tx, 1, 1)

    assert FRESH_SECONDS < 5
    assert eventually(lambda: sender.send_range(writer_id, 0, 0).status_code == 401, 5.0)


def test_first_key_is_made_once(clean_database: str, server_settings: Settings, tmp_path: Path) -> None:
    """The first start makes a team and a key that its owner alone can read; later starts return it."""
    made = [keys.ensure_first_key(clean_database, tmp_path / "new") for _ in range(2)]

    file = tmp_path / "new" / "api-key"
    assert made[0] == made[1] == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    with db.transaction() as tx:
        principal = keys.authenticate(tx, made[0], keys.pepper(server_settings))
        assert tx.execute("SELECT count(*) FROM api_key").fetchall() == [(1,)]
    assert principal is not None
    assert (principal.team_name, principal.scopes) == ("main", frozenset({"admin"}))


def test_first_key_is_learned_by_a_new_database(
    clean_database: str, server_settings: Settings, tmp_path: Path
) -> None:
    """A database made anew under an old data directory takes the key that is there."""
    first = keys.ensure_first_key(clean_database, tmp_path)
    with db.transaction() as tx:
        tx.execute("DELETE FROM team")

    assert keys.ensure_first_key(clean_database, tmp_path) == first
    with db.transaction() as tx:
        assert keys.authenticate(tx, first, keys.pepper(server_settings)) is not None


def test_pepper_is_made_once(tmp_path: Path) -> None:
    """Without a configured pepper one is kept in the data directory, readable by its owner only."""
    current = Settings(data_dir=tmp_path / "data", key_pepper="")

    first, again = keys.pepper(current), keys.pepper(current)

    assert first == again
    assert len(first) == 64
    assert (tmp_path / "data" / "key-pepper").stat().st_mode & 0o777 == 0o600
    assert keys.pepper(Settings(data_dir=tmp_path, key_pepper="own")) == b"own"
