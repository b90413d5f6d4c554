"""Apply the numbered SQL files of `migrations/`, forward only, one transaction each."""

from importlib import resources

import psycopg

LOCK_KEY = 0x52_55_4E_48  # "RUNH": one migrator at a time on a database
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "60s"


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of every migration, in the order in which they are applied."""
    folder = resources.files("runhue_shared.db") / "migrations"
    files = {file.name.removesuffix(".sql"): file for file in folder.iterdir() if file.name.endswith(".sql")}
    return [(name, files[name].read_text(encoding="utf-8")) for name in sorted(files)]


def migrate(database_url: str) -> list[str]:
    """Bring the database up to this release; returns the names applied now.

    Safe to run from several processes at once, and again.

    Raises:
        psycopg.Error: a migration failed; those before it stay applied, it left nothing.
    """
    applied_now = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {name for (name,) in connection.execute("SELECT name FROM schema_migration")}
        for name, sql in migrations():
            if name in done:
                continue
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                connection.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
                connection.execute(sql)
                connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (name,))
            applied_now.append(name)
    return applied_now
