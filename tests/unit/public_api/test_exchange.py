"""What is tried again, what is an error, and which error."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from runhue._errors import AuthError, RunhueError, ServerBusy, ServerError, ServerRefused, ServerUnreachable
from runhue._public_api.exchange import (
    ATTEMPTS,
    Call,
    ConnectionFailed,
    Request,
    Response,
    Send,
    Sleep,
    asked_delay,
    exchange,
    fetch,
    get,
    quoted,
    submit,
)
from runhue._public_api.problems import SettingsChanged, problem_error

OK = Response(200, {}, b"{}")
BUSY = Response(503, {"retry-after": "2"}, b'{"code":"unavailable","detail":"the database is away"}')
FAILED = ConnectionFailed("connection refused")


def play(call: Call[Any], answers: Sequence[Response | ConnectionFailed]) -> tuple[Any, list[Any]]:
    """The call's result, and the steps it took, against a server that answers like this."""
    steps: list[Any] = []
    left = list(answers)
    step = next(call)
    while True:
        steps.append(step)
        try:
            if isinstance(step, Sleep):
                step = call.send(None)
            elif isinstance(answer := left.pop(0), ConnectionFailed):
                step = call.throw(answer)
            else:
                step = call.send(answer)
        except StopIteration as stop:
            return stop.value, steps


def test_a_get_waits_as_asked_and_is_sent_again() -> None:
    """503 with Retry-After is waited for; a lost connection is tried again after a growing delay."""
    request = get("/api/v1/projects")

    result, steps = play(exchange(request), [BUSY, FAILED, OK])

    assert result == OK
    assert steps == [Send(request), Sleep(2.0), Send(request), Sleep(0.5), Send(request)]


def test_an_answer_of_another_form_is_an_error_of_runhue() -> None:
    """What a proxy or another release answers with 200 says so, instead of failing somewhere inside."""
    with pytest.raises(ServerError, match="cannot be read"):
        play(fetch(dict[str, int], get("/api/v1/server")), [Response(200, {}, b"<html>sign in</html>")])


def test_a_get_is_given_up_after_some_attempts() -> None:
    """A server that stays away is an error that says what to check."""
    with pytest.raises(ServerUnreachable, match="connection refused") as caught:
        play(exchange(get("/")), [FAILED] * ATTEMPTS)

    assert caught.value.fix


def test_a_change_is_sent_once() -> None:
    """What may have been done already is not sent again."""
    with pytest.raises(ServerUnreachable):
        play(exchange(submit("PATCH", "/", {})), [FAILED])
    with pytest.raises(ServerBusy):
        play(exchange(submit("POST", "/", {})), [BUSY])


def test_a_problem_becomes_the_error_with_its_members() -> None:
    """Code, field, limit and fix of the answer are those of the error."""
    members = b'"code":"invalid_settings","field":"buckets","limit":8,"fix":"take 8"'
    body = b'{"detail":"buckets: 8 at most",%b}' % members

    with pytest.raises(ServerRefused) as caught:
        play(exchange(get("/")), [Response(422, {}, body)])

    error = caught.value
    assert (error.status, error.code, error.field, error.limit, error.fix) == (
        422,
        "invalid_settings",
        "buckets",
        8,
        "take 8",
    )
    assert str(error) == "buckets: 8 at most (take 8)"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"code":"unauthenticated"}', AuthError),
        (403, b'{"code":"forbidden"}', AuthError),
        (412, b'{"code":"settings_changed","limit":null}', SettingsChanged),
        (500, b"<html>", ServerBusy),
        (404, b"\xff<html>nginx</html>", ServerRefused),
        (302, b"", ServerRefused),
        (422, b'["not", "an object"]', ServerRefused),
    ],
)
def test_any_answer_has_its_error(status: int, body: bytes, kind: type[RunhueError]) -> None:
    """Whatever comes back, also from something that is no Runhue, is one of the SDK's errors."""
    assert isinstance(problem_error(status, {}, body), kind)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("", None),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400", 60.0),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_kept_within_a_minute(asked: str, seconds: float | None) -> None:
    """Numbers and dates are understood, anything else ignored."""
    assert asked_delay({"retry-after": asked}) == seconds


def test_names_stay_in_their_path_segment() -> None:
    """A slash in a run's id does not lead elsewhere."""
    assert quoted("a/../b c") == "a%2F..%2Fb%20c"


def test_numbers_beyond_64_bits_are_sent_whole() -> None:
    """JSON has no limit for integers, and neither has a request."""
    assert submit("PATCH", "/", {"n": 2**70}).body == b'{"n": %d}' % 2**70


def test_a_request_is_a_value() -> None:
    """Two equal requests are equal."""
    assert get("/x", limit=1) == Request("GET", "/x", {"limit": 1})
    assert msgspec.structs.astuple(get("/x"))[0] == "GET"
