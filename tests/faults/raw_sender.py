"""A writer that speaks the wire itself and misbehaves: repeats, reorders, skips, and sends poison."""

import random
import sys
import time
import uuid
import zlib
from dataclasses import dataclass, field

import httpx
import msgspec

from runhue_shared.events import LogBatch, StartWriter, encode_batch, encode_rows
from tests.faults.truth import row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROWS_PER_BATCH = 20


@dataclass
class RawSender:
    """Sends steps `first`, `first + stride`, ... of run `seed` in batches, each at least once, in any order.

    `logged` holds the steps that the server acknowledged, `poisoned` counts bodies that must
    end as dead letters.
    """

    ingest_url: str
    key: str
    run: str
    seed: int
    chaos: random.Random
    first: int = 0
    stride: int = 1
    logged: list[int] = field(default_factory=list)
    poisoned: int = 0
    _writer: int = 0
    _next_seq: int = 0
    _next_step: int = 0

    def start(self) -> None:
        """Register the writer; repeats until the server answers."""
        self._next_step = self.first
        body = msgspec.json.encode(
            StartWriter(
                project="faults",
                run=self.run,
                writer=uuid.uuid4().hex,
                started_at=time.time(),
                resume="allow",
            )
        )
        self._writer = self._post("/ingest/v1/runs", body).json()["writer_id"]

    def send(self, batches: int) -> None:
        """Send `batches` batches, with repeats (x3), swaps, gaps and poison among them."""
        pending = [self._batch() for _ in range(batches)]
        while pending:
            if len(pending) > 1 and self.chaos.random() < 0.2:
                self._deliver(pending[1])
            delivered = pending.pop(0)
            for _ in range(1 + 2 * (self.chaos.random() < 0.15)):
                answer = self._deliver(delivered)
                if answer.status_code != 200:
                    raise AssertionError(f"in-order batch refused: {answer.status_code} {answer.text}")
            self.logged += delivered[3]

    def _batch(self) -> tuple[int, int, bytes, list[int], int]:
        seq_lo = self._next_seq
        self._next_seq += ROWS_PER_BATCH
        seq_hi = self._next_seq - 1
        if self.chaos.random() < 0.05:
            self.poisoned += 1
            body = zstd.compress(self.chaos.randbytes(200))  # well packed, and no batch inside
            return seq_lo, seq_hi, body, [], 200
        steps = [self._next_step + self.stride * i for i in range(ROWS_PER_BATCH)]
        self._next_step += self.stride * ROWS_PER_BATCH
        shuffled = steps[:]
        self.chaos.shuffle(shuffled)
        rows = encode_rows([(i, step, row(self.seed, step)) for i, step in enumerate(shuffled)])
        body, raw_length = encode_batch(LogBatch(seq_lo, seq_hi, rows=rows))
        return seq_lo, seq_hi, body, steps, raw_length

    def _deliver(self, batch: tuple[int, int, bytes, list[int], int]) -> httpx.Response:
        seq_lo, seq_hi, body, _, raw_length = batch
        path = f"/ingest/v1/writers/{self._writer}/batches?seq_lo={seq_lo}&seq_hi={seq_hi}"
        headers = {"X-Runhue-CRC32": str(zlib.crc32(body)), "X-Runhue-Raw-Length": str(raw_length)}
        return self._post(path, body, headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """Post until the answer is one that a sender may act on; a lost reply is asked for again."""
        deadline = time.monotonic() + 180
        while True:
            try:
                answer = httpx.post(
                    self.ingest_url + path,
                    content=body,
                    headers={"Authorization": f"Bearer {self.key}", **(headers or {})},
                    timeout=10,
                )
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} was not answered for 180 s")
            time.sleep(0.2)
