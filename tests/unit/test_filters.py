"""The filter language: what is parsed, what is refused, what a tree means."""

import math
from typing import Any

import pytest

from runhue_shared.filters import (
    EVERY_RUN,
    And,
    Comparison,
    InvalidFilter,
    Not,
    Or,
    field_named,
    matches,
    parse,
    parse_json,
)

RUN: dict[str, Any] = {
    "id": "abc",
    "name": "baseline",
    "state": "running",
    "group": None,
    "tags": ["a", "b"],
    "created_at": 1_000.0,
    "duration": 5.0,
    "config": {"lr": 0.1, "model.layers": 12, "opt": "adam", "amp": True, "note": None, "dims": [1, 2]},
    "summary": {"Loss": math.nan, "acc": 0.9, "huge": 2**53 + 1},
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, True),
        ({"state": "running"}, True),
        ({"state": {"$ne": "running"}}, False),
        ({"config.lr": {"$gte": 0.1, "$lt": 0.2}}, True),
        ({"config.lr": "0.1"}, False),
        ({"config.model.layers": 12.0}, True),
        ({"config.amp": 1}, False),
        ({"config.amp": True}, True),
        ({"config.absent": None}, True),
        ({"config.note": None}, True),
        ({"config.note": {"$exists": True}}, True),
        ({"config.absent": {"$ne": 3}}, True),
        ({"config.absent": {"$nin": [3]}}, True),
        ({"config.absent": {"$gt": 3}}, False),
        ({"config.absent": {"$not": {"$gt": 3}}}, True),
        ({"config.dims": {"$exists": True}}, True),
        ({"config.dims": {"$in": [1, None]}}, False),
        ({"config.opt": {"$regex": "^ad"}}, True),
        ({"config.lr": {"$regex": "0"}}, False),
        ({"config.LR": {"$exists": True}}, False),
        ({"summary.LOSS": "NaN"}, True),
        ({"summary.loss": {"$gt": "-Infinity"}}, False),
        ({"summary.loss": {"$ne": 0}}, True),
        ({"summary.huge": 2**53}, True),
        ({"summary.acc": {"$lt": "Infinity"}}, True),
        ({"group": None}, True),
        ({"group": {"$exists": False}}, True),
        ({"tags": "a"}, True),
        ({"tags": {"$ne": "a"}}, False),
        ({"tags": {"$in": ["x", "b"]}}, True),
        ({"tags": {"$gt": "a"}}, True),
        ({"created_at": {"$gte": "1970-01-01T00:16:40Z"}}, True),
        ({"created_at": {"$lt": "1970-01-01T00:16:40"}}, False),
        ({"duration": {"$lte": 5}}, True),
        ({"$or": [{"state": "failed"}, {"config.lr": 0.1}]}, True),
        ({"$nor": [{"state": "failed"}, {"config.lr": 0.1}]}, False),
        ({"$and": [{"state": "running"}, {"config.opt": "sgd"}]}, False),
        ({"$not": {"state": "running", "config.opt": "sgd"}}, True),
    ],
)
def test_meaning(document: dict[str, Any], expected: bool) -> None:
    """A filter means what MongoDB would mean by it."""
    assert matches(parse(document), RUN) is expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "filter"),
        ({"colour": 1}, "filter.colour"),
        ({"config.": 1}, "filter.config."),
        ({"$where": "1"}, "filter.$where"),
        ({"$and": []}, "filter.$and"),
        ({"$or": {"state": "running"}}, "filter.$or"),
        ({"$and": [{"state": 3}]}, "filter.$and.0.state"),
        ({"state": {}}, "filter.state"),
        ({"state": {"$like": "x"}}, "filter.state.$like"),
        ({"config.model": {"layers": 3}}, "filter.config.model.layers"),
        ({"config.lr": [1]}, "filter.config.lr"),
        ({"config.lr": {"$in": 1}}, "filter.config.lr.$in"),
        ({"config.lr": {"$in": [[1]]}}, "filter.config.lr.$in.0"),
        ({"config.lr": {"$in": list(range(1001))}}, "filter.config.lr.$in"),
        ({"config.lr": {"$gt": None}}, "filter.config.lr.$gt"),
        ({"config.lr": {"$gt": "NaN"}}, "filter.config.lr.$gt"),
        ({"config.lr": {"$exists": 1}}, "filter.config.lr.$exists"),
        ({"config.lr": {"$not": 1}}, "filter.config.lr.$not"),
        ({"name": {"$regex": 1}}, "filter.name.$regex"),
        ({"name": {"$regex": "x" * 1001}}, "filter.name.$regex"),
        ({"duration": {"$regex": "x"}}, "filter.duration.$regex"),
        ({"duration": "5"}, "filter.duration"),
        ({"duration": True}, "filter.duration"),
        ({"created_at": "yesterday"}, "filter.created_at"),
        ({"created_at": True}, "filter.created_at"),
        ({"name": "a\0b"}, "filter.name"),
        ({"name": "\ud800"}, "filter.name"),
        ({"name": "x" * 10_001}, "filter.name"),
    ],
)
def test_refusal_names_the_field_and_the_fix(document: Any, field: str) -> None:
    """What is not understood is refused by the path to it, with a way to mend it."""
    with pytest.raises(InvalidFilter) as caught:
        parse(document)

    assert caught.value.field == field
    assert caught.value.fix


def test_depth_and_size_are_bounded() -> None:
    """Nesting beyond 20 levels and more than 200 comparisons are refused with the bound."""
    deep: dict[str, Any] = {"state": "running"}
    for _ in range(30):
        deep = {"$not": deep}
    operators: dict[str, Any] = {"$gt": 1}
    for _ in range(30):
        operators = {"$not": operators}

    for document in (deep, {"config.lr": operators}, {"$or": [{"state": "running"}] * 201}):
        with pytest.raises(InvalidFilter) as caught:
            parse(document)
        assert caught.value.limit is not None


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "nonsense", '{"a": 1} x'])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    """A filter that is no JSON, or nests without end, is an invalid filter and nothing worse."""
    with pytest.raises(InvalidFilter, match="not JSON"):
        parse_json(text)


def test_tree_has_six_operators() -> None:
    """`$ne`, `$nin` and `$nor` become `Not`, so that a reader of trees meets six operators."""
    lr = field_named("config.lr")

    assert parse({"config.lr": {"$ne": 1, "$nin": [2]}}) == And(
        (Not(Comparison(lr, "$eq", 1.0)), Not(Comparison(lr, "$in", (2.0,))))
    )
    assert parse({"$nor": [{"config.lr": 1}]}) == Not(Or((Comparison(lr, "$eq", 1.0),)))
    assert parse_json(" ") == parse(None) == parse({}) == EVERY_RUN
    assert str(lr) == "config.lr"
