"""Metrics, reduced history and exact rows, in every format."""

import csv
import io
import json
import math
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runhue_server.api import routes_rows
from runhue_server.api.models_history import History, ProjectHistory, ProjectMetrics, RunMetrics
from runhue_server.api.models_runs import RunDetail
from runhue_shared.events import Alert, ConsoleLine, MetricDefinition
from tests.integration.api.stored import Stored

BIG = 2**60 + 1

MIXED: list[dict[str, Any]] = [
    {"loss": 0.1, "n": 1, "who": 'a,\n"b"', "ok": True},
    {"loss": math.nan, "n": BIG, "who": "", "ok": False, "mixed": 1},
    {"loss": math.inf, "n": -3, "mixed": "text"},
    {"loss": -math.inf, "who": "é𝄞", "mixed": [1, {"a": None}]},
    {"loss": 5e-324, "none": None, "half": 0.5},
    {"loss": -0.0, "half": 2},
]


def spoken(value: Any) -> Any:
    """A value as JSON has it here."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


@pytest.fixture
def mixed(project: Stored) -> str:
    """Address of a run whose rows hold every kind of value."""
    project.log("mixed", MIXED)
    return f"{project.url}/runs/mixed"


def test_json_rows_are_exact(api: httpx.Client, mixed: str) -> None:
    """Rows come back as they were logged: big integers, signed zeros, subnormals, NaN as text."""
    answer = api.get(f"{mixed}/rows")

    expected = [
        {"_step": step, **{key: spoken(value) for key, value in row.items()}}
        for step, row in enumerate(MIXED)
    ]
    assert answer.json() == {"rows": expected, "next": None}
    assert math.copysign(1, answer.json()["rows"][5]["loss"]) == -1
    assert isinstance(answer.json()["rows"][0]["n"], int)


def test_ndjson_rows_are_the_same(api: httpx.Client, mixed: str) -> None:
    """The stream of lines holds the rows of the pages."""
    lines = api.get(f"{mixed}/rows", params={"format": "ndjson"})

    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == api.get(f"{mixed}/rows").json()["rows"]


def test_csv_rows_are_exact(api: httpx.Client, mixed: str) -> None:
    """CSV quotes what needs it, prints integers whole and doubles so that they read back."""
    answer = api.get(f"{mixed}/rows", params={"format": "csv", "keys": "n,LOSS,who,ok,mixed"})

    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(found[0]) == ["_step", "n", "loss", "who", "ok", "mixed"]
    assert [row["n"] for row in found] == ["1", str(BIG), "-3", "", "", ""]
    assert [row["loss"] for row in found] == ["0.1", "NaN", "Infinity", "-Infinity", "5e-324", "-0.0"]
    assert [row["who"] for row in found[:4]] == ['a,\n"b"', "", "", "é𝄞"]
    assert [row["ok"] for row in found[:3]] == ["true", "false", ""]
    assert [row["mixed"] for row in found[:4]] == ["", "1", "text", '[1,{"a":null}]']


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_arrow_and_parquet_rows_are_exact(api: httpx.Client, mixed: str, name: str) -> None:
    """Columns have the narrowest type that holds them exactly; mixed ones are JSON, and say so."""
    content = api.get(f"{mixed}/rows", params={"format": name}).content

    table = (
        pq.read_table(io.BytesIO(content)) if name == "parquet" else pa.ipc.open_stream(content).read_all()
    )
    columns = {column: table[column].to_pylist() for column in table.column_names}
    types = {field.name: str(field.type) for field in table.schema}
    assert columns["_step"] == list(range(6))
    assert columns["n"] == [1, BIG, -3, None, None, None]
    assert [repr(value) for value in columns["loss"]] == ["0.1", "nan", "inf", "-inf", "5e-324", "-0.0"]
    assert columns["who"][:4] == ['a,\n"b"', "", None, "é𝄞"]
    assert columns["ok"][:3] == [True, False, None]
    assert [None if text is None else json.loads(text) for text in columns["mixed"]] == [
        None, 1, "text", [1, {"a": None}], None, None,
    ]  # fmt: skip
    assert columns["half"][4:] == [0.5, 2.0]
    assert (types["n"], types["loss"], types["ok"], types["half"]) == ("int64", "double", "bool", "double")
    assert table.schema.field("mixed").metadata[b"encoding"] == b"json"


def test_windows_do_not_show(api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export read in many windows is the export read in one."""
    project.log("long", [{"_step": 3 * step, "a": step, "b": step / 7} for step in range(2_500)])
    url = f"{project.url}/runs/long/rows"
    whole = [api.get(url, params={"format": name}).content for name in ("csv", "ndjson")]

    monkeypatch.setattr(routes_rows, "WINDOW_CELLS", 1)

    assert [api.get(url, params={"format": name}).content for name in ("csv", "ndjson")] == whole
    assert whole[0].count(b"\n") == 2_501 + whole[0].count(b"\n\r")
    parquet = api.get(url, params={"format": "parquet"}).content
    assert pq.read_table(io.BytesIO(parquet))["b"].to_pylist() == [step / 7 for step in range(2_500)]


def test_pages_of_rows(api: httpx.Client, project: Stored) -> None:
    """Pages go on behind the last step; `complete` keeps rows that hold every key."""
    project.log(
        "paged", [{"_step": 2 * step, "a": step, **({"b": 1} if step % 3 == 0 else {})} for step in range(25)]
    )
    url = f"{project.url}/runs/paged/rows"
    steps: list[int] = []
    after: int | None = -1
    while after is not None:
        page = api.get(url, params={"limit": 10, "after": after}).json()
        steps += [row["_step"] for row in page["rows"]]
        after = page["next"]

    assert steps == list(range(0, 50, 2))
    window = api.get(url, params={"from": 5, "to": 10}).json()["rows"]
    assert [row["_step"] for row in window] == [6, 8, 10]
    both = api.get(url, params={"keys": "A,b", "complete": "1"}).json()["rows"]
    assert [row["_step"] for row in both] == list(range(0, 50, 6))
    assert api.get(url, params={"keys": "none"}).json() == {"rows": [], "next": None}


def test_reduced_history(api: httpx.Client, project: Stored) -> None:
    """No more buckets than asked for, powers of two aligned at step 0, every extreme kept."""
    values = [math.sin(step) for step in range(1_000)]
    values[500] = 77.0
    values[501] = math.nan
    project.log("r", [{"y": value, "epoch": step * 0.5} for step, value in enumerate(values)])
    url = f"{project.url}/runs/r/history"

    answer = api.get(url, params={"keys": "Y", "points": 100, "x": "epoch"}).json()
    whole = api.get(url, params={"keys": "y"}).json()["series"][0]
    every = History.model_validate(api.get(url).json())

    series = History.model_validate(answer).series[0]
    assert (series.key, series.reduced, series.bucket, series.n) == ("y", True, 16, 1_000)
    assert len(series.points) == 63
    assert all(point.step % 16 == 0 for point in series.points)
    spike = next(point for point in series.points if point.step == 496)
    assert (spike.max, spike.non_finite, spike.count, spike.x) == (77.0, 1, 16, 511 * 0.5)
    assert (whole["reduced"], whole["bucket"], len(whole["points"])) == (False, 1, 1_000)
    assert whole["points"][501] == {
        "step": 501, "last": "NaN", "min": None, "max": None, "count": 1, "non_finite": 1,
    }  # fmt: skip
    assert {series.key for series in every.series} >= {"y", "epoch"}


def test_history_of_many_runs(api: httpx.Client, project: Stored) -> None:
    """One metric of the runs asked for, in their order; runs without it are absent."""
    for number in range(3):
        project.log(f"r{number}", [{"y": number * step} for step in range(5)] if number != 1 else [{"z": 1}])
    url = f"{project.url}/history"

    some = ProjectHistory.model_validate(api.get(url, params={"key": "y", "runs": "r2,r1,r0"}).json())
    newest = api.get(url, params={"key": "y"}).json()["series"]
    missing = api.get(url, params={"key": "y", "runs": "r0,none"}).json()

    assert [(series.run_id, series.points[-1].last) for series in some.series] == [("r2", 8.0), ("r0", 0.0)]
    assert {series["run_id"] for series in newest} == {"r0", "r2"}
    assert (missing["code"], missing["field"]) == ("run_not_found", "runs")


def test_metrics(api: httpx.Client, project: Stored) -> None:
    """A project lists its metrics with their types; a run adds exact statistics and definitions."""
    project.log(
        "r",
        [{"Loss": 2.0, "tag": "x"}, {"loss": math.nan, "tag": 1}, {"LOSS": 1.0}],
        metrics=[MetricDefinition(10, "lo*", summary=["min"], goal="minimize")],
    )
    project.add_run("other", logged={"loss": 3, "acc": 1})

    listed = ProjectMetrics.model_validate(api.get(f"{project.url}/metrics", params={"search": "S"}).json())
    pages = api.get(f"{project.url}/metrics", params={"limit": 1, "search": "o"}).json()
    run = RunMetrics.model_validate(api.get(f"{project.url}/runs/r/metrics").json())

    by_name = {metric.name: [(type_.type, type_.runs) for type_ in metric.types] for metric in listed.metrics}
    assert by_name["Loss"] == [("number", 2)]
    assert pages["next"] is None or pages["metrics"]
    loss = next(metric for metric in run.metrics if metric.name == "Loss")
    assert (loss.n, loss.last, loss.min, loss.min_step, loss.max, loss.nan_count) == (3, 1.0, 1.0, 2, 2.0, 1)
    assert loss.definition is not None
    assert loss.definition["goal"] == "minimize"
    assert {(metric.name, metric.type) for metric in run.metrics} >= {("tag", "string"), ("tag", "number")}


def test_run_detail_and_edits(api: httpx.Client, project: Stored) -> None:
    """Editing merges config and summary by key; null is a value; a hand-set value wins over logged ones."""
    project.log("r", [{"acc": 0.5}, {"acc": 0.9}])
    url = f"{project.url}/runs/r"
    first = RunDetail.model_validate(api.get(url).json())

    edited = api.patch(
        url,
        json={
            "name": "new name",
            "tags": ["a", "b"],
            "group": "g",
            "config": {"lr": 0.1, "model": {"layers": 2}, "none": None},
            "summary": {"acc": 1, "best": "x"},
        },
    )
    again = RunDetail.model_validate(
        api.patch(url, json={"group": None, "remove_config": ["lr"], "remove_summary": ["acc"]}).json()
    )

    assert (first.summary["acc"], first.last_step, first.config) == (0.9, 1, {})
    run = RunDetail.model_validate(edited.json())
    assert (run.name, run.tags, run.group) == ("new name", ["a", "b"], "g")
    assert run.config == {"lr": 0.1, "model": {"layers": 2}, "none": None}
    assert (run.summary["acc"], run.summary["best"]) == (1, "x")
    assert (again.group, again.config) == (None, {"model": {"layers": 2}, "none": None})
    assert again.summary["acc"] == 0.9
    found = api.get(
        f"{project.url}/runs", params={"filter": '{"config.model.layers": 2, "summary.best": "x"}'}
    )
    assert found.json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"tags": "x"}, "tags"),
        ({"color": "red"}, "color"),
        ({"config": []}, "config"),
        ({"config": {"": {"a": 1}, "x": None}, "remove_config": "x"}, "remove_config"),
    ],
)
def test_refused_edits_change_nothing(
    api: httpx.Client, project: Stored, body: dict[str, Any], field: str
) -> None:
    """An edit that is refused names the field, and nothing of it is applied."""
    project.log("r", [{"a": 1}])
    before = api.get(f"{project.url}/runs/r").json()

    answer = api.patch(f"{project.url}/runs/r", json={"notes": "n", **body})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert api.get(f"{project.url}/runs/r").json() == before


def test_config_is_bounded_as_a_whole(api: httpx.Client, project: Stored) -> None:
    """Merging cannot grow a config beyond its limit; one body has a limit of its own."""
    project.log("r", [{"a": 1}])
    url = f"{project.url}/runs/r"
    assert api.patch(url, json={"config": {"a": "x" * 600_000}}).status_code == 200

    merged = api.patch(url, json={"config": {"b": "x" * 600_000}, "notes": "n"})
    whole = api.patch(url, json={"config": {"b": "x" * 1_100_000}})

    assert (merged.status_code, merged.json()["limit"]) == (422, 1_048_576)
    assert (whole.status_code, whole.json()["code"]) == (413, "body_too_large")
    run = api.get(url).json()
    assert (list(run["config"]), run["notes"]) == (["a"], None)


def test_health_console_and_alerts(api: httpx.Client, project: Stored) -> None:
    """A run's page says how ingest went, what was printed and what was raised."""
    lines = [ConsoleLine(10 + number, "stdout", 5.0 + number, f"line {number}") for number in range(5)]
    project.log("r", [{"a": 1}], console=lines, alerts=[Alert(20, "hot", "very", "warn", 9.0)])
    url = f"{project.url}/runs/r"

    health = api.get(f"{url}/health").json()
    page = api.get(f"{url}/console", params={"limit": 3}).json()
    rest = api.get(f"{url}/console", params={"after": page["next"]}).json()
    tail = api.get(f"{url}/console", params={"tail": 2}).json()

    assert (health["writers"][0]["received"], health["writers"][0]["applied_seq"]) == (1, 100)
    assert (health["rejections"], health["dead_letters"], health["pending_batches"]) == ([], [], 0)
    assert [line["text"] for line in page["lines"] + rest["lines"]] == [f"line {n}" for n in range(5)]
    assert rest["next"] is None
    assert [line["text"] for line in tail["lines"]] == ["line 3", "line 4"]
    assert api.get(f"{url}/alerts").json() == {
        "alerts": [{"title": "hot", "text": "very", "level": "warn", "time": 9.0}]
    }
