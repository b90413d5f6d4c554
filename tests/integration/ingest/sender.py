"""A client of ingest as short as tests need it: it sends what it is told to, also what is wrong."""

import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import httpx

from runhue_shared.events import LogBatch, encode_batch
from tests.builders import Row, batch_of


class Sender:
    """Speaks with one key. `http` is free for requests of other kinds."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def another(self) -> "Sender":
        """A client of its own connections with the same key, for a thread; close its `http`."""
        return Sender(str(self.http.base_url), self.http.headers["authorization"].removeprefix("Bearer "))

    def start(self, **fields: Any) -> httpx.Response:
        """`POST /ingest/v1/runs`, by default a new writer of run r1."""
        body = {
            "project": "digits",
            "run": "r1",
            "writer": secrets.token_hex(16),
            "started_at": 1_700_000_000.0,
            **fields,
        }
        return self.http.post("/ingest/v1/runs", json={k: v for k, v in body.items() if v is not ...})

    def new_writer(self, **fields: Any) -> int:
        """Id of a new writer."""
        answer = self.start(**fields)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["writer_id"])

    def send_rows(self, writer_id: int, rows: Sequence[Row], seq_lo: int = 0) -> httpx.Response:
        """A batch of rows."""
        return self.send(writer_id, batch_of(rows, seq_lo))

    def send_range(self, writer_id: int, seq_lo: int, seq_hi: int) -> httpx.Response:
        """A batch of one number a row, steps equal to seqs."""
        rows = [(seq, {"loss": float(seq)}) for seq in range(seq_lo, seq_hi + 1)]
        return self.send_rows(writer_id, rows, seq_lo)

    def send(self, writer_id: int, batch: LogBatch) -> httpx.Response:
        """A batch as the SDK would."""
        body, raw_length = encode_batch(batch)
        return self.send_body(writer_id, body, raw_length, batch.seq_lo, batch.seq_hi)

    def send_body(
        self,
        writer_id: int | str,
        body: Any,  # whatever httpx sends
        raw_length: int | str = 100,
        seq_lo: int | str = 0,
        seq_hi: int | str = 0,
        crc: int | str | None = None,
    ) -> httpx.Response:
        """Any body with any headers; without `crc` the right one."""
        headers = {
            "X-Runhue-CRC32": str(zlib.crc32(body) if crc is None else crc),
            "X-Runhue-Raw-Length": str(raw_length),
        }
        params = {"seq_lo": seq_lo, "seq_hi": seq_hi}
        path = f"/ingest/v1/writers/{writer_id}/batches"
        return self.http.post(path, params=params, headers=headers, content=body)

    def beat(self, writer_id: int | str) -> httpx.Response:
        """A heartbeat."""
        return self.http.post(f"/ingest/v1/writers/{writer_id}/heartbeat")
