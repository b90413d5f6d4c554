"""Values, keys and edits at their limits: stored exactly or refused by name, and the rest of the row kept."""

import math
import random
import struct
from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest

from runhue_shared.events import (
    Alert,
    ConfigEdit,
    ConsoleLine,
    Finish,
    LogBatch,
    MetricDefinition,
    NumberBlock,
    Rows,
    RunAttributes,
    SummaryEdit,
)
from tests.acceptance.bad_input import AFTER, BEFORE, LAST_STEP, PROJECT, Doors, nested, until
from tests.builders import batch_of

pytestmark = pytest.mark.stack

GOOD = {"loss": 0.5, "note": "good"}
MOST_KEYS = 100_000
SQL = "x'); DROP TABLE run; --"
Reasons = dict[tuple[str, str], int]
"""How often what was refused, by (code, field)."""

WIDE_KEY = "".join(random.Random(7).choices([chr(code) for code in range(0x20000, 0x2A000)], k=500))
"""500 characters of four bytes each, which do not compress."""

KEPT: list[tuple[str, Mapping[str, Any]]] = [
    ("NaN and infinities", {"a": math.nan, "b": math.inf, "c": -math.inf}),
    ("minus zero", {"a": -0.0}),
    ("subnormal and huge", {"a": 5e-324, "b": 1.7976931348623157e308}),
    ("strings that are numbers elsewhere", {"a": "nan", "b": "inf", "c": "1e5", "d": "", "e": "null"}),
    ("integers beyond 2^53", {"a": 2**53 + 1, "b": -(2**63), "c": 2**64}),
    ("integers beyond doubles", {"a": 10**400, "b": -(10**400)}),
    ("NUL in a string", {"a": "x\0y", "b": ["\0"], "c": {"\0": "\0"}}),
    ("SQL", {SQL: SQL, "%s %(a)s {}": "$1"}),
    ("nested to the limit", {"a": nested(64)}),
    ("key of 500 wide characters", {WIDE_KEY: 1.0}),
    ("empty key", {"": 1.0}),
    ("keys with dots, slashes and controls", {".": 1.0, "a..b": 2.0, "../x": 3.0, "a\nb\x7f": 4.0}),
    ("strings of a megabyte", {"a": "x" * 2**20}),
    ("bools, null, lists, dicts", {"a": True, "b": None, "c": [1, "x", None], "d": {"e": {"f": 1}}}),
    ("media that is none", {"a": {"_type": 7}, "b": {"_type": "number"}, "c": {"_type": ""}}),
]


@pytest.mark.parametrize("values", [row[1] for row in KEPT], ids=[row[0] for row in KEPT])
def test_odd_but_stored(doors: Doors, values: Mapping[str, Any]) -> None:
    """A value that can be stored is stored exactly, and nothing is said against it."""
    run = doors.new_run()

    stored = doors.log_values_around(run, {**GOOD, **values})

    assert stored == {**GOOD, **{key: told(value) for key, value in values.items()}}
    assert [type(stored[key]) for key in values] == [type(told(value)) for value in values.values()]
    assert doors.rejections(run) == {}


def told(value: Any) -> Any:  # a logged value
    """The value as JSON answers tell it (docs/api.md, Numbers)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


TOO_DEEP = {("json_too_deep", "a"): 1}
REFUSED: list[tuple[str, Mapping[str, Any], Reasons]] = [
    ("NUL in a key", {"a\0b": 1.0}, {("key_has_nul", "a\ufffdb"): 1}),
    ("NUL in a key of text", {"c\0": "x"}, {("key_has_nul", "c\ufffd"): 1}),
    ("key of 501 characters", {"k" * 501: 1.0}, {("key_too_long", "k" * 100): 1}),
    ("the row's own step", {"_step": 9}, {("key_reserved", "_step"): 1}),
    ("the row's own step in capitals", {"_STEP": "x"}, {("key_reserved", "_STEP"): 1}),
    ("list nested too deep", {"a": nested(65)}, TOO_DEEP),
    ("dict nested too deep", {"a": {"b": nested(90)}}, TOO_DEEP),
    ("bytes", {"a": b"\xff"}, TOO_DEEP),
    ("keys that are no text", {"a": {7: 7}}, TOO_DEEP),
    ("type of msgpack's own", {"a": msgspec.msgpack.Ext(5, b"x")}, TOO_DEEP),
]


@pytest.mark.parametrize(("values", "reasons"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_value(doors: Doors, values: Mapping[str, Any], reasons: Reasons) -> None:
    """A value that cannot be stored is counted by code and key; the rest of its row is kept."""
    run = doors.new_run()

    assert doors.log_values_around(run, {**GOOD, **values}) == GOOD

    assert doors.rejections(run) == reasons
    assert doors.settled(run)["dead_letters"] == []


def test_non_finite_numbers_leave_extremes_alone(doors: Doors) -> None:
    """NaN and the infinities are counted beside min and max, and -0.0 counts as 0.0."""
    run = doors.new_run()
    rows = [(0, 1.5), (1, math.nan), (2, math.inf), (3, -math.inf), (4, -0.0), (5, math.nan)]

    assert (
        doors.wire.send_rows(doors.writer(run), [(step, {"a": value}) for step, value in rows]).status_code
        == 200
    )
    doors.settled(run)

    [metric] = [found for found in doors.get(f"/runs/{run}/metrics")["metrics"] if found["name"] == "a"]
    exact = {
        "n": 6,
        "last": "NaN",
        "min": 0.0,
        "min_step": 4,
        "max": 1.5,
        "max_step": 0,
        "nan_count": 2,
        "inf_count": 2,
    }
    assert {name: metric[name] for name in exact} == exact
    assert math.copysign(1, metric["min"]) == 1
    assert math.copysign(1, doors.rows(run)[4]["a"]) == -1


def test_non_finite_numbers_are_colored_as_such(doors: Doors) -> None:
    """A run whose value is NaN or infinite gets the neutral color and its reason; others get buckets."""
    project, values = "bad-colors", {"nan": math.nan, "inf": -math.inf, "zero": -0.0, "one": 1.0, "word": "x"}
    for run, value in values.items():
        writer = doors.wire.new_writer(project=project, run=run)
        assert doors.wire.send_rows(writer, [(0, {"a": value})]).status_code == 200
    workspace = doors.api.get(f"/api/v1/projects/main/{project}").json()["default_workspace"]
    url = f"/api/v1/workspaces/{workspace}/coloring"
    settings = {
        "key": {"source": "metric", "name": "a", "type": "number"},
        "buckets": 2,
        "overrides": {"no\0run": "#112233"},
    }

    doors.api.put(f"{url}/settings", json=settings, headers={"If-Match": "*"}).raise_for_status()

    expected = {
        "nan": (None, "non_finite"),
        "inf": (None, "non_finite"),
        "zero": (1, None),
        "one": (2, None),
        "word": (None, "type_mismatch"),
    }
    until(
        lambda: (
            {run["run_id"]: (run["bucket"], run.get("reason")) for run in doors.api.get(url).json()["runs"]}
            == expected
        )
    )


def test_greatest_step(doors: Doors) -> None:
    """Step 2^63 - 1 is stored, read back by every route, and where a resumed writer stands."""
    run, last = doors.new_run(), 2**63 - 1

    assert doors.log_batch_around(run, batch_of([(last, {"loss": 0.5})], 1)).status_code == 200
    doors.settled(run)

    assert [row["_step"] for row in doors.rows(run)] == [0, LAST_STEP, last]
    assert doors.get(f"/runs/{run}/rows", after=LAST_STEP)["rows"] == [{"_step": last, "loss": 0.5}]
    assert doors.get(f"/runs/{run}/rows", after=last) == {"rows": [], "next": None}
    assert doors.get(f"/runs/{run}")["last_step"] == last
    for points in (1, 2, 1000):
        [series] = doors.get(f"/runs/{run}/history", keys="loss", points=points)["series"]
        assert sum(point["count"] for point in series["points"]) == 3
    assert doors.wire.start(project=PROJECT, run=run, resume="must").json()["last_step"] == last


def test_keys_that_differ_in_case_only(doors: Doors) -> None:
    """Two spellings in one row are one metric, and the later stands."""
    run = doors.new_run()
    block = NumberBlock(["Acc", "ACC", "acc"], struct.pack("<3d", 1.0, 2.0, 3.0))
    columns = Rows(array("I", [0]).tobytes(), array("q", [1]).tobytes(), [block])

    assert doors.log_batch_around(run, LogBatch(1, 1, rows=columns)).status_code == 200
    doors.settled(run)

    [[name, value]] = [(key, row[key]) for row in doors.rows(run) for key in row if key.casefold() == "acc"]
    assert value == 3.0
    assert name.casefold() == "acc"


def test_key_whose_type_changes(doors: Doors) -> None:
    """Each value of a key that is a number, then text, then anything, reads back as it was."""
    run = doors.new_run()
    values: list[Any] = [1.5, "x", None, True, 2**70, [1], {"a": 1}, math.nan, "NaN", 7]

    writer = doors.writer(run)
    for at, value in enumerate(values):
        assert doors.wire.send_rows(writer, [(at, {"a": value})], at).status_code == 200
    doors.settled(run)

    assert [row["a"] for row in doors.rows(run)] == [told(value) for value in values]
    counts = {
        found["type"]: found["n"]
        for found in doors.get(f"/runs/{run}/metrics")["metrics"]
        if found["name"] == "a"
    }
    assert counts == {"number": 5, "string": 1, "null": 1, "bool": 1, "other": 2}


def test_more_keys_than_a_run_may_have(doors: Doors) -> None:
    """Of 100,005 new keys in a row the excess is refused and counted; later rows go on with known keys."""
    run = doors.new_run()
    writer = doors.writer(run)
    held = MOST_KEYS - 2  # beside loss and _step
    many = {f"k{number}": float(number) for number in range(MOST_KEYS + 5)}

    assert (
        doors.wire.send_rows(writer, [(0, {"loss": BEFORE}), (1, {**many, "loss": 0.5})]).status_code == 200
    )
    later = {"loss": AFTER, "k0": 0.5, "over": 1.0, "text": "x", f"k{held - 1}": 0.25}
    assert doors.wire.send_rows(writer, [(2, later)], 2).status_code == 200

    assert doors.rejections(run) == {("too_many_keys", ""): MOST_KEYS + 5 - held + 2}
    keys = f"loss,k0,k{held - 1},k{held},k{MOST_KEYS + 4},over,text"
    assert doors.get(f"/runs/{run}/rows", keys=keys)["rows"] == [
        {"_step": 0, "loss": BEFORE},
        {"_step": 1, "loss": 0.5, "k0": 0.0, f"k{held - 1}": held - 1},
        {"_step": 2, "loss": AFTER, "k0": 0.5, f"k{held - 1}": 0.25},
    ]


class Edits(NamedTuple):
    """One batch of edits, what the run then has, and what was refused."""

    batch: LogBatch
    run: Mapping[str, Any]
    reasons: Reasons


def config(stored: Any, reasons: Reasons, **values: Any) -> Edits:  # JSON
    return Edits(LogBatch(1, 1, config=[ConfigEdit(1, values)]), {"config": stored}, reasons)


ODD = {"": 1, "a\0": "b\0", "big": 10**18, SQL: SQL}
COLLIDING = {"a.b": 1, "a": {"b": 2, "c": {}}}
LONG_KEY = ("key_too_long", "k" * 100)
NUL_KEY = ("key_has_nul", "n\ufffd")
DEEP = ("json_too_deep", "deep")
SUMMARY = SummaryEdit(1, {"ok": 1, "k" * 501: 1, "n\0": 1, "deep": nested(65)})
ATTRIBUTES = RunAttributes(1, name="n\0", notes="x\0", tags=["t\0"], group=SQL)
METADATA = {"ok": 1, "\0": "\0"}
DEFINITIONS = [MetricDefinition(1, name, summary=["min"]) for name in ("k" * 501, "n\0", "loss")]

EDITS = {
    "odd config": config({**ODD, "n": "NaN"}, {}, **ODD, n=math.nan),
    "dotted and nested config": config(COLLIDING, {}, **COLLIDING),
    "config of 10 MB": config({}, {("config_too_large", "config"): 1}, lr=1, big="x" * 10_000_000),
    "config nested too deep": config({"lr": 1}, {DEEP: 1}, lr=1, deep=nested(65)),
    "config key too long": config(
        {"lr": 1}, {("key_too_long", WIDE_KEY[:100]): 1}, lr=1, **{WIDE_KEY * 6: 1}
    ),
    "nested config key too long": config(
        {"lr": 1}, {("key_too_long", f"a.{WIDE_KEY}"[:100]): 1}, lr=1, a={WIDE_KEY: {WIDE_KEY: 1}}
    ),
    "config key at the limit": config({WIDE_KEY: WIDE_KEY * 20}, {}, **{WIDE_KEY: WIDE_KEY * 20}),
    "summary": Edits(LogBatch(1, 1, summary=[SUMMARY]), {}, {LONG_KEY: 1, NUL_KEY: 1, DEEP: 1}),
    "attributes": Edits(
        LogBatch(1, 1, attributes=[ATTRIBUTES]),
        {"name": "n\ufffd", "notes": "x\ufffd", "tags": ["t\ufffd"], "group": SQL},
        {},
    ),
    "metadata": Edits(
        LogBatch(1, 1, attributes=[RunAttributes(1, metadata={**METADATA, "deep": nested(65)})]),
        {"metadata": METADATA},
        {DEEP: 1},
    ),
    "definitions": Edits(LogBatch(1, 1, metrics=DEFINITIONS), {}, {LONG_KEY: 1, NUL_KEY: 1}),
    "console": Edits(
        LogBatch(1, 1, console=[ConsoleLine(1, "stdout", math.nan, "a\0" + "x" * 2_000_000)]), {}, {}
    ),
    "alert": Edits(LogBatch(1, 1, alerts=[Alert(1, "t\0", "x" * 2_000_000, time=math.inf)]), {}, {}),
    "end at no time": Edits(
        LogBatch(1, 1, finish=[Finish(1, 2**40, "finished", math.nan)]),
        {"state": "finished", "exit_code": 1},
        {},
    ),
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_edits(doors: Doors, edits: Edits) -> None:
    """What can be stored of an edit is, the rest is refused by name, and the run goes on."""
    run = doors.new_run()

    assert doors.log_batch_around(run, edits.batch).status_code == 200

    assert doors.rejections(run) == edits.reasons
    assert doors.settled(run)["dead_letters"] == []
    found = doors.get(f"/runs/{run}")
    assert {name: found[name] for name in edits.run} == edits.run
    assert found["summary"]["loss"] == AFTER
    assert [row["loss"] for row in doors.rows(run)] == [BEFORE, AFTER]
    for part in ("console", "alerts"):
        assert len(doors.get(f"/runs/{run}/{part}")["lines" if part == "console" else part]) == len(
            getattr(edits.batch, part)
        )


def test_refused_summary_key_is_forgotten(doors: Doors) -> None:
    """After a refused key of the summary, edits of other keys are taken."""
    run = doors.new_run()
    doors.log_batch_around(run, LogBatch(1, 1, summary=[SummaryEdit(1, {"ok": 1, "n\0": 1})]))
    doors.settled(run)

    answer = doors.api.patch(f"/api/v1/projects/main/{PROJECT}/runs/{run}", json={"summary": {"best": 2}})

    assert answer.status_code == 200, answer.text
    assert {key: answer.json()["summary"].get(key) for key in ("ok", "best", "n\0")} == {
        "ok": 1,
        "best": 2,
        "n\0": None,
    }
