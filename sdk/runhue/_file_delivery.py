"""A writer's files on their way to the server, ahead of the batch whose rows name them."""

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from runhue._errors import ServerBusy, ServerError, ServerRefused
from runhue._file_packs import PackedAnswer, is_small, packs
from runhue._file_parts import FileParts
from runhue._files import FILES
from runhue._records import FileSaved
from runhue._spool import REJECTED, write_private
from runhue._transport import Transport

PARALLEL = 4
PATIENCE_SECONDS = 20.0
"""After so long without a file done, the server is told that the writer lives."""

REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that mean: never this file."""

HASH_MISMATCH = "hash_mismatch"
NO_SUCH_ROUTE = frozenset({404, 405, 501})

Numbered = Sequence[tuple[int, FileSaved]]
"""(seq, file)."""


class FileDelivery:
    """Delivers files of the spool in `folder`, several at a time, each once in effect.

    `alive` is called now and then while files take long. Not thread-safe.
    """

    def __init__(
        self, folder: Path, transport: Transport, warn: Callable[[str], None], alive: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._transport = transport
        self._warn = warn
        self._alive = alive
        self._parts = FileParts(transport, PARALLEL)
        self._done: set[str] = set()
        self._alone = False  # the server takes no packs

    def deliver(self, writer_id: int, files: Numbered) -> bool:
        """Have the server store the files; those it refuses for good are put aside and warned about.

        Returns:
            True when none is left, False when some are: call again.
        Raises:
            ServerError: nothing was stored, call again later.
        """
        waiting = [file for file in _last_of_each_path(files) if file.name not in self._done]
        if not waiting:
            return True
        faults = []
        for file, outcome in self._each_sent(writer_id, waiting):
            if outcome is None:
                self._done.add(file.name)
            elif _is_final(outcome):
                self._reject(file, outcome)
            else:
                faults.append(outcome)
        if len(faults) == len(waiting):
            raise faults[0]
        return not faults

    def forget(self, files: Numbered) -> None:
        """The batch is durable: the spool's copies are of no more use."""
        for _, file in files:
            self._done.discard(file.name)
            (self._folder / FILES / file.name).unlink(missing_ok=True)

    def _each_sent(
        self, writer_id: int, files: Sequence[FileSaved]
    ) -> Iterable[tuple[FileSaved, Exception | None]]:
        """(file, what went wrong) of each, in the order in which they end."""
        todo: queue.SimpleQueue[Sequence[FileSaved]] = queue.SimpleQueue()
        ended: queue.SimpleQueue[tuple[FileSaved, Exception | None]] = queue.SimpleQueue()
        groups = [[file] for file in files] if self._alone else list(packs(files))
        for group in groups:
            todo.put(group)

        faulty = threading.Event()

        def work() -> None:
            while True:
                try:
                    group = todo.get_nowait()
                except queue.Empty:
                    return
                for file in group if faulty.is_set() else ():
                    ended.put((file, ServerBusy("not tried")))
                for file, outcome in () if faulty.is_set() else self._sent(writer_id, group):
                    ended.put((file, outcome))
                    if outcome is not None and not _is_final(outcome):
                        faulty.set()

        for _ in range(min(PARALLEL, len(groups))):
            # Daemons: an upload under way must not keep a process that wants to end.
            threading.Thread(target=work, name="runhue-upload", daemon=True).start()
        for _ in files:
            yield self._next(ended)

    def _next(
        self, ended: "queue.SimpleQueue[tuple[FileSaved, Exception | None]]"
    ) -> tuple[FileSaved, Exception | None]:
        while True:
            try:
                return ended.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                self._alive()

    def _sent(
        self, writer_id: int, group: Sequence[FileSaved]
    ) -> Sequence[tuple[FileSaved, Exception | None]]:
        """What became of each file of a group."""
        try:
            if is_small(group[0]) and not self._alone:
                return self._sent_pack(writer_id, group)
        except Exception as error:  # noqa: BLE001  # it is raised by the thread that waits for this one
            return [(file, error) for file in group]
        return [(file, self._sent_alone(writer_id, file)) for file in group]

    def _sent_alone(self, writer_id: int, file: FileSaved) -> Exception | None:
        try:
            self._send(writer_id, file)
        except Exception as error:  # noqa: BLE001  # as above
            return error
        return None

    def _sent_pack(
        self, writer_id: int, group: Sequence[FileSaved]
    ) -> Sequence[tuple[FileSaved, Exception | None]]:
        try:
            answers = self._transport.send_pack(writer_id, group, self._folder / FILES).files
        except (OSError, ServerRefused) as refused:
            # One of them is gone or spoilt, or the server is older: each on its own tells which.
            self._alone |= isinstance(refused, ServerRefused) and refused.status in NO_SUCH_ROUTE
            return [(file, self._sent_alone(writer_id, file)) for file in group]
        if len(answers) != len(group):
            raise ServerBusy(f"{len(group)} files were sent, and the server answers for {len(answers)}")
        return [
            (file, None if answer.stored else self._refusal(file, answer))
            for file, answer in zip(group, answers, strict=True)
        ]

    def _refusal(self, file: FileSaved, answer: PackedAnswer) -> ServerError:
        detail = answer.detail or "the server refuses it"
        if answer.code == HASH_MISMATCH and _is_whole(self._folder / FILES / file.name, file):
            return ServerBusy(f"{file.path} was spoilt on its way: {detail}", status=answer.status)
        return ServerRefused(detail, status=answer.status or 422, code=answer.code)

    def _send(self, writer_id: int, file: FileSaved) -> None:
        answer = self._transport.offer_file(writer_id, file)
        if answer.stored:
            return
        source = self._folder / FILES / file.name
        if not source.exists():
            raise ServerRefused(f"its bytes are gone from {source.parent}", status=422, code="bytes_missing")
        try:
            if answer.parts is None:
                self._transport.put_file(answer, source)
            else:
                self._parts.send(writer_id, file, source, answer.parts)
        except ServerError as error:
            if _is_about_content(error) and not (error.code == HASH_MISMATCH and _is_whole(source, file)):
                raise
            # A signed address ends after a while: ask for another one.
            raise ServerBusy(f"{file.path} could not be uploaded: {error}", status=error.status) from error
        if not self._transport.offer_file(writer_id, file).stored:
            raise ServerBusy(f"{file.path} was uploaded, and the server has not stored it yet")

    def _reject(self, file: FileSaved, refusal: Exception) -> None:
        folder = self._folder / REJECTED
        folder.mkdir(exist_ok=True)
        kept = self._folder / FILES / file.name
        if kept.exists():
            kept.replace(folder / f"{file.name}.file")
        reason = {"path": file.path, "sha256": file.sha256, "reason": str(refusal)}
        write_private(folder / f"{file.name}.json", json.dumps(reason).encode())
        self._done.add(file.name)
        self._warn(f"the file {file.path} is refused for good, kept in {folder}: {refusal}")


def _last_of_each_path(files: Numbered) -> list[FileSaved]:
    """Without the versions that a later one replaces."""
    return list({file.path: file for _, file in files}.values())


def _is_about_content(fault: ServerError) -> bool:
    return isinstance(fault, ServerRefused) and fault.status in REFUSED


def _is_whole(source: Path, file: FileSaved) -> bool:
    """True when the bytes are still what was kept, so that they were spoilt on their way."""
    with source.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _is_final(fault: Exception) -> bool:
    """True when the server refuses this file whatever happens, or knows no files at all."""
    return isinstance(fault, ServerRefused) and (
        fault.status in REFUSED or (fault.status in NO_SUCH_ROUTE and fault.code in {None, "not_found"})
    )
