"""Metric ids under concurrency and rollback."""

import threading

import psycopg

from runhue_shared.db.metrics import MetricIds, MetricSpace
from tests.builders import make_project, make_team


def _space(connection: psycopg.Connection) -> MetricSpace:
    team_id = make_team(connection)
    return MetricSpace(team_id, make_project(connection, team_id), "now", "history")


def test_ids_of_a_rolled_back_transaction_are_not_kept(clean_database: str) -> None:
    """An id that was never committed is asked for again."""
    names = MetricIds()
    with psycopg.connect(clean_database) as connection:
        space = _space(connection)
        connection.commit()
        gone = names.ids_of(connection, {space: ["loss"]})[space]["loss"]
        connection.rollback()
        names.forget()

        again = names.ids_of(connection, {space: ["loss"]})[space]["loss"]
        connection.commit()
        names.keep()

        assert connection.execute("SELECT id FROM metric").fetchall() == [(again,)]
        assert again != gone
        assert names.ids_of(connection, {space: ["loss"]})[space] == {"loss": again}


def test_two_processes_that_meet_a_name_at_once_agree(clean_database: str) -> None:
    """Names made by two transactions at the same time, in any order, have one id each."""
    with psycopg.connect(clean_database) as connection:
        space = _space(connection)
    barrier = threading.Barrier(2)
    found: list[dict[str, int]] = []

    def intern(keys: list[str]) -> None:
        with psycopg.connect(clean_database) as own:
            barrier.wait(10)
            found.append(MetricIds().ids_of(own, {space: keys})[space])

    keys = [f"k{number}" for number in range(200)]
    threads = [threading.Thread(target=intern, args=(order,)) for order in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 2
    assert found[0] == found[1]
