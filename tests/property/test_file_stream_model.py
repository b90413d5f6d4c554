"""Whatever way a run's lines are cut, repeated and spread over two gateways, each is stored once."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_server.gateway.service import Gateway
from runhue_shared import db
from runhue_shared.settings import Settings
from tests.integration.gateway.conftest import key_of, serving
from tests.integration.gateway.posting import CONSOLE, HISTORY, Poster, console_of, row, stored_rows


class Chunk(NamedTuple):
    """Lines `first..last`, and to which gateways they are sent, each once more, at once or in turn."""

    first: int
    last: int
    sent_to: tuple[int, ...]
    at_once: bool


@st.composite
def posts(draw: st.DrawFn) -> list[Chunk]:
    """A client's requests: each begins where the last ended, or again somewhere in what was sent before."""
    made: list[Chunk] = []
    end = 0
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(max(0, end - 4), end))
        last = first + draw(st.integers(0, 5))
        sent_to = tuple(draw(st.lists(st.integers(0, 1), min_size=1, max_size=3)))
        made.append(Chunk(first, last, sent_to, draw(st.booleans())))
        end = max(end, last + 1)
    return made


def test_each_line_is_stored_once(server_settings: Settings) -> None:
    """Rows and console lines are exactly those that were logged, and the writer's records without gaps."""
    key = key_of("main", "ingest", "read")
    number = iter(range(10_000))

    with serving(Gateway()) as one, serving(Gateway()) as other, ThreadPoolExecutor(3) as pool:
        gateways = [Poster(one, key), Poster(other, key)]

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(posts())
        def check(chunks: list[Chunk]) -> None:
            run = f"run{next(number)}"
            gateways[0].begin(run)
            for chunk in chunks:
                send(pool, gateways, run, chunk)
            end = max(chunk.last for chunk in chunks)
            assert [found["_step"] for found in stored_rows(run)] == list(range(end + 1))
            assert [found["v"] for found in stored_rows(run)] == [step / 3 for step in range(end + 1)]
            assert [text for _, text in console_of(run)] == [f"line {step}" for step in range(end + 1)]
            assert gaps(run) == []

        check()
        for gateway in gateways:
            gateway.http.close()


def send(pool: ThreadPoolExecutor, gateways: list[Poster], run: str, chunk: Chunk) -> None:
    """One request of the client, as often as it is repeated."""
    numbers = range(chunk.first, chunk.last + 1)
    history = [row(step, v=step / 3) for step in numbers]
    console = [f"2026-11-21T20:32:22 line {step}" for step in numbers]
    files = {
        HISTORY: {"offset": chunk.first, "content": history},
        CONSOLE: {"offset": chunk.first, "content": console},
    }
    if chunk.at_once:
        sent = [pool.submit(gateways[at].post, run, files=files) for at in chunk.sent_to]
        answers = [one.result() for one in sent]
    else:
        answers = [gateways[at].post(run, files=files) for at in chunk.sent_to]
    assert {answer.status_code for answer in answers} == {200}


def gaps(run: str) -> list[tuple[int, int]]:
    """(durable, applied) of writers whose folded records are not all that is durable."""
    with db.transaction() as tx:
        return tx.execute(
            "SELECT w.durable_seq, w.applied_seq FROM run_writer w JOIN run r ON r.id = w.run_id"
            " WHERE r.public_id = %s AND w.durable_seq <> w.applied_seq",
            (run,),
        ).fetchall()
