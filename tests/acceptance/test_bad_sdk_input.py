"""Bad input through the SDK: an error at the call or a stored value, and a run that goes on either way."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import runhue
from runhue._errors import BadKey, BadValue, ConfigChanged, ServerRefused, UsageError
from runhue._run import Run
from runhue._settings import Settings
from tests.acceptance.bad_input import PROJECT, Doors, nested, until

pytestmark = pytest.mark.stack

HALF = "\ud800"
LAST_STEP = 2**63 - 1


@pytest.fixture
def settings(doors: Doors, tmp_path: Path) -> Settings:
    return Settings(
        base_url=doors.stack.api_url,
        api_key=doors.stack.api_key,
        dir=tmp_path,
        silent=True,
        console="off",
        metadata=False,
        system_metrics_interval=0,
        reinit="create_new",
    )


@pytest.fixture
def log(doors: Doors, settings: Settings) -> Callable[[Callable[[Run], None]], str]:
    """Log a good row, do something, log a good row and finish; returns the run's id once it is folded."""

    def around(act: Callable[[Run], None]) -> str:
        run_id = doors.new_run()
        with runhue.init(PROJECT, id=run_id, settings=settings) as run:
            run.log({"loss": 0.25})
            act(run)
            run.log({"loss": 0.75})
        until(lambda: doors.settled(run_id)["writers"][0]["finished"])
        return run_id

    return around


def losses(doors: Doors, run: str) -> list[float]:
    return [row["loss"] for row in doors.rows(run) if "loss" in row]


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({"": 1}, BadKey, "empty"),
    ({"k" * 501: 1}, BadKey, "500"),
    ({"_step": 1}, BadKey, "_step"),
    ({"_STEP": 1}, BadKey, "_step"),
    ({HALF: 1}, BadKey, "Unicode"),
    ({7: 1}, BadKey, "int"),
    ({"a": {HALF: 1}}, BadKey, "Unicode"),
    ({"a": {"k" * 499: 1}}, BadKey, "500"),
    ({"a": nested(66)}, BadValue, "64"),
    ({"a": CYCLE}, BadValue, "64"),
    ({"a": [0] * 10_001}, BadValue, "10,000"),
    ({"a": object()}, BadValue, "object"),
    ({"a": b"\xff"}, BadValue, "bytes"),
    ({"a": 1j}, BadValue, "complex"),
    ({"a": 10**5000}, BadValue, "digits"),
    ({"a": [10**5000]}, BadValue, "digits"),
    ("loss", BadValue, "dict"),
    (None, BadValue, "dict"),
]


@pytest.mark.parametrize(("values", "error", "words"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_refused_at_the_call(
    doors: Doors, log: Callable[[Callable[[Run], None]], str], values: Any, error: type[Exception], words: str
) -> None:
    """What cannot be stored is refused where it is logged, and the rows around it arrive."""

    def act(run: Run) -> None:
        with pytest.raises(error, match=words):
            run.log(values)

    run = log(act)

    assert losses(doors, run) == [0.25, 0.75]
    assert doors.settled(run)["dead_letters"] == []


STEPS: list[tuple[Any, type[Exception]]] = [
    (-1, UsageError), (LAST_STEP + 1, UsageError), (-(2**63), UsageError), (1.5, BadValue), ("7", BadValue),
    (math.nan, BadValue), (10**400, UsageError),
]  # fmt: skip


@pytest.mark.parametrize(("step", "error"), STEPS)
def test_step_that_is_none(
    doors: Doors, log: Callable[[Callable[[Run], None]], str], step: Any, error: type[Exception]
) -> None:
    """A step that cannot be is refused at the call."""

    def act(run: Run) -> None:
        with pytest.raises(error, match="step"):
            run.log({"loss": 9.0}, step=step)

    assert losses(doors, log(act)) == [0.25, 0.75]


def test_last_step(doors: Doors, settings: Settings) -> None:
    """Step 2^63 - 1 is logged; a row behind it is refused at the call."""
    run_id = doors.new_run()

    with runhue.init(PROJECT, id=run_id, settings=settings) as run:
        run.log({"loss": 0.25}, step=LAST_STEP, commit=True)
        with pytest.raises(UsageError, match="last"):
            run.log({"loss": 0.75})
    doors.settled(run_id)

    assert doors.rows(run_id)[0]["_step"] == LAST_STEP


STORED: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
    ({"a": math.nan, "b": math.inf, "c": -math.inf}, {"a": "NaN", "b": "Infinity", "c": "-Infinity"}),
    ({"a": "NaN", "b": "nan"}, {"a": "NaN", "b": "nan"}),
    ({"a": -0.0}, {"a": -0.0}),
    ({"a": 10**400, "b": -(2**64), "c": 2**53 + 1}, {"a": 10**400, "b": -(2**64), "c": 2**53 + 1}),
    ({"a": f"x{HALF}y"}, {"a": "x\\ud800y"}),
    ({"a": "x\0y"}, {"a": "x\0y"}),
    ({"Acc": 1.0, "acc": 2.0}, {"acc": 2.0}),
    ({"a": {"b": 1, "c": {"d": 2}}}, {"a.b": 1, "a.c.d": 2}),
    ({"a.b": 1, "a": {"b": 2}}, {"a.b": 1}),
    ({"'; DROP TABLE run; --": 1.0}, {"'; DROP TABLE run; --": 1.0}),
    ({"a": nested(60)}, {"a": nested(60)}),
]


@pytest.mark.parametrize(("values", "expected"), STORED, ids=map(str, range(len(STORED))))
def test_odd_but_stored(
    doors: Doors,
    log: Callable[[Callable[[Run], None]], str],
    values: Mapping[str, Any],
    expected: Mapping[str, Any],
) -> None:
    """What can be stored is stored exactly, and a lone surrogate in a readable form."""
    run = log(lambda run: run.log(dict(values)))

    _, row, _ = doors.rows(run)
    folded = {
        key.casefold(): value for key, value in row.items() if key not in ("_step", "_timestamp", "_runtime")
    }
    assert folded == {key.casefold(): value for key, value in expected.items()}
    assert losses(doors, run) == [0.25, 0.75]
    assert doors.rejections(run) == {}


def test_key_with_nul(doors: Doors, log: Callable[[Callable[[Run], None]], str]) -> None:
    """A key with NUL is refused by name on the run's page, and the rest of its row is kept."""
    run = log(lambda run: run.log({"a\0b": 1.0, "loss": 0.5}))

    assert doors.rejections(run) == {("key_has_nul", "a\ufffdb"): 1}
    assert losses(doors, run) == [0.25, 0.5, 0.75]


def test_config_of_ten_megabytes(doors: Doors, log: Callable[[Callable[[Run], None]], str]) -> None:
    """A config beyond the limit is refused by name, and the run goes on."""
    run = log(lambda run: run.config.update({"big": "x" * 10_000_000}))

    assert doors.rejections(run) == {("config_too_large", "config"): 1}
    assert doors.get(f"/runs/{run}")["config"] == {}
    assert losses(doors, run) == [0.25, 0.75]


def test_odd_config(doors: Doors, log: Callable[[Callable[[Run], None]], str]) -> None:
    """Odd keys and values of config are stored; what is no key is refused at the call."""

    def act(run: Run) -> None:
        run.config.update({"a\0": "b\0", "half": HALF, "n": math.nan, "big": 2**63, "x.y": 1, "x": {"y": 2}})
        for bad in ({"": 1}, {HALF: 1}, {"k" * 501: 1}):
            with pytest.raises(BadKey):
                run.config.update(bad)
        with pytest.raises(BadValue):
            run.config.update({"cycle": CYCLE})
        with pytest.raises(ConfigChanged):
            run.config["big"] = 1

    run = log(act)

    assert doors.get(f"/runs/{run}")["config"] == {
        "a\0": "b\0", "half": "\\ud800", "n": "NaN", "big": 2**63, "x.y": 1, "x": {"y": 2},
    }  # fmt: skip
    assert doors.rejections(run) == {}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"id": "a/b"}, "run"),
        ({"id": "a\0b"}, "run"),
        ({"id": ".."}, "run"),
        ({"project": "a\0b"}, "project"),
        ({"name": "x" * 129}, "name"),
        ({"tags": ["a\0"]}, "tags"),
        ({"team": "them"}, "team"),
    ],
)
def test_names_that_cannot_be(
    doors: Doors, settings: Settings, arguments: dict[str, Any], field: str
) -> None:
    """A name that the server refuses is refused by init(), with the field."""
    with pytest.raises((ServerRefused, UsageError)) as caught:
        runhue.init(**{"project": PROJECT, "settings": settings, **arguments})

    told = caught.value
    assert getattr(told, "field", field) == field
    assert field in str(told)


@pytest.mark.parametrize(
    "arguments",
    [{"id": HALF}, {"project": HALF}, {"name": HALF}, {"notes": HALF}, {"tags": [HALF]}, {"group": HALF}],
)
def test_half_a_character_in_a_name(doors: Doors, settings: Settings, arguments: dict[str, Any]) -> None:
    """Text that no name can hold is refused by init() as the caller's mistake."""
    with pytest.raises((UsageError, ServerRefused)):
        runhue.init(**{"project": PROJECT, "settings": settings, **arguments})
