"""How long the sender waits after failures."""

from runhue._errors import ServerBusy, ServerUnreachable
from runhue._sender import HURRIED_DELAY, LONGEST_DELAY, Backoff


def test_delays_grow_to_the_longest_and_begin_again() -> None:
    """From a quarter second to half a minute, with jitter; a success resets them."""
    backoff = Backoff()
    delays = [backoff.delay(ServerUnreachable("away")) for _ in range(20)]
    backoff.reset()

    assert delays[0] <= 0.25
    assert LONGEST_DELAY / 2 <= delays[-1] <= LONGEST_DELAY
    assert backoff.delay(ServerUnreachable("away")) <= 0.25


def test_delays_are_short_while_finish_waits() -> None:
    """A server that is back within the wait is found, however long it was away; what it asks for holds."""
    backoff = Backoff()
    for _ in range(20):
        backoff.delay(ServerUnreachable("away"))

    assert backoff.delay(ServerUnreachable("away"), HURRIED_DELAY) <= HURRIED_DELAY
    assert backoff.delay(ServerBusy("full", status=429, retry_after=3.0), HURRIED_DELAY) == 3.0
