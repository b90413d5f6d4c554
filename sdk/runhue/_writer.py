"""One process's way into a run: spool folder, lock, recorder and sender as one thing."""

import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runhue._errors import ServerError
from runhue._files import FILES
from runhue._sender import Sender
from runhue._settings import Settings
from runhue._spool import REJECTED, Manifest, NoSpool, Spool, segments, write_manifest
from runhue._spool_lock import SpoolLock
from runhue._terminal import Terminal
from runhue_shared.events import StartWriter

SPOOLS = "spool"
POLL_SECONDS = 0.1


@dataclass
class Writer:
    """Open files and threads of one writer. Without `folder` nothing is kept (mode disabled)."""

    spool: Spool | NoSpool
    sender: Sender | None = None
    folder: Path | None = None
    lock: SpoolLock | None = None

    def wait_delivered(
        self, last_seq: int, settings: Settings, timeout: float, progress: Callable[[int, int], None]
    ) -> bool:
        """Wait until the server has records 0..`last_seq`; False when time ran out or it will not take them.

        Gives up after `settings.unreachable_timeout` without any answer. `progress` gets (sent, all).
        """
        if self.sender is None:
            return False
        deadline = time.monotonic() + timeout
        began = time.monotonic()
        self.sender.hurry()
        while not self.sender.done.wait(POLL_SECONDS):
            progress(self.sender.durable_seq + 1, last_seq + 1)
            if self.spool.unwritten and self.sender.durable_seq + 1 >= self.spool.written_seq:
                break
            now = time.monotonic()
            silent = now - max(began, self.sender.last_contact)
            if now > deadline or (self.sender.last_fault and silent > settings.unreachable_timeout):
                break
        progress(self.sender.durable_seq + 1, last_seq + 1)
        return self.sender.is_complete

    def close(self, delivered: bool) -> None:
        """Stop the sender and close the files; a spool that is delivered whole is deleted."""
        if self.sender is not None:
            self.sender.stop(timeout=1.0)
        self.spool.close()
        if self.folder is not None and delivered:
            discard_spool(self.folder)
        if self.lock is not None:
            self.lock.release()

    def abandon(self) -> None:
        """Let go after a fork: files and threads are the parent's."""
        self.spool.abandon()
        if self.lock is not None:
            self.lock.abandon()


def discard_spool(folder: Path) -> None:
    """Delete a spool that the server has whole; records that it refused stay."""
    for _, path in segments(folder):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / FILES, ignore_errors=True)
    if not (folder / REJECTED).exists():
        shutil.rmtree(folder, ignore_errors=True)


def open_writer(settings: Settings, start: StartWriter, terminal: Terminal) -> Writer:
    """A writer that is ready to record. Its sender waits to be launched.

    Raises:
        ServerError: never; the server is asked by the sender's thread.
        OSError: the folder cannot be written.
    """
    if settings.mode == "disabled":
        nothing = NoSpool()
        nothing.files.on_warning = terminal.warn
        return Writer(nothing)
    folder = new_folder(settings.folder / SPOOLS, start)
    lock = SpoolLock(folder)
    write_manifest(folder, Manifest(start, settings.base_url, settings.mode))
    spool = Spool(folder, segment_bytes=settings.segment_bytes)
    spool.on_fault = lambda error: terminal.warn(
        f"the spool {folder} cannot be written ({error}); log data wait in memory until it can"
    )
    spool.files.on_warning = terminal.warn
    sender = Sender(spool, start, settings, terminal.warn) if settings.mode == "online" else None
    return Writer(spool, sender, folder, lock)


def new_folder(spools: Path, start: StartWriter) -> Path:
    """Make the folder of a writer: `<time>-<run>-<writer>`."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(start.started_at))
    run = re.sub(r"[^\w.-]", "_", start.run)[:64]
    folder = spools / f"{moment}-{run}-{start.writer[:8]}"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def new_writer_id() -> str:
    """32 hex digits that no other writer has."""
    return secrets.token_hex(16)


def wait_introduced(sender: Sender, timeout: float, patient: bool) -> ServerError | None:
    """Wait for the server's answer to `StartWriter`; why there is none, or None when there is one.

    Unless `patient`, the first fault ends the wait: the sender goes on trying by itself.
    """
    deadline = time.monotonic() + timeout
    while not sender.introduced.wait(POLL_SECONDS / 5):
        if sender.last_fault and not patient:
            return sender.last_fault
        if time.monotonic() > deadline:
            return sender.last_fault or ServerError(f"no answer within {timeout:g} s")
    return sender.failure
