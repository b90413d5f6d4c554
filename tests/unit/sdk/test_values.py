"""Which keys and values log() takes, and what becomes of them."""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue import errors
from runhue._values import MAX_LIST_VALUES
from tests.unit.sdk.spooled import log_batch_of, offline_run, rows_of


class Phase(enum.Enum):
    TRAIN = "train"


@dataclasses.dataclass
class Score:
    precision: float
    recall: float


class TorchLike:
    """What a 0-d torch tensor offers."""

    shape = ()

    def item(self) -> float:
        return 0.5

    def tolist(self) -> float:
        return 0.5


class TensorFlowLike:
    """What an eager TensorFlow tensor offers."""

    shape = (2,)

    def numpy(self) -> Any:  # an array
        return np.array([1, 2])


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array(2.5), 2.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (TorchLike(), 0.5),
        (TensorFlowLike(), [1, 2]),
        (Phase.TRAIN, "train"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=90), 90.0),
        (decimal.Decimal("0.5"), 0.5),
        (pathlib.PurePosixPath("/data"), "/data"),
        ((1, 2.5, "x", None), [1, 2.5, "x", None]),
        ("lone \udc80 surrogate", "lone \\udc80 surrogate"),
        (2**70, 2**70),
        (-(2**64), -(2**64)),
        ([2**80], [2**80]),
        (True, True),
        (None, None),
    ],
)
def test_values_are_stored_in_their_plain_form(tmp_path: Path, value: object, stored: object) -> None:
    """Scalars, arrays and common types become what JSON can say."""
    with offline_run(tmp_path) as run:
        run.log({"key": value})
        run.log({"key": value}, step=5)

    rows = [values["key"] for _, values in rows_of(run.dir)]
    assert rows == [stored, stored]
    assert [type(found) for found in rows] == [type(stored)] * 2


def test_dataclass_is_nested(tmp_path: Path) -> None:
    """A dataclass logs its fields."""
    with offline_run(tmp_path) as run:
        run.log({"score": Score(0.5, 0.25)})

    assert rows_of(run.dir) == [(0, {"score.precision": 0.5, "score.recall": 0.25})]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324])
def test_unusual_doubles_survive(tmp_path: Path, value: float) -> None:
    """NaN, infinities, negative zero and subnormals come back bit for bit."""
    with offline_run(tmp_path) as run:
        run.log({"x": value})

    assert repr(rows_of(run.dir)[0][1]["x"]) == repr(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"bytes", "key: a builtins.bytes cannot be logged"),
        (object(), "key: a builtins.object cannot be logged"),
        (1j, "key: a builtins.complex cannot be logged"),
        ({"deep": {"deeper": b""}}, "key.deep.deeper: a builtins.bytes"),
        (np.full(MAX_LIST_VALUES + 1, "x"), "10,001 values is too large"),
        ([0] * (MAX_LIST_VALUES + 1), "at most 10,000 values"),
        (np.array([1 + 2j]), "key: a builtins.complex"),
    ],
)
def test_values_that_cannot_be_stored_are_named(tmp_path: Path, value: object, message: str) -> None:
    """A refused value raises a TypeError that names its key, and nothing is logged."""
    with offline_run(tmp_path) as run:
        with pytest.raises(TypeError, match=message):
            run.log({"fine": 1, "key": value})
        run.log({"fine": 2})

    assert rows_of(run.dir) == [(0, {"fine": 2})]


def test_a_value_that_holds_itself_is_refused(tmp_path: Path) -> None:
    """Endless nesting is an error, not a crash."""
    endless: list[Any] = []
    endless.append(endless)
    with offline_run(tmp_path) as run, pytest.raises(TypeError, match="nest at most"):
        run.log({"key": endless})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "must not be empty"),
        (3, "must be a str, got int"),
        (None, "must be a str, got NoneType"),
        ("k" * 501, "at most 500 characters, this one has 501"),
        ("lone \udc80", "valid Unicode"),
        ("_step", "reserved"),
    ],
)
def test_keys_that_cannot_be_stored_are_named(tmp_path: Path, key: Any, message: str) -> None:
    """A refused key raises a ValueError that says the limit, and nothing is logged."""
    with offline_run(tmp_path) as run:
        with pytest.raises(ValueError, match=message):
            run.log({key: 1})
        with pytest.raises(errors.BadKey):
            run.log({key: 1}, step=4)

    assert rows_of(run.dir) == []


def test_nesting_cannot_make_a_key_too_long(tmp_path: Path) -> None:
    """The limit holds for the dotted name."""
    with offline_run(tmp_path) as run, pytest.raises(ValueError, match="at most 500"):
        run.log({"a" * 300: {"b" * 300: 1}})


def test_only_dicts_can_be_logged(tmp_path: Path) -> None:
    """Something else than a dict is a TypeError."""
    with offline_run(tmp_path) as run, pytest.raises(TypeError, match="takes a dict"):
        run.log([1, 2])  # type: ignore[arg-type]  # what a careless script passes


def test_a_dict_may_be_reused_and_changed(tmp_path: Path) -> None:
    """What was logged is what the dict held then."""
    with offline_run(tmp_path) as run:
        reused: dict[str, float] = {"a": 1}
        run.log(reused)
        reused["a"] = 2
        assert run.summary["a"] == 1
        run.log(reused)

    assert rows_of(run.dir) == [(0, {"a": 1}), (1, {"a": 2})]


keys = st.text(min_size=1, max_size=8).filter(lambda key: key != "_step" and "_" not in key)
numbers = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=5))


@given(rows=st.lists(st.dictionaries(keys, numbers, max_size=4), max_size=8))
def test_any_plain_row_survives_to_the_wire(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    """Numbers, strings, bools and None of any key reach the batch unchanged."""
    with offline_run(tmp_path_factory.mktemp("run")) as run:
        for row in rows:
            run.log(row)

    logged = [(step, row) for step, row in enumerate(rows) if row]
    assert [repr(row) for row in rows_of(run.dir)] == [repr(row) for row in logged]
    batch = log_batch_of(run.dir)
    assert len(batch.rows or "") == len(logged)
