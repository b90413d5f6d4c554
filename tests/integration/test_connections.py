"""Connections to Postgres: what is read at one moment, and how soon a lost server is noticed."""

import psycopg
import pytest

from runhue_shared import db
from runhue_shared.settings import Settings


@pytest.mark.usefixtures("server_settings")
def test_a_vanished_server_is_noticed_soon() -> None:
    """Every connection carries the limits without which a cut cable holds a worker for minutes."""
    with db.transaction() as tx:
        told = tx.info.get_parameters()

    assert told["tcp_user_timeout"] == "15000"
    assert int(told["keepalives_idle"]) + 3 * int(told["keepalives_interval"]) <= 15
    assert told["keepalives_count"] == "3"


def test_a_snapshot_stays_as_it_began(server_settings: Settings) -> None:
    """What others commit meanwhile is not seen, and nothing can be written."""
    with db.snapshot() as tx:
        assert tx.execute("SELECT count(*) FROM team").fetchall() == [(0,)]
        with db.transaction() as other:
            other.execute("INSERT INTO team (name) VALUES ('late')")

        assert tx.execute("SELECT count(*) FROM team").fetchall() == [(0,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), tx.transaction():
            tx.execute("INSERT INTO team (name) VALUES ('never')")
    with db.transaction() as tx:
        assert tx.execute("SELECT name FROM team").fetchall() == [("late",)]
