"""A small, fast sender of prepared batches, so that the load takes as little of the machine as it can."""

import queue
import random
import socket
import threading
import time
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import msgspec

from runhue_shared.events import (
    RUNTIME_KEY,
    TIMESTAMP_KEY,
    LogBatch,
    StartWriter,
    WriterStarted,
    encode_batch,
    encode_rows,
)

METRICS = 12


@dataclass(frozen=True)
class PreparedBatch:
    """One encoded batch and what its headers say."""

    seq_lo: int
    seq_hi: int
    body: bytes
    raw_length: int


def prepare(run_seed: int, batches: int, rows: int, metrics: int = METRICS) -> list[PreparedBatch]:
    """Batches of one run: `rows` rows of `metrics` noisy falling curves each, with time and runtime."""
    source = random.Random(run_seed)
    prepared = []
    start = time.time()
    for number in range(batches):
        seq_lo = number * rows
        table = [
            (offset, seq_lo + offset, _row(source, seq_lo + offset, metrics, start)) for offset in range(rows)
        ]
        body, raw_length = encode_batch(LogBatch(seq_lo, seq_lo + rows - 1, rows=encode_rows(table)))
        prepared.append(PreparedBatch(seq_lo, seq_lo + rows - 1, body, raw_length))
    return prepared


def _row(source: random.Random, step: int, metrics: int, start: float) -> dict[str, float]:
    values = {
        f"metric_{i}": round(1 / (1 + step / 500) + 0.05 * source.random() + i, 6) for i in range(metrics)
    }
    return {TIMESTAMP_KEY: round(start + step * 0.1, 3), RUNTIME_KEY: round(step * 0.1, 3), **values}


def start_writers(ingest_url: str, key: str, project: str, runs: Iterable[str]) -> list[int]:
    """Register one new writer a run; their ids in the order of `runs`."""
    writers = []
    with httpx.Client(base_url=ingest_url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        for run in runs:
            start = StartWriter(project=project, run=run, writer=uuid.uuid4().hex, started_at=time.time())
            answer = http.post("/ingest/v1/runs", content=msgspec.json.encode(start))
            answer.raise_for_status()
            writers.append(msgspec.json.decode(answer.content, type=WriterStarted).writer_id)
    return writers


def send_all(
    ingest_url: str,
    key: str,
    writers: Sequence[int],
    batches: Sequence[Sequence[PreparedBatch]],
    connections: int,
) -> list[float]:
    """Send every run's batches in order, runs spread over `connections`; seconds to durable of each batch.

    A busy server is asked again after the time it names.
    """
    work: queue.SimpleQueue[tuple[int, Sequence[PreparedBatch]]] = queue.SimpleQueue()
    for writer, own in zip(writers, batches, strict=True):
        work.put((writer, own))
    latencies: list[list[float]] = [[] for _ in range(connections)]
    failures: list[BaseException] = []

    def drain(held: list[float]) -> None:
        try:
            _drain(ingest_url, key, work, held)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=drain, args=(held,)) for held in latencies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [seconds for held in latencies for seconds in held]


def _drain(
    ingest_url: str,
    key: str,
    work: "queue.SimpleQueue[tuple[int, Sequence[PreparedBatch]]]",
    held: list[float],
) -> None:
    address = urlsplit(ingest_url)
    connection = socket.create_connection((address.hostname or "127.0.0.1", address.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        # A few runs are open at once, so that batches of many runs mix as they do in life.
        while True:
            try:
                writer, batches = work.get_nowait()
            except queue.Empty:
                return
            for batch in batches:
                began = time.perf_counter()
                while (wait := _post(connection, address.netloc, key, writer, batch)) > 0:
                    time.sleep(wait)
                held.append(time.perf_counter() - began)


def _post(connection: socket.socket, host: str, key: str, writer: int, batch: PreparedBatch) -> float:
    """0.0 when the batch is durable, else the seconds after which to try again."""
    head = (
        f"POST /ingest/v1/writers/{writer}/batches?seq_lo={batch.seq_lo}&seq_hi={batch.seq_hi} HTTP/1.1\r\n"
        f"Host: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/octet-stream\r\n"
        f"X-Runhue-CRC32: {zlib.crc32(batch.body)}\r\nX-Runhue-Raw-Length: {batch.raw_length}\r\n"
        f"Content-Length: {len(batch.body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + batch.body)
    status, headers = _read_answer(connection)
    if status == 200:
        return 0.0
    if status in (429, 503):
        return max(0.05, float(headers.get("retry-after", "0.1")))
    raise RuntimeError(f"batch refused with {status}")


def _read_answer(connection: socket.socket) -> tuple[int, dict[str, str]]:
    held = b""
    while b"\r\n\r\n" not in held:
        held += _received(connection)
    head, rest = held.split(b"\r\n\r\n", 1)
    status_line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    missing = int(headers.get("content-length", "0")) - len(rest)
    while missing > 0:
        missing -= len(_received(connection))
    return int(status_line.split(" ")[1]), headers


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data
