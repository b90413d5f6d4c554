"""API keys: 40 hex characters, stored as HMAC-SHA256 under a pepper that is not in the database."""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import psycopg
from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.settings import Settings, settings

Scope = Literal["ingest", "read", "admin"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))

KEY_BYTES = 20
PREFIX_LENGTH = 8
OPTIONAL_PREFIX = "local-"
"""Clients that want a dash in a key may write it before one; it is no part of the key."""

FIRST_KEY_FILE = "api-key"
PEPPER_FILE = "key-pepper"
FIRST_KEY_LOCK = 0x52_55_4E_4B  # one process at a time makes the first key


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key speaks for: a team, or one project of it when `project_id` is set."""

    team_id: int
    team_name: str
    scopes: frozenset[str]
    key_id: int
    key_name: str
    project_id: int | None = None
    project_name: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key covers `scope`; `admin` covers all."""
        return scope in self.scopes or "admin" in self.scopes

    def reaches(self, project_id: int) -> bool:
        """Whether the key is good for that project of its team."""
        return self.project_id in (None, project_id)


class KeyRow(NamedTuple):
    """A key as its team may see it; the key itself is nowhere."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    project: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: int | None


def new_key() -> str:
    """A fresh key: 160 random bits as 40 hex characters."""
    return secrets.token_hex(KEY_BYTES)


def digest(key: str, pepper: bytes) -> bytes:
    """What is stored of a key, 32 bytes."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).digest()


def create(
    tx: Transaction,
    team_id: int,
    name: str,
    scopes: Collection[Scope],
    pepper: bytes,
    *,
    key: str | None = None,
    expires_at: datetime | None = None,
    project_id: int | None = None,
) -> str:
    """Store a new key of the team, or of one project of it, and return it; it is never readable again.

    Raises:
        ValueError: a scope is none of `SCOPES`.
    """
    unknown = set(scopes) - SCOPES
    if unknown or not scopes:
        raise ValueError(f"scopes must be some of {sorted(SCOPES)}, got {sorted(scopes)}")
    key = key or new_key()
    tx.execute(
        "INSERT INTO api_key (team_id, name, prefix, digest, scopes, expires_at, project_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (team_id, name, key[:PREFIX_LENGTH], digest(key, pepper), sorted(scopes), expires_at, project_id),
    )
    return key


def authenticate(tx: Transaction, key: str, pepper: bytes) -> Principal | None:
    """Whose key this is; None when it is unknown, expired or revoked. Notes the use at most once a minute."""
    key = key.removeprefix(OPTIONAL_PREFIX)
    if "\0" in key:  # no stored text holds it, and Postgres would refuse the question
        return None
    wanted = digest(key, pepper)
    rows = tx.execute(
        "SELECT k.id, k.name, k.digest, k.scopes, t.id, t.name, p.id, p.name,"
        " k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'"
        " FROM api_key k JOIN team t ON t.id = k.team_id LEFT JOIN project p ON p.id = k.project_id"
        " WHERE k.prefix = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())",
        (key[:PREFIX_LENGTH],),
    ).fetchall()
    found = None
    for key_id, name, stored, scopes, team_id, team_name, project_id, project_name, stale in rows:
        # Every candidate is compared, so that the time taken does not tell which one it was.
        if hmac.compare_digest(bytes(stored), wanted):
            found = Principal(team_id, team_name, frozenset(scopes), key_id, name, project_id, project_name)
            if stale:
                _note_use(tx, key_id)
    return found


def prefix_of(tx: Transaction, key_id: int) -> str:
    """The first characters of a key, by which people tell keys apart; empty when there is no such key."""
    row = tx.execute("SELECT prefix FROM api_key WHERE id = %s", (key_id,)).fetchone()
    return "" if row is None else str(row[0])


def _note_use(tx: Transaction, key_id: int) -> None:
    # Another process may be noting the same use; waiting for it would be for nothing.
    tx.execute(
        "UPDATE api_key SET last_used_at = now() WHERE id ="
        " (SELECT id FROM api_key WHERE id = %s FOR UPDATE SKIP LOCKED)",
        (key_id,),
    )


class Team(NamedTuple):
    """A team that a key reaches."""

    id: int
    name: str


def team_reached(tx: Transaction, key_id: int, name: str) -> Team | None:
    """The team of that name, when the key is good for it beside its own; never for a key of one project."""
    if "\0" in name:
        return None
    row = tx.execute(
        "SELECT t.id, t.name FROM team t JOIN api_key_reach r ON r.team_id = t.id"
        " JOIN api_key k ON k.id = r.key_id AND k.project_id IS NULL WHERE r.key_id = %s AND t.name = %s",
        (key_id, name),
    ).fetchone()
    return None if row is None else Team(*row)


def teams_reached(tx: Transaction, key_id: int) -> list[Team]:
    """Every team that the key is good for, its own first."""
    rows = tx.execute(
        "SELECT t.id, t.name FROM api_key k JOIN team t ON t.id = k.team_id WHERE k.id = %(key)s"
        " UNION ALL (SELECT t.id, t.name FROM api_key_reach r JOIN team t ON t.id = r.team_id"
        " JOIN api_key k ON k.id = r.key_id AND k.project_id IS NULL"
        " WHERE r.key_id = %(key)s ORDER BY t.name)",
        {"key": key_id},
    )
    return [Team(*row) for row in rows]


def revoke(tx: Transaction, team_id: int, key_id: int) -> bool:
    """Refuse the key from now on; False when the team has no such key. Idempotent."""
    done = tx.execute(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s AND team_id = %s",
        (key_id, team_id),
    )
    return done.rowcount == 1


def rotate(tx: Transaction, team_id: int, key_id: int, pepper: bytes, overlap: timedelta) -> str | None:
    """A new key in the place of a team's valid one, which goes on for `overlap`; None when there is no such.

    The new key has the old one's name, scopes, project and expiry.
    """
    rows = tx.execute(
        "SELECT name, scopes, expires_at, project_id FROM api_key WHERE id = %s AND team_id = %s"
        " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) FOR UPDATE",
        (key_id, team_id),
    ).fetchall()
    if not rows:
        return None
    name, scopes, expires_at, project_id = rows[0]
    key = create(tx, team_id, name, scopes, pepper, expires_at=expires_at, project_id=project_id)
    tx.execute(
        "UPDATE api_key SET expires_at = least(expires_at, now() + %s),"
        " replaced_by = (SELECT id FROM api_key WHERE digest = %s) WHERE id = %s",
        (overlap, digest(key, pepper), key_id),
    )
    return key


def keys_of_team(tx: Transaction, team_id: int) -> list[KeyRow]:
    """The team's keys, the newest first, revoked and expired ones too."""
    with tx.cursor(row_factory=class_row(KeyRow)) as cursor:
        cursor.execute(
            "SELECT k.id, k.name, k.prefix, k.scopes, p.name AS project, k.created_at, k.expires_at,"
            " k.revoked_at, k.last_used_at, k.replaced_by"
            " FROM api_key k LEFT JOIN project p ON p.id = k.project_id"
            " WHERE k.team_id = %s ORDER BY k.id DESC",
            (team_id,),
        )
        return cursor.fetchall()


def team_id(tx: Transaction, name: str) -> int:
    """The team's id; the team is made when it is new."""
    row = tx.execute(
        "INSERT INTO team (name) VALUES (%s)"
        " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        (name,),
    ).fetchall()[0]
    return int(row[0])


def pepper(current: Settings) -> bytes:
    """The secret under which keys are stored: `key_pepper`, or the one kept in the data directory.

    Raises:
        OSError: the data directory is not writable.
    """
    if current.key_pepper:
        return current.key_pepper.encode()
    path = current.data_dir / PEPPER_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return _write_once(path, secrets.token_hex(32).encode())


def ensure_first_key(database_url: str, data_dir: Path) -> str:
    """The key of the first team (`settings().first_team`), made at the first start.

    It is kept in `data_dir/api-key`, readable by the owner only. A database that lost the
    key (a fresh one under an old data directory) learns it again.

    Raises:
        psycopg.OperationalError: the database is away.
        OSError: the data directory is not writable.
    """
    current = settings().model_copy(update={"data_dir": data_dir})
    secret = pepper(current)
    key = _write_once(data_dir / FIRST_KEY_FILE, new_key().encode()).decode().strip()
    with psycopg.connect(database_url) as tx:
        tx.execute("SELECT pg_advisory_xact_lock(%s)", (FIRST_KEY_LOCK,))
        stored = tx.execute("SELECT 1 FROM api_key WHERE digest = %s", (digest(key, secret),)).fetchone()
        if stored is None:
            create(tx, team_id(tx, current.first_team), "first", ["admin"], secret, key=key)
    return key


def _write_once(path: Path, content: bytes) -> bytes:
    """Create `path` with `content`, mode 0600 and on disk, unless it exists; returns what it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a rename would replace the file of a process that was faster.
        os.link(temporary, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        Path(temporary).unlink()
    _sync_directory(path.parent)
    return content


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
