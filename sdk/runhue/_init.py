"""`runhue.init()`: settings, identity and server become a `Run`."""

import os
import secrets
import shutil
import string
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from runhue import _current, _exit
from runhue._config import config_values
from runhue._credentials import read_key
from runhue._errors import AuthError, ServerRefused
from runhue._recorder import Recorder
from runhue._run import Run
from runhue._settings import Settings, resolve
from runhue._spool import write_private
from runhue._sync import Recovery
from runhue._terminal import Terminal
from runhue._version import __version__
from runhue._writer import Writer, new_writer_id, open_writer, wait_introduced
from runhue_shared.events import StartWriter, WriterStarted

ID_LETTERS = string.ascii_lowercase + string.digits
ID_LENGTH = 8
RESUME_FILE = "resume.json"


def init(
    project: str | None = None,
    *,
    team: str | None = None,
    entity: str | None = None,
    id: str | None = None,  # noqa: A002  # wandb's name of it
    name: str | None = None,
    notes: str | None = None,
    tags: Iterable[str] | None = None,
    group: str | None = None,
    job_type: str | None = None,
    config: Any = None,  # dict, argparse Namespace, dataclass, or path of a YAML or JSON file
    resume: str | bool | None = None,
    mode: str | None = None,
    dir: str | Path | None = None,  # noqa: A002  # wandb's name of it
    reinit: str | bool | None = None,
    allow_val_change: bool | None = None,
    settings: Settings | None = None,
) -> Run:
    """Begin a run, or go on with one, and make it the current run of this process.

    `team` owns the `project` (`entity` is the same); `id` is unique in the project and made up
    when none is given. `resume`: "allow" goes on with run `id` if it is there, "must" insists,
    "never" insists that it is not, "auto" (or True) goes on with the run that this folder's last
    process did not finish. `mode`: "online", "offline" (send later with `runhue sync`) or
    "disabled". With a run under way, `reinit` says what becomes of it: "return_previous" (the
    default) returns it, "finish_previous" (or True) finishes it, "create_new" keeps both.

    What is not given comes from `settings`, then `RUNHUE_*`, then `WANDB_*` variables.

    Raises:
        UsageError: an argument means nothing; the message says which.
        AuthError: mode "online" and no API key anywhere.
        ServerRefused: "must" and no such run, "never" and there is one, or a name that cannot be.
        ServerError: a run to be resumed, and no answer within `init_timeout` of where it stopped.
    """
    values = config_values(config)
    given = {
        "project": project, "team": team or entity, "run_id": id, "run_name": name, "notes": notes,
        "tags": tags, "group": group, "job_type": job_type, "resume": resume, "mode": mode,
        "dir": dir, "reinit": reinit, "allow_val_change": allow_val_change,
    }  # fmt: skip
    chosen = _with_key(resolve(given, settings))
    terminal = Terminal(silent=chosen.silent)
    previous = _current.run
    if previous is not None and not previous.finished and chosen.reinit != "create_new":
        if chosen.reinit == "return_previous":
            terminal.warn("init() returns the run that is under way: finish() it first, or pass reinit=True")
            return previous
        previous.finish()
    return _begin(chosen, values, terminal)


def _begin(settings: Settings, config: dict[str, Any], terminal: Terminal) -> Run:
    start = _start_writer(settings)
    recovery = Recovery(settings, terminal.warn)
    if start.resume in {"allow", "must"} and settings.mode == "online":
        recovery.send_run(start.run, settings.init_timeout)
    writer = open_writer(settings, start, terminal)
    recorder = Recorder(writer.spool, strict_steps=settings.strict_steps)
    started = _introduce(settings, start, writer, terminal)
    if started is not None and started.resumed:
        recorder.resume(started.last_step + 1, started.runtime, started.summary)
    run = Run(settings, start, writer, recorder, terminal, started, _finished)
    run.begin(config)
    _current.enter(run)
    _exit.watch()
    if started is not None:
        terminal.say(f"{'resuming' if started.resumed else 'logging to'} {run.name or run.id}: {run.url}")
        recovery.launch()
    return run


def _start_writer(settings: Settings) -> StartWriter:
    run_id, resume = settings.run_id, settings.resume
    if resume == "auto":
        run_id = run_id or _unfinished_run(settings)
        resume = "allow"
        if settings.mode != "disabled":
            _remember_unfinished(settings, run_id := run_id or new_run_id())
    return StartWriter(
        project=settings.project,
        run=run_id or new_run_id(),
        writer=new_writer_id(),
        started_at=time.time(),
        team=settings.team,
        resume=resume,
        name=settings.run_name,
        notes=settings.notes,
        tags=list(settings.tags),
        group=settings.group,
        job_type=settings.job_type,
        client=f"runhue/{__version__}",
    )


def new_run_id() -> str:
    """8 letters and digits: 2.8e12 of them."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))


def _with_key(settings: Settings) -> Settings:
    if settings.mode != "online" or settings.api_key:
        return settings
    key = read_key(settings.base_url)
    if not key:
        raise AuthError(
            f"no API key for {settings.base_url}",
            code="no_api_key",
            fix='run `runhue login`, set RUNHUE_API_KEY, or pass mode="offline"',
        )
    return replace(settings, api_key=key)


def _introduce(
    settings: Settings, start: StartWriter, writer: Writer, terminal: Terminal
) -> WriterStarted | None:
    """The server's answer; None when the run begins without one.

    Raises:
        ServerError: the run must not begin without one.
    """
    if writer.sender is None:
        return None
    resuming = start.resume in {"allow", "must"}
    writer.sender.on_stop_requested = lambda: _exit.interrupt(terminal)
    writer.sender.is_awaited = True
    writer.sender.launch()
    error = wait_introduced(writer.sender, settings.init_timeout, patient=resuming)
    writer.sender.is_awaited = False
    if isinstance(error, ServerRefused) or (resuming and error and not isinstance(error, AuthError)):
        _take_back(writer)
        raise error
    if error is not None:
        terminal.warn(
            f"{error}; the run goes on, its data are kept in {writer.folder} and sent when possible"
        )
    return writer.sender.started


def _take_back(writer: Writer) -> None:
    """Nothing was logged: leave no trace."""
    writer.close(delivered=False)
    if writer.folder is not None:
        shutil.rmtree(writer.folder, ignore_errors=True)


def fork_open_runs() -> None:
    """In the child of a fork: leave the parent's spools alone."""
    for run in _current.open_runs:
        run.fork(adopt)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=fork_open_runs)


def adopt(run: Run) -> None:
    """Give a forked child, at its first `log()`, a writer of its own to the same run."""
    start = msgspec.structs.replace(run.start, writer=new_writer_id(), started_at=time.time(), resume=None)
    writer = open_writer(run.settings, start, run.terminal)
    run.continue_with(start, writer)
    if writer.sender is not None:
        writer.sender.launch()
    _exit.watch_child()


def _finished(run: Run) -> None:
    _current.leave(run)
    if run.settings.resume == "auto" and run.succeeded:
        _resume_file(run.settings).unlink(missing_ok=True)


def _resume_file(settings: Settings) -> Path:
    return settings.folder / RESUME_FILE


def _unfinished_run(settings: Settings) -> str | None:
    try:
        known = msgspec.json.decode(_resume_file(settings).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return None
    return known.get(settings.project)


def _remember_unfinished(settings: Settings, run_id: str) -> None:
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(_resume_file(settings), msgspec.json.encode({settings.project: run_id}))
