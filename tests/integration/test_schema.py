"""`schema.sql` is what the migrations make, so that the whole schema can be read in one place."""

from pathlib import Path

import psycopg

from runhue_shared.db.migrate import migrate, migrations
from tests.integration.schema_file import SCHEMA, schema_of


def test_schema_file_is_what_the_migrations_make(database_url: str, tmp_path: Path) -> None:
    """After a change of migrations, `make schema` has been run."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_of(database_url, tmp_path)


def test_migrating_twice_applies_nothing_more(database_url: str) -> None:
    """A second migrator finds everything done."""
    assert migrate(database_url) == []


def test_every_migration_is_recorded(database_url: str) -> None:
    """The table of applied migrations names each file once."""
    with psycopg.connect(database_url) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM schema_migration ORDER BY name")]

    assert names == [name for name, _ in migrations()]
