"""HTTP to ingest: its calls, and answers turned into results or errors of `_errors`."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx
import msgspec

from runhue._errors import (
    AuthError,
    SequenceGap,
    ServerBusy,
    ServerError,
    ServerRefused,
    ServerUnreachable,
)
from runhue._file_packs import PackAnswer, encode_pack
from runhue._file_parts import MissingParts, read_part
from runhue._records import FileSaved
from runhue._values import from_wire
from runhue._version import __version__
from runhue_shared.events import LogBatch, LogBatchAccepted, StartWriter, WriterStarted, encode_batch

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
STORE_SECONDS = 300.0
"""For the answer to an upload, which comes when the last byte is stored."""

CONNECTIONS = 6
RETRIED = frozenset({408, 425, 429})

Answer = TypeVar("Answer")


class Problem(msgspec.Struct):
    """RFC 9457 problem details, as far as a client needs them."""

    title: str = ""
    detail: str = ""
    code: str | None = None
    field: str | None = None
    limit: Any = None  # number or text
    fix: str | None = None
    expected_seq: int | None = None


class FileAnswer(msgspec.Struct):
    """Whether the server has a file; when not, where its bytes are put, with which headers, or its parts."""

    stored: bool
    upload_url: str | None = None
    headers: dict[str, str] = {}
    parts: MissingParts | None = None


class ServerAddresses(msgspec.Struct):
    """Part of `GET /api/v1/server`."""

    ingest_url: str = ""


class Transport:
    """One client of the server at `base_url`. Once a writer is started, files may go from many threads.

    `ingest_url`, when empty, is asked of the server; a server that cannot say is taken to be
    ingest itself.
    """

    def __init__(self, base_url: str, api_key: str, ingest_url: str = "") -> None:
        self.base_url = base_url.rstrip("/")
        self._ingest_url = ingest_url.rstrip("/")
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}", "User-Agent": f"runhue/{__version__}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def start_writer(self, start: StartWriter) -> WriterStarted:
        """`POST /ingest/v1/runs`."""
        body = msgspec.json.encode(start)
        started = self._post("/ingest/v1/runs", body, {"Content-Type": "application/json"}, WriterStarted)
        started.config, started.summary = from_wire(started.config), from_wire(started.summary)
        return started

    def send_batch(self, writer_id: int, batch: LogBatch) -> LogBatchAccepted:
        """Deliver one batch; returns once it is durable."""
        body, raw_length = encode_batch(batch)
        path = f"/ingest/v1/writers/{writer_id}/batches?seq_lo={batch.seq_lo}&seq_hi={batch.seq_hi}"
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Runhue-CRC32": str(zlib.crc32(body)),
            "X-Runhue-Raw-Length": str(raw_length),
        }
        return self._post(path, body, headers, LogBatchAccepted)

    def heartbeat(self, writer_id: int) -> LogBatchAccepted:
        """Say that the writer is alive."""
        return self._post(f"/ingest/v1/writers/{writer_id}/heartbeat", b"", {}, LogBatchAccepted)

    def offer_file(self, writer_id: int, file: FileSaved) -> FileAnswer:
        """Say that the run has a file; the server knows its bytes, or says where to put them."""
        offer = {"path": file.path, "sha256": file.sha256, "size": file.size, "parts": True}
        body = msgspec.json.encode(offer)
        headers = {"Content-Type": "application/json"}
        return self._post(f"/ingest/v1/writers/{writer_id}/files", body, headers, FileAnswer)

    def send_pack(self, writer_id: int, files: Sequence[FileSaved], folder: Path) -> PackAnswer:
        """Deliver small files whose bytes are in `folder`, in one request; each has its own answer.

        Raises:
            OSError: a file cannot be read.
        """
        body = encode_pack(files, folder)
        headers = {"Content-Type": "application/octet-stream"}
        return self._post(f"/ingest/v1/writers/{writer_id}/file-packs", body, headers, PackAnswer)

    def put_file(self, answer: FileAnswer, source: Path) -> None:
        """Put a file's bytes where the server said, read from disk as they are sent.

        Raises:
            OSError: the file cannot be read.
            ServerError: any of its kinds.
        """
        self._put(answer.upload_url or "", answer.headers, source, 0, source.stat().st_size)

    def put_part(self, url: str, source: Path, start: int, length: int) -> None:
        """Put some bytes of a file, as `put_file` does.

        Raises:
            OSError: the file cannot be read.
            ServerError: any of its kinds.
        """
        self._put(url, {}, source, start, length)

    def complete_file(self, url: str) -> None:
        """Have the server make a file of its parts; returns once it is stored.

        Raises:
            ServerError: any of its kinds.
        """
        self._send_alone("POST", url, {}, None)

    def _put(self, url: str, headers: Mapping[str, str], source: Path, start: int, length: int) -> None:
        sent = {**headers, "Content-Length": str(length)}
        self._send_alone("PUT", url, sent, read_part(source, start, length))

    def _send_alone(
        self, method: str, url: str, headers: dict[str, str], content: Iterator[bytes] | None
    ) -> None:
        """A request of its own: the client would add its key, which is not for other servers."""
        if url.startswith("/"):
            url = self._ingest() + url
            headers["Authorization"] = self._client.headers["Authorization"]
        headers["User-Agent"] = self._client.headers["User-Agent"]
        wait = httpx.Timeout(STORE_SECONDS, connect=CONNECT_SECONDS).as_dict()
        request = httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": wait})
        try:
            response = self._client.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(url.partition("?")[0], error) from error
        if not response.is_success:
            raise problem_of(response)

    def _post(self, path: str, body: bytes, headers: dict[str, str], answer: type[Answer]) -> Answer:
        try:
            response = self._client.post(self._ingest() + path, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(self._ingest_url or self.base_url, error) from error
        if response.is_success:
            return _parse(response, answer)
        raise problem_of(response)

    def _ingest(self) -> str:
        if not self._ingest_url:
            response = self._client.get(f"{self.base_url}/api/v1/server")
            if response.status_code in {404, 405}:
                self._ingest_url = self.base_url
            elif response.is_success:
                named = _parse(response, ServerAddresses).ingest_url
                self._ingest_url = urljoin(f"{self.base_url}/", named).rstrip("/")
            else:
                raise problem_of(response)
        return self._ingest_url


def _unreachable(url: str, error: Exception) -> ServerUnreachable:
    return ServerUnreachable(f"no answer from {url}: {error or type(error).__name__}")


def _parse(response: httpx.Response, answer: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(response.content, type=answer)
    except msgspec.DecodeError as error:
        url = response.request.url
        raise ServerBusy(f"{url} answers in a form that this release does not know: {error}") from error


def problem_of(response: httpx.Response) -> ServerError:
    """The error that an answer other than 2xx stands for."""
    status = response.status_code
    problem = _problem_details(response)
    message = problem.detail or problem.title or f"{response.request.url} answered {status}"
    if status == 409 and problem.expected_seq is not None:
        return SequenceGap(message, problem.expected_seq)
    if status in RETRIED or status >= 500 or status < 400 or problem.code == "crc_mismatch":
        return ServerBusy(message, status=status, code=problem.code, retry_after=_retry_after(response))
    kind = AuthError if status in {401, 403} else ServerRefused
    return kind(
        message, status=status, code=problem.code, field=problem.field, limit=problem.limit, fix=problem.fix
    )


def _problem_details(response: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        return Problem()


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "")))
    except ValueError:
        return None
