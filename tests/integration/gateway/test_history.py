"""History as the wandb client reads it, of runs that either client logged."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_server.gateway.run_history import row_text
from runhue_shared.series.values import json_text
from tests.integration.gateway.conftest import Client
from tests.integration.gateway.run_reading import BIG, ROWS, log_as_sdk, log_as_wandb

READ = """query Q($run: String!, $samples: Int, $min: Int64, $max: Int64, $specs: [JSONString!]) {
  project(name: "digits", entityName: "main") { run(name: $run) {
    history(samples: $samples, minStep: $min, maxStep: $max) sampledHistory(specs: $specs) events
    historyKeys parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData } } } }"""


@pytest.fixture(params=["own", "theirs"])
def run(request: pytest.FixtureRequest, client: Client) -> str:
    """The same rows, logged by our own SDK and by the wandb client."""
    if request.param == "own":
        log_as_sdk()
    else:
        log_as_wandb(client)
    return str(request.param)


def read(client: Client, run: str, **variables: Any) -> Any:
    return client.ask(READ, run=run, **variables)["project"]["run"]


def history(client: Client, run: str, **variables: Any) -> list[dict[str, Any]]:
    return [json.loads(row) for row in read(client, run, **variables)["history"]]


def sampled(client: Client, run: str, spec: Mapping[str, Any]) -> Any:
    return read(client, run, specs=[json.dumps(spec)])["sampledHistory"][0]


def as_text(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """NaN is equal to NaN as text; 1 and 1.0 stay different."""
    return [{key: repr(value) for key, value in row.items()} for row in rows]


def own_values(rows: Sequence[Mapping[str, Any]], run: str) -> list[dict[str, Any]]:
    """Rows as the client logged them; what our own SDK nests is read under dotted names."""
    if run == "theirs":
        return [dict(row) for row in rows]
    flat = []
    for row in rows:
        deep = {"deep.x.y": row["deep"]["x"]["y"]} if "deep" in row else {}
        flat.append({**{key: value for key, value in row.items() if key != "deep"}, **deep})
    return flat


def test_whole_history_is_exact(client: Client, run: str) -> None:
    """Doubles, large integers, NaN, infinities, odd keys and nested values come back as they were."""
    assert as_text(history(client, run)) == as_text(own_values(ROWS, run))


@pytest.mark.parametrize(
    ("bounds", "steps"),
    [
        ({"min": 0, "max": 8, "samples": 8}, [0, 1, 2, 7]),
        ({"min": 1, "max": 7, "samples": 6}, [1, 2]),
        ({"min": 1, "max": 7}, [1, 2]),
        ({"min": 2}, [2, 7]),
        ({"min": 5, "max": 5, "samples": 1}, []),
        ({"samples": 2}, [0, 7]),
        ({"samples": 0}, []),
    ],
)
def test_a_page_of_history_begins_at_its_first_step_and_ends_before_its_last(
    client: Client, bounds: dict[str, int], steps: list[int]
) -> None:
    """`minStep` belongs to the page, `maxStep` to the next; fewer samples are spread from first to last."""
    log_as_wandb(client)

    assert [row["_step"] for row in history(client, "theirs", **bounds)] == steps


def test_sampled_rows_hold_every_key_that_was_asked_for(client: Client, run: str) -> None:
    """Rows that lack a key are left out; nested keys are asked by their path, NaN is a text."""
    assert sampled(client, run, {"keys": ["_step", "deep.x.y"]}) == [
        {"_step": 0, "deep.x.y": 1},
        {"_step": 7, "deep.x.y": 2},
    ]
    assert sampled(client, run, {"keys": ["loss", "weird key!"], "samples": 10}) == [
        {"loss": "NaN", "weird key!": "-Infinity"}
    ]
    assert sampled(client, run, {"keys": ["_step", "big", "a/b"]}) == [
        {"_step": 2, "big": BIG, "a/b": "text"}
    ]
    assert sampled(client, run, {"keys": ["loss", "nothing"]}) == []


def test_several_specs_are_answered_each_on_its_own(client: Client) -> None:
    """One list of rows a spec, in their order."""
    log_as_sdk()
    specs = [json.dumps({"keys": [key]}) for key in ("ok", "big")]

    assert read(client, "own", specs=specs)["sampledHistory"] == [[{"ok": True}], [{"big": BIG}]]


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        ({"keys": ["_step", "loss"], "minStep": 0, "maxStep": 2, "samples": 2}, [0, 1]),
        ({"keys": ["_step", "loss"], "minStep": 2, "maxStep": 8, "samples": 1000}, [2, 7]),
        ({"keys": ["_step", "loss"], "minStep": 2, "maxStep": 7, "samples": 6}, [2]),
        ({"keys": ["_step", "loss", "_step"], "minStep": 2, "maxStep": 7, "samples": 6}, [2, 7]),
        ({"keys": ["loss", "_step"], "minStep": 0, "maxStep": 2, "samples": 3}, [0, 1, 2]),
    ],
)
def test_a_page_of_sampled_history_ends_where_its_client_means_it(
    client: Client, spec: dict[str, Any], steps: list[int]
) -> None:
    """Old clients say where the next page begins, new ones the last step of this one."""
    log_as_wandb(client)

    assert [row["_step"] for row in sampled(client, "theirs", spec)] == steps


def test_old_and_new_pages_cover_every_step_once(client: Client) -> None:
    """A scan of either kind of client reads 100 rows in pages of 7 without a gap or a repetition."""
    log_as_sdk(rows=[{"_step": step, "loss": float(step)} for step in range(100)])

    old = [
        row["_step"]
        for start in range(0, 100, 7)
        for row in sampled(
            client,
            "own",
            {"keys": ["_step", "loss"], "minStep": start, "maxStep": min(start + 7, 100), "samples": 7},
        )
    ]
    new = [
        row["_step"]
        for start in range(0, 100, 7)
        for row in sampled(
            client,
            "own",
            {
                "keys": ["loss", "_step"],
                "minStep": start,
                "maxStep": min(start + 7, 100) - 1,
                "samples": min(7, 100 - start),
            },
        )
    ]

    assert old == new == list(range(100))


def test_history_keys_and_parquet_make_clients_read_live_rows(client: Client, run: str) -> None:
    """The last step is where a scan ends, and no file is said to hold a part of it."""
    answer = read(client, run)

    assert answer["historyKeys"]["lastStep"] == 7
    assert {"loss", "big", "a/b", "weird key!", "_step"} <= set(answer["historyKeys"]["keys"])
    assert answer["parquetHistory"] == {"parquetUrls": [], "liveData": [{"_step": 0}]}


def test_events_are_samples_of_the_machine(client: Client) -> None:
    """The system stream comes with its times and without our step."""
    log_as_wandb(client)

    row = json.loads(read(client, "theirs")["events"][0])

    assert (row["system.cpu"], row["_timestamp"], row["_runtime"], row["_wandb"]) == (
        7.5,
        1800000003.5,
        3.5,
        True,
    )
    assert "_step" not in row


@pytest.mark.parametrize("spec", ["{", "[]", '{"keys": "loss"}', '{"keys": ["loss"], "minStep": "x"}'])
def test_a_spec_that_is_none_is_refused(client: Client, spec: str) -> None:
    """The message says how a spec is written."""
    log_as_sdk()

    errors = client.post(READ, run="own", specs=[spec]).json()["errors"]

    assert "a spec is not understood" in errors[0]["message"]


def test_a_run_without_rows_has_no_history(client: Client) -> None:
    """Nothing logged is an empty list everywhere, and -1 is the last step."""
    log_as_sdk(rows=[])

    answer = read(client, "own", specs=['{"keys": ["loss"]}'], samples=10)

    assert (answer["history"], answer["sampledHistory"], answer["events"]) == ([], [[]], [])
    assert answer["historyKeys"]["lastStep"] == -1


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=4,
        ),
        max_size=3,
    )
)
def test_the_fast_text_of_a_row_reads_like_the_exact_one(row: dict[str, Any]) -> None:
    """Whatever is in it: doubles bit for bit, integers of any size, NaN and infinities, odd strings."""
    assert repr(json.loads(row_text(row))) == repr(json.loads(json_text(row))) == repr(row)
