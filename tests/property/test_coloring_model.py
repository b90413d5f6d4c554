"""After any sequence of operations, the stored colors are those of a computation from scratch (G5, G6)."""

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db.color_settings import read_settings
from runhue_shared.db.workspaces import filter_text, update_workspace
from tests.integration.coloring.logged_project import LoggedProject, check_colors

RUNS = [f"r{index}" for index in range(6)]
VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 0.2, 0.3, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]),
    st.floats(),
    st.sampled_from(["a", "b", "", True, False, None, 1, 2**60, "NaN"]),
)
SETTINGS = st.sampled_from(
    [
        {"key": {"source": "metric", "name": "Loss"}},
        {"key": {"source": "metric", "name": "loss"}, "y": "max", "buckets": 3},
        {"key": {"source": "metric", "name": "loss"}, "y": "min", "scale": "log"},
        {"key": {"source": "metric", "name": "loss", "type": "string"}, "buckets": 2},
        {"key": {"source": "metric", "name": "loss", "type": "number"}, "scale": "quantile", "buckets": 4},
        {"key": {"source": "metric", "name": "loss"}, "per_group": True},
        {"key": {"source": "metric", "name": "loss"}, "population": "visible", "per_group": True},
        {"key": {"source": "config", "name": "lr"}, "coerce_numeric_strings": True},
        {"key": {"source": "config", "name": "lr"}, "population": "visible"},
        {},
    ]
)
FILTERS = st.sampled_from(
    [
        None,
        {"config.lr": {"$exists": True}},
        {"group": {"$in": ["g", "h"]}},
        {"state": "running"},
    ]
)
RUN = st.sampled_from(RUNS)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), RUN, st.integers(0, 3), VALUES),
        st.tuples(st.just("configure"), RUN, VALUES),
        st.tuples(st.just("summarize"), RUN, VALUES),
        st.tuples(st.just("rewind"), RUN, st.integers(-1, 2)),
        st.tuples(st.just("delete"), RUN),
        st.tuples(st.just("finish"), RUN),
        st.tuples(st.just("move"), RUN, st.sampled_from([None, "g", "h"])),
        st.tuples(st.just("flush")),
        st.tuples(st.just("settings"), SETTINGS),
        st.tuples(st.just("filter"), FILTERS),
        st.tuples(st.just("hide"), st.lists(RUN, max_size=3)),
    ),
    max_size=25,
)


class ColoredProject:
    """A project with two workspaces, one that operations change and one that stays."""

    def __init__(self, tx: psycopg.Connection[Any]) -> None:
        self.project = LoggedProject(tx)
        self.steady = self.project.workspace({"key": {"source": "metric", "name": "loss"}})
        self.changing = self.project.workspace({})
        self.filter: Any = None
        self.hidden: list[str] = []

    def apply(self, name: str, *arguments: Any) -> None:
        getattr(self, name)(*arguments)

    def log(self, run: str, step: int, value: Any) -> None:
        self.project.log(run, "loss", {step: value})

    def configure(self, run: str, value: Any) -> None:
        self._with_run(run)
        self.project.configure(run, "lr", value)

    def summarize(self, run: str, value: Any) -> None:
        self._with_run(run)
        self.project.summarize(run, "loss", value)

    def rewind(self, run: str, step: int) -> None:
        if "loss" in self._with_run(run).points:
            self.project.rewind(run, "loss", step)

    def delete(self, run: str) -> None:
        self._with_run(run)
        self.project.delete(run)

    def finish(self, run: str) -> None:
        self._with_run(run)
        self.project.finish(run)

    def move(self, run: str, group: str | None) -> None:
        self._with_run(run)
        self.project.move_to_group(run, group)

    def flush(self) -> None:
        self.project.flush()

    def settings(self, colors: Any) -> None:
        self.project.set_colors(self.changing, colors)

    def hide(self, runs: list[str]) -> None:
        self.hidden = runs
        update_workspace(self.project.tx, self.changing, hidden_runs=runs)

    def _with_run(self, run: str) -> Any:
        return self.project.runs.get(run) or self.project.add_run(run)

    def check(self) -> None:
        self.flush()
        assert self.project.flush() == 0, "a second flush has nothing to do"
        steady = parse_settings({"key": {"source": "metric", "name": "loss"}})
        check_colors(self.project.tx, self.steady, self.project.reference(steady))
        current = read_settings(self.project.tx, self.changing).settings
        expected = self.project.reference(current, filter_=self.filter, hidden=self.hidden)
        check_colors(self.project.tx, self.changing, expected)


@pytest.fixture
def connection(clean_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(clean_database) as opened:
        yield opened
        opened.rollback()


@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_ends_in_the_colors_from_scratch(
    connection: psycopg.Connection[Any], operations: list[tuple[Any, ...]]
) -> None:
    """Logging, rewriting, deleting, grouping, filtering, hiding in any order end as the reference."""
    try:
        colored = ColoredProject(connection)
        for name, *arguments in operations:
            if name == "filter":
                _filter(colored, arguments[0])
            else:
                colored.apply(name, *arguments)
        colored.check()
    finally:
        connection.rollback()


def _filter(colored: ColoredProject, document: Any) -> None:
    colored.filter = document
    text = filter_text(document)
    update_workspace(colored.project.tx, colored.changing, filter_=text)
