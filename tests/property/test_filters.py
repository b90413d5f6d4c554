"""Filters mean the same in Python and in Postgres."""

import json
import math
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from runhue_shared.db import Transaction
from runhue_shared.db.filtering import check_patterns, condition
from runhue_shared.filters import InvalidFilter, matches, parse

KEYS = ("lr", "a.b", "Opt")
TEXT = st.sampled_from(["", "a", "b", "ab", "Ab", "é", "𝄞", "￿", "true", "1", 'q"\\u0000\n'])
NUMBERS = st.sampled_from([0, -0.0, 1, 1.5, -3, 2**53, 2**53 + 1, 10**400, math.nan, math.inf, -math.inf])
VALUES = st.one_of(NUMBERS, TEXT, st.booleans(), st.none(), st.just([1]))
OPTIONAL_TEXT = st.one_of(st.none(), TEXT)


def values(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), VALUES)


RUNS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "state": st.sampled_from(["running", "finished"]),
        "group": OPTIONAL_TEXT,
        "job_type": OPTIONAL_TEXT,
        "notes": OPTIONAL_TEXT,
        "tags": st.lists(TEXT, max_size=2),
        "duration": st.sampled_from([0.0, 1.0, 2.5]),
        "created_at": st.sampled_from([1000.0, 2000.0]),
        "config": values(),
        "logged": values(),
        "manual": values(),
    }
)


def spoken(value: Any) -> Any:
    """A value as a filter writes it: non-finite numbers are strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


FREE = st.one_of(NUMBERS, TEXT, st.booleans(), st.none()).map(spoken)
FREE_ORDERED = st.one_of(NUMBERS.filter(lambda value: value == value), TEXT).map(spoken)
PATTERNS = st.sampled_from(["", "a", "^a", "b$", "[ab]+", "a|é", "^$", r"\\"])


def operators(same: Any, ordered: Any, patterns: bool) -> st.SearchStrategy[dict[str, Any]]:
    choices: dict[str, Any] = {
        "$eq": same,
        "$ne": same,
        "$in": st.lists(same, max_size=3),
        "$nin": st.lists(same, max_size=3),
        "$exists": st.booleans(),
        **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), ordered),
    }
    if patterns:
        choices["$regex"] = PATTERNS
    single = st.sampled_from(sorted(choices)).flatmap(
        lambda name: choices[name].map(lambda operand: {name: operand})
    )
    return st.one_of(single, single.map(lambda inner: {"$not": inner}))


def named(names: list[str], operator: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from(names), operator).map(lambda pair: {pair[0]: pair[1]})


SECTIONS = [f"{section}.{key}" for section in ("config", "summary") for key in (*KEYS, "LR", "none")]
LEAVES = st.one_of(
    named(SECTIONS, operators(FREE, FREE_ORDERED, patterns=True)),
    named(["name", "group", "job_type", "notes", "tags"], operators(OPTIONAL_TEXT, TEXT, patterns=True)),
    named(
        ["duration", "created_at"],
        operators(st.sampled_from([0, 1, 2.5, 1000]), st.just(1000), patterns=False),
    ),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        inner.map(lambda document: {"$not": document}),
    ),
    max_leaves=4,
)


def typed(value: Any) -> tuple[str, float | None, str | None, bool | None]:
    if value is None or isinstance(value, list):
        return ("other" if value else "null", None, None, None)
    if isinstance(value, bool):
        return ("bool", None, None, value)
    if isinstance(value, str):
        return ("string", None, value, None)
    return ("number", math.inf if value == 10**400 else float(value), None, None)


def store(tx: Transaction, run: dict[str, Any]) -> tuple[int, int]:
    """One run in a project of its own: (project id, run id)."""
    (team,) = tx.execute("INSERT INTO team (name) VALUES ('filters') RETURNING id").fetchone() or (0,)
    (project,) = tx.execute(
        "INSERT INTO project (team_id, name) VALUES (%s, 'p') RETURNING id", (team,)
    ).fetchone() or (0,)
    (run_id,) = tx.execute(
        "INSERT INTO run (team_id, project_id, public_id, part, name, state, group_name, job_type, notes,"
        " tags, started_at, created_at, finished_at) VALUES (%s, %s, 'abc', 0, %s, %s, %s, %s, %s, %s, 500,"
        " to_timestamp(%s), to_timestamp(%s)) RETURNING id",
        (team, project, run["name"], run["state"], run["group"], run["job_type"], run["notes"], run["tags"],
         run["created_at"], 500 + run["duration"]),
    ).fetchone() or (0,)  # fmt: skip
    for path, value in run["config"].items():
        tx.execute(
            "INSERT INTO run_config (team_id, run_id, project_id, path, type, number, string, bool)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (team, run_id, project, path, *typed(value)),
        )
    for key in run["logged"].keys() | run["manual"].keys():
        (metric,) = tx.execute(
            "INSERT INTO metric (team_id, project_id, folded, name) VALUES (%s, %s, %s, %s) RETURNING id",
            (team, project, key.casefold(), key),
        ).fetchone() or (0,)
        if key in run["logged"]:
            log(tx, team, run_id, metric, run["logged"][key])
        if key in run["manual"]:
            type_, number, _, _ = typed(run["manual"][key])
            tx.execute(
                "INSERT INTO run_summary (team_id, run_id, metric_id, type, number, json)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (team, run_id, metric, type_, number, json.dumps(run["manual"][key])),
            )
    return project, run_id


def log(tx: Transaction, team: int, run_id: int, metric: int, value: Any) -> None:
    """The value as the last point, after an earlier point of each other type."""
    for step, point in ((1, "old"), (2, 7), (3, True), (9, value)):
        type_, number, _, boolean = typed(point)
        if step < 9 and type_ == typed(value)[0]:
            continue
        tx.execute(
            "INSERT INTO run_metric (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord,"
            " last, last_json) VALUES (%s, %s, %s, %s, 1, %s, %s, 0, %s, %s)",
            (team, run_id, metric, type_, step, step, number if boolean is None else float(boolean),
             json.dumps(point)),
        )  # fmt: skip


@given(run=RUNS, documents=st.lists(FILTERS, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_and_postgres_agree(
    tx: Transaction, run: dict[str, Any], documents: list[dict[str, Any]]
) -> None:
    """Every filter is true of the same runs in both, whatever types and gaps the runs have."""
    seen = {**run, "id": "abc", "summary": {**run["logged"], **run["manual"]}}
    with tx.transaction(force_rollback=True):
        project, run_id = store(tx, run)
        for document in documents:
            parsed = parse(document)
            test = condition(parsed, None, project)
            (stored,) = tx.execute(
                sql.SQL("SELECT {} FROM run r WHERE r.id = %(run)s").format(test.sql),
                {**test.params, "run": run_id},
            ).fetchone() or (None,)

            assert stored is matches(parsed, seen), document


@given(pattern=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_pattern_is_read_or_refused(tx: Transaction, pattern: str) -> None:
    """A regular expression that Postgres cannot read is an invalid filter; no other error gets out."""
    with tx.transaction(force_rollback=True):
        parsed = parse({"name": {"$regex": pattern}})
        try:
            check_patterns(tx, parsed, pattern)
        except InvalidFilter:
            return
        test = condition(parsed, pattern, 1)
        try:
            tx.execute(sql.SQL("SELECT count(*) FROM run r WHERE {}").format(test.sql), test.params)
        except psycopg.errors.InvalidRegularExpression:
            pytest.fail(f"accepted {pattern!r} and could not run it")


def test_search_looks_at_name_and_id(tx: Transaction) -> None:
    """The search matches a name or an id, and joins the filter with and."""
    run: dict[str, Any] = dict.fromkeys(("group", "job_type", "notes"))
    run |= {"name": "ab", "state": "running", "tags": [], "duration": 0.0, "created_at": 1.0}
    run |= {"config": {}, "logged": {}, "manual": {}}
    with tx.transaction(force_rollback=True):
        project, _ = store(tx, run)

        def found(search: str, document: dict[str, Any]) -> bool:
            test = condition(parse(document), search, project)
            query = sql.SQL("SELECT 1 FROM run r WHERE {}").format(test.sql)
            return tx.execute(query, test.params).fetchone() is not None

        assert found("^ab$", {})
        assert found("c$", {})
        assert not found("x", {})
        assert not found("ab", {"state": "failed"})
