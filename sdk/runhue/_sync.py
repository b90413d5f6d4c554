"""Sends spools of processes that are gone: offline runs, interrupted ones, killed ones."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runhue import _records as records
from runhue._assembly import Assembler
from runhue._credentials import read_key
from runhue._delivery import Delivery
from runhue._errors import AuthError, RunhueError, ServerBusy, ServerUnreachable
from runhue._sender import Backoff
from runhue._settings import FOLDER, Settings, resolve
from runhue._spool import MANIFEST, Manifest, Spool, read_manifest, segments
from runhue._spool_lock import SpoolHeld, SpoolLock
from runhue._spool_reader import SpoolReader, repair
from runhue._transport import Transport
from runhue._writer import SPOOLS, discard_spool

KILLED = -1
"""Exit code of a process that left no word of its end."""

PARALLEL = 4
ATTEMPT_SECONDS = 60.0


@dataclass(frozen=True)
class SyncProgress:
    """How far one spool is. `error` says why it stopped short, None when it goes on or is done."""

    folder: Path
    run: str
    sent: int
    total: int
    done: bool = False
    error: str | None = None


Report = Callable[[SyncProgress], None]


def _no_report(_: SyncProgress) -> None:
    pass


def find_spools(path: Path) -> list[Path]:
    """Spools at or under `path` that hold records: a spool itself, a `.runhue` folder, or what has one."""
    if (path / MANIFEST).exists():
        found = [path]
    else:
        places = [path, path / SPOOLS, path / FOLDER / SPOOLS]
        found = [folder.parent for place in places for folder in place.glob(f"*/{MANIFEST}")]
    return sorted(folder for folder in found if segments(folder))


def sync(
    path: str | Path | None = None,
    parallel: int = PARALLEL,
    progress: Report = _no_report,
    settings: Settings | None = None,
) -> list[SyncProgress]:
    """Send every unfinished spool at `path` (default: those of the current folder). Again is fine.

    Spools of processes that live are left to them. Spools of one run are sent in the order in
    which their processes started, `parallel` runs at a time. `progress` is called from several
    threads. Returns the last state of each spool, whose `error` says what went wrong, a missing key too.
    """
    chosen = resolve({"mode": "online"}, settings)
    spools = find_spools(Path(path) if path is not None else chosen.dir.absolute())
    results: list[SyncProgress] = []
    with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="runhue-sync") as pool:
        runs = _by_run(spools, results).values()
        waiting = [pool.submit(_sync_run, folders, chosen, progress) for folders in runs]
        for future in as_completed(waiting):
            results.extend(future.result())
    return results


def _by_run(
    spools: list[Path], broken: list[SyncProgress]
) -> dict[tuple[str, str, str | None, str], list[Path]]:
    """Folders by run, each in order of start; those without a readable manifest go to `broken`."""
    starts: list[tuple[float, Path, Manifest]] = []
    for folder in spools:
        try:
            manifest = read_manifest(folder)
        except (OSError, ValueError) as error:
            broken.append(SyncProgress(folder, folder.name, 0, 0, error=f"manifest cannot be read: {error}"))
            continue
        starts.append((manifest.start.started_at, folder, manifest))
    runs: dict[tuple[str, str, str | None, str], list[Path]] = {}
    for _, folder, manifest in sorted(starts, key=lambda entry: entry[:2]):
        start = manifest.start
        runs.setdefault((manifest.base_url, start.project, start.team, start.run), []).append(folder)
    return runs


def _sync_run(folders: list[Path], settings: Settings, progress: Report) -> list[SyncProgress]:
    return [sync_spool(folder, settings, progress) for folder in folders]


def sync_spool(
    folder: Path,
    settings: Settings,
    progress: Report = _no_report,
    stopping: threading.Event | None = None,
    attempt_seconds: float = ATTEMPT_SECONDS,
) -> SyncProgress:
    """Send one spool whole. Never raises for the server's or the spool's faults: the result says them."""
    run = folder.name
    try:
        manifest = read_manifest(folder)
        run = manifest.start.run
        lock = SpoolLock(folder)
    except SpoolHeld as held:
        return SyncProgress(folder, run, 0, 0, error=str(held))
    except (OSError, ValueError) as error:
        return SyncProgress(folder, run, 0, 0, error=f"cannot be read: {error}")
    try:
        total = complete_spool(folder)
        upload = SpoolUpload(folder, manifest, settings, progress, stopping or threading.Event())
        return upload.send(total, attempt_seconds)
    except (RunhueError, OSError) as error:
        return SyncProgress(folder, run, 0, 0, error=str(error))
    finally:
        lock.release()


def complete_spool(folder: Path) -> int:
    """End the spool of a process that could not: torn tail cut, open row complete, state killed.

    Returns the number of its records. A spool that is complete stays as it is.
    """
    last_change = _last_change(folder)
    following = repair(folder)
    is_open, is_finished = _last_state(folder, following)
    if is_finished:
        return following
    spool = Spool(folder, first_seq=following)
    if is_open:
        spool.append(records.RowCommitted())
    spool.append(records.WriterFinished(KILLED, "killed", last_change))
    spool.close()
    return spool.next_seq


def _last_state(folder: Path, following: int) -> tuple[bool, bool]:
    """(has an open row, has a finish record)."""
    reader = SpoolReader(folder, lambda _first, _next: None)
    assembler = Assembler(0)
    for seq, payload in reader.read(following):
        try:
            assembler.feed(seq, payload)
        except (msgspec.DecodeError, ValueError):
            continue
        assembler.take_batch()
    reader.close()
    return assembler.open_since is not None, assembler.finished_seq is not None


def _last_change(folder: Path) -> float:
    return max((path.stat().st_mtime for _, path in segments(folder)), default=time.time())


class SpoolUpload:
    """One pass over a spool that nobody writes any more."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        settings: Settings,
        progress: Report,
        stopping: threading.Event,
    ) -> None:
        self._folder = folder
        self._run = manifest.start.run
        self._progress = progress
        self._stopping = stopping
        self._warnings: list[str] = []
        base_url = settings.base_url if settings.base_url != Settings().base_url else manifest.base_url
        self._transport = Transport(base_url, _key(settings, base_url), settings.ingest_url)
        self._delivery = Delivery(folder, manifest.start, self._transport, self._warnings.append)

    def send(self, total: int, attempt_seconds: float) -> SyncProgress:
        """Send records 0..`total` - 1; gives up after `attempt_seconds` of faults in a row."""
        error: str | None = None
        try:
            self._send_all(total, attempt_seconds)
        except RunhueError as refusal:
            error = str(refusal)
        finally:
            self._delivery.close()
            self._transport.close()
        done = self._delivery.durable_seq + 1 >= total
        if done:
            discard_spool(self._folder)
        error = error or (None if done else "stopped before its end")
        return self._report(total, done, "; ".join(filter(None, [error, *self._warnings])) or None)

    def _send_all(self, total: int, attempt_seconds: float) -> None:
        backoff = Backoff()
        last_contact = time.monotonic()
        while not self._stopping.is_set():
            try:
                if not self._delivery.deliver(total):
                    return
            except (ServerUnreachable, ServerBusy) as fault:
                delay = backoff.delay(fault)
                if time.monotonic() + delay - last_contact > attempt_seconds:
                    raise
                self._stopping.wait(delay)
            else:
                backoff.reset()
                last_contact = time.monotonic()
                self._report(total, False, None)

    def _report(self, total: int, done: bool, error: str | None) -> SyncProgress:
        state = SyncProgress(self._folder, self._run, self._delivery.durable_seq + 1, total, done, error)
        self._progress(state)
        return state


def _key(settings: Settings, base_url: str) -> str:
    key = settings.api_key or read_key(base_url)
    if not key:
        raise AuthError(f"no API key for {base_url}", fix="run `runhue login` or set RUNHUE_API_KEY")
    return key


class Recovery:
    """Sends, from a living process, what dead processes left in its folder."""

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._warn = warn

    def send_run(self, run: str, seconds: float) -> None:
        """Send what is left of one run, ahead of going on with it: its last step counts."""
        for folder, manifest in self._left():
            if manifest.start.run == run:
                self._note(sync_spool(folder, self._settings, attempt_seconds=seconds))

    def launch(self) -> None:
        """Send everything that is left from a thread."""
        if self._settings.send_leftovers and any(True for _ in self._left()):
            threading.Thread(target=self._send_left, name="runhue-recovery", daemon=True).start()

    def _send_left(self) -> None:
        for folder, _ in self._left():
            self._note(sync_spool(folder, self._settings))

    def _left(self) -> Iterator[tuple[Path, Manifest]]:
        """Spools of processes that are gone, for the same server, and not meant to stay offline."""
        for folder in find_spools(self._settings.folder / SPOOLS):
            try:
                manifest = read_manifest(folder)
                SpoolLock(folder).release()
            except (OSError, ValueError, SpoolHeld):
                continue
            if manifest.base_url == self._settings.base_url and manifest.mode == "online":
                yield folder, manifest

    def _note(self, result: SyncProgress) -> None:
        if result.done:
            self._warn(f"sent what an earlier process left of run {result.run}")
        elif result.error:
            self._warn(f"{result.folder} of an earlier process was not sent: {result.error}")
