"""Applying events gives what the server has, or says that it must be read again."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from runhue._public_api.coloring import (
    Coloring,
    FetchNeeded,
    Repeated,
    by_value,
    next_coloring,
    parse_event,
    unnamed_runs,
    with_names,
)
from runhue_shared.coloring.buckets import bucket_of
from runhue_shared.coloring.settings import ColorKey, ColorSettings
from tests.unit.public_api.model_server import ModelServer, as_sse, drawn

RUNS = st.sampled_from([f"r{n}" for n in range(8)])
VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.just(float("nan")), st.none(), st.text("abcd", max_size=2), st.booleans()
)
CHANGES = st.tuples(st.dictionaries(RUNS, VALUES, max_size=4), st.sets(RUNS, max_size=2))
SETTINGS = st.sampled_from(
    [
        ColorSettings(key=ColorKey("metric", "acc"), y="max", buckets=6),
        ColorSettings(key=ColorKey("metric", "acc", "string"), buckets=2),
        ColorSettings(key=ColorKey("metric", "acc", "bool")),
        ColorSettings(key=ColorKey("metric", "acc"), buckets=8, scale="quantile"),
        ColorSettings(key=ColorKey("metric", "acc"), buckets=4, overrides={"r1": "#12ab34"}),
        ColorSettings(),
    ]
)


def applied(held: Coloring, event: Any) -> Coloring:
    after = next_coloring(held, event)
    assert isinstance(after, Coloring)
    return after


@given(SETTINGS, st.lists(CHANGES, max_size=8))
def test_events_in_order_give_what_a_fetch_gives(settings: ColorSettings, changes: list[Any]) -> None:
    """After every event the held coloring equals one computed from scratch."""
    server = ModelServer(settings)
    held = server.coloring()

    for values, removed in changes:
        event = server.change(values, tuple(removed))
        held = applied(held, parse_event(msgspec.json.encode(event).decode()))

        assert drawn(held) == drawn(server.coloring())


@given(st.lists(CHANGES, min_size=1, max_size=8), st.lists(st.integers(0, 7), max_size=20))
def test_repeated_and_reordered_events_never_mix_versions(changes: list[Any], order: list[int]) -> None:
    """Whatever order events come in, what is held is always some version of the server, whole."""
    server = ModelServer()
    held = server.coloring()
    events = [server.change(values, tuple(removed)) for values, removed in changes]

    for position in order:
        outcome = next_coloring(held, events[position % len(events)])
        if isinstance(outcome, Coloring):
            held = outcome

        assert drawn(held) == drawn(server.history[held.version])


@given(st.lists(CHANGES, max_size=6))
def test_every_run_is_in_the_bucket_of_its_own_legend(changes: list[Any]) -> None:
    """A valued run's bucket is one more than the thresholds at or below its value."""
    server = ModelServer()
    held = server.coloring()
    for values, removed in changes:
        held = applied(held, server.change(values, tuple(removed)))

    numbers = [run for run in held.runs.values() if isinstance(run.value, float)]

    assert all(run.bucket == bucket_of(run.value, held.legend.thresholds) for run in numbers)  # type: ignore[arg-type]  # filtered to floats
    assert sum(held.counts) == held.valued


def test_an_event_at_or_below_the_held_version_is_ignored() -> None:
    """The same event twice changes nothing."""
    server = ModelServer()
    held = server.coloring()
    event = server.change({"a": 0.5})
    held = applied(held, event)

    assert next_coloring(held, event) == Repeated()


def test_a_gap_asks_for_a_fetch() -> None:
    """An event that follows a version that was never seen cannot be applied."""
    server = ModelServer()
    held = server.coloring()
    server.change({"a": 0.5})
    event = server.change({"b": 0.7})

    outcome = next_coloring(held, event)

    assert outcome == FetchNeeded("version 1 is held, the event follows 2")


def test_new_settings_and_resync_ask_for_a_fetch() -> None:
    """An event does not carry settings, nor more changes than fit into it."""
    server = ModelServer()
    held = server.coloring()
    settings = server.set_settings(ColorSettings(key=ColorKey("config", "lr"), scale="log"))
    resync = msgspec.structs.replace(settings, cause="rebuild", resync=True)

    assert isinstance(next_coloring(held, settings), FetchNeeded)
    assert isinstance(next_coloring(held, resync), FetchNeeded)


def test_a_missing_legend_asks_for_a_fetch() -> None:
    """An event that names a legend without carrying it cannot be applied to another legend."""
    server = ModelServer()
    held = server.coloring()
    event = msgspec.structs.replace(server.change({"a": 0.5}), legend=None)

    assert isinstance(next_coloring(held, event), FetchNeeded)


def test_another_workspace_s_event_is_ignored() -> None:
    """A stream that carries several workspaces does no harm."""
    server = ModelServer()
    held = server.coloring()
    event = msgspec.structs.replace(server.change({"a": 0.5}), workspace_id=8)

    assert next_coloring(held, event) == Repeated()


def test_an_integer_in_an_event_is_a_double() -> None:
    """JSON that prints a double without a fraction is compared as a double all the same."""
    server = ModelServer()
    held = server.coloring()
    text = as_sse(server.change({"a": 3.0, "b": 2.0**60})).decode().split("data: ")[1]

    held = applied(held, parse_event(text.replace("3.0", "3")))

    assert type(held.runs["a"].value) is float
    assert (held.runs["a"].bucket, held.runs["b"].bucket) == (1, 6)


def test_new_runs_get_their_names() -> None:
    """Events carry no names; a run without one goes by its id until it has one."""
    server = ModelServer()
    held = applied(server.coloring(), server.change({"a": 0.5, "b": 0.6}))

    named = with_names(held, {"a": "amber"})

    assert unnamed_runs(held) == ["a", "b"]
    assert [run.name for run in named.runs.values()] == ["amber", "b"]


def test_runs_are_listed_by_value() -> None:
    """The highest value comes first, runs without one last."""
    server = ModelServer()
    held = applied(server.coloring(), server.change({"low": 0.1, "none": None, "high": 0.9}))

    assert [run.run_id for run in by_value(held)] == ["high", "low", "none"]
