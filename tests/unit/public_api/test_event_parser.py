"""Server-sent events are the same however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue._public_api import sse
from runhue._public_api.sse import EventParser, EventTooLarge, ServerEvent

STREAM = (
    '\ufeff: hello\n\nid: 1-0\nevent: coloring.updated\ndata: {"a":\r\ndata:1}\r\n\r\n'
    ": ping\r\rid:\u00e4\rdata\r\rdata: last\n\nevent: lonely\n\ndata: unfinished"
).encode()
EVENTS = [
    ServerEvent("coloring.updated", '{"a":\n1}', "1-0"),
    ServerEvent("message", "", "\u00e4"),
    ServerEvent("message", "last", "\u00e4"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    """Any cutting of the stream, through line ends and characters too, gives the same events."""
    parser = EventParser()
    places = [0, *sorted(cuts), len(STREAM)]

    events = [event for start, end in itertools.pairwise(places) for event in parser.feed(STREAM[start:end])]

    assert events == EVENTS


def test_an_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that never ends its event does not fill the memory."""
    monkeypatch.setattr(sse, "MAX_EVENT_CHARACTERS", 100)
    parser = EventParser()
    parser.feed(b"data: " + b"x" * 60 + b"\n")

    with pytest.raises(EventTooLarge):
        parser.feed(b"data: " + b"x" * 60)
