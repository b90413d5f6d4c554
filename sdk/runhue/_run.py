"""A run as the training process holds it."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, SupportsIndex

from runhue import _records as records
from runhue._config import Config
from runhue._console import ConsoleCapture
from runhue._define_metric import Metric, metric_definition
from runhue._errors import UsageError
from runhue._history import History
from runhue._progress import DeliveryProgress
from runhue._recorder import Recorder
from runhue._saved_files import SavedFiles, SavePolicy
from runhue._settings import Settings
from runhue._summary import Summary
from runhue._surroundings import Surroundings
from runhue._terminal import Terminal
from runhue._values import plain
from runhue._writer import Writer
from runhue_shared.events import StartWriter, WriterStarted

AlertLevel = Literal["info", "warn", "error"]
FinishState = Literal["finished", "failed", "killed"]
ALERT_LEVELS = {"info": "info", "warn": "warn", "warning": "warn", "error": "error"}
ALERT_WAIT_SECONDS = 60.0
INTERRUPTED = 130
"""Exit code of a process ended by Ctrl-C: 128 + SIGINT, as shells have it."""


class Run:
    """Logs to one run until `finish()`; also a context manager that finishes it.

    Made by `runhue.init()`. Every method may be called from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        start: StartWriter,
        writer: Writer,
        recorder: Recorder,
        terminal: Terminal,
        started: WriterStarted | None,
        on_finish: Callable[["Run"], None],
    ) -> None:
        self.settings = settings
        self.history = History(recorder)
        self.finished = False
        self.succeeded = False
        """True once it is finished, as a success."""
        self._start = start
        self._started = started
        self._writer = writer
        self._recorder = recorder
        self._terminal = terminal
        self._on_finish = on_finish
        self._alerted: dict[str, float] = {}
        self._name = start.name
        self._notes = start.notes
        self._tags = tuple(start.tags)
        self._group = start.group
        self._job_type = start.job_type
        self._config = Config(started.config if started else {}, self._edit_config, settings.allow_val_change)
        self._summary = Summary(recorder.latest, recorder.set_summary)
        self._console = ConsoleCapture(recorder)
        self._saved = SavedFiles(writer.folder, recorder.save_files, terminal.warn)
        self._surroundings = Surroundings(recorder, settings)

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.finish_as("killed", INTERRUPTED, self.settings.finish_timeout)
        elif isinstance(error, SystemExit):
            self.finish(exit_code_of(error.code))
        else:
            self.finish(0 if kind is None else 1)

    def __repr__(self) -> str:
        return f"<runhue.Run {self.path}>"

    @property
    def id(self) -> str:
        """Unique in its project."""
        return self._start.run

    @property
    def project(self) -> str:
        return self._start.project

    @property
    def team(self) -> str | None:
        """The team that owns the run; None until the server has said it, when none was given."""
        return self._answer.team if self._answer else self._start.team

    entity = team
    """The same under wandb's name."""

    @property
    def path(self) -> str:
        """What `Api().run()` takes: "team/project/id", without the team while it is None."""
        return "/".join(filter(None, (self.team, self.project, self.id)))

    @property
    def url(self) -> str | None:
        """The run's page; None until the server has answered, and offline."""
        return self._answer.url if self._answer else None

    @property
    def resumed(self) -> bool:
        """True when the run had been logged to before this process."""
        return self._answer is not None and self._answer.resumed

    @property
    def offline(self) -> bool:
        return self.settings.mode == "offline"

    @property
    def disabled(self) -> bool:
        return self.settings.mode == "disabled"

    @property
    def dir(self) -> str:
        """The folder in which what is not yet on the server is kept; empty when disabled."""
        return str(self._writer.folder or "")

    @property
    def step(self) -> int:
        """The step of the open row, or of the next row."""
        return self._recorder.step

    @property
    def start_time(self) -> float:
        """When this process began to log, Unix seconds."""
        return self._start.started_at

    @property
    def config(self) -> Config:
        return self._config

    @property
    def summary(self) -> Summary:
        return self._summary

    @property
    def name(self) -> str | None:
        """The display name; None until the server has chosen one, when none was given."""
        return self._name or (self._answer.name if self._answer else None)

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        self._set_attribute("name", name)

    @property
    def notes(self) -> str | None:
        return self._notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._notes = notes
        self._set_attribute("notes", notes)

    @property
    def tags(self) -> tuple[str, ...]:
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags = tuple(tags)
        self._set_attribute("tags", list(self._tags))

    @property
    def group(self) -> str | None:
        return self._group

    @group.setter
    def group(self, group: str) -> None:
        self._group = group
        self._set_attribute("group", group)

    @property
    def job_type(self) -> str | None:
        return self._job_type

    @job_type.setter
    def job_type(self, job_type: str) -> None:
        self._job_type = job_type
        self._set_attribute("job_type", job_type)

    def log(
        self, data: Mapping[str, Any], step: SupportsIndex | None = None, commit: bool | None = None
    ) -> None:
        """Log values by key; they are on disk when this returns, and survive `kill -9` from then on.

        Without `step` a call is a step of its own, counted from 0. Calls with the same `step` fill
        one row; another `step` completes it, and a lower one merges into the row stored there.
        `commit=False` fills the open row, the next commit completes it; the default is True
        without `step`, False with it.

        Raises:
            BadKey: a key is no str, empty, or longer than 500 characters. Nothing is logged.
            BadValue: a value cannot be stored; the message names its key. Nothing is logged. For media
                it is a BadMedia, which is a ValueError too.
            StepWentBack: `step` is lower than one before, and the settings say `strict_steps`.
            RunFinished: the run is finished.
        """
        self._recorder.log(data, step, commit)

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        goal: str | None = None,
    ) -> Metric:
        """Say what a metric's x-axis (`step_metric`), summary ("min,max,...") and goal are.

        `name` may end in `*`. With `step_sync` (default when there is a `step_metric`) each row
        that has the metric also gets the last value of its `step_metric`.

        Raises:
            UsageError: an unknown summary or goal.
        """
        metric = metric_definition(name, step_metric, step_sync, hidden, summary, goal)
        with self._recorder.lock:
            self._recorder.step_sync.add(metric)
            self._recorder.record(metric.record())
        return metric

    def save(
        self,
        glob_str: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None = None,
        policy: SavePolicy = "live",
        glob: bool = True,
    ) -> list[str]:
        """Keep files with the run, under the paths that they have below `base_path`; returns these paths.

        Args:
            glob_str: a path or a pattern (`checkpoints/*.pt`, `**` for all depths), expanded now; a
                folder stands for all files in it.
            base_path: default the working directory; for an absolute path its folder's parent, so
                that `/data/run1/*.txt` becomes `run1/...`.
            policy: "live" keeps each new content until the run ends, "now" the present one, "end"
                the one that is there when the run ends.
            glob: False takes `glob_str` literally.

        Contents are copied into the spool, so that a file may change while it is sent.

        Raises:
            BadPath: no such policy, or a file that is not below `base_path`.
            BadMedia, OSError: a file cannot be read, or its copy cannot be written.
            RunFinished: the run is finished.
        """
        return self._saved.save(glob_str, base_path, policy, glob)

    def alert(
        self,
        title: str,
        text: str,
        level: str | None = None,
        wait_duration: float | dt.timedelta | None = None,
    ) -> None:
        """Raise an alert. The same title again within `wait_duration` (seconds, default 60) is not sent.

        Raises:
            UsageError: `level` is none of info, warn, error.
        """
        known = ALERT_LEVELS.get(str(getattr(level, "value", level or "info")).lower())
        if known is None:
            raise UsageError(f"alert level must be info, warn or error, got {level!r}")
        wait = ALERT_WAIT_SECONDS if wait_duration is None else _seconds(wait_duration)
        now = time.monotonic()
        if now - self._alerted.get(title, -float("inf")) < wait:
            return
        self._alerted[title] = now
        title, text = plain(str(title), "title"), plain(str(text), "text")
        self._recorder.record(records.AlertRaised(title, text, known, time.time()))  # type: ignore[arg-type]  # one of ALERT_LEVELS

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Complete the open row, send what waits, and end the run. Again is fine.

        Waits at most `settings.finish_timeout` seconds; what is not sent by then stays in the
        spool for `runhue sync`.
        """
        code = exit_code or 0
        self.finish_as(
            "failed" if code else "finished", code, self.settings.finish_timeout, quiet=bool(quiet)
        )

    def finish_as(self, state: FinishState, exit_code: int, timeout: float, *, quiet: bool = False) -> None:
        """`finish()` with what became of the process, and a bound in seconds for the wait."""
        if self.finished:
            return
        self.finished = True
        self.succeeded = state == "finished"
        self._console.stop()
        self._surroundings.stop()
        self._saved.finish()
        if self._recorder.before_append is not None:  # a fork that never logged has nothing to end
            self._recorder.closed = True
        else:
            self._deliver(records.WriterFinished(exit_code, state, time.time()), timeout, quiet)
        self._on_finish(self)

    def _deliver(self, finished: records.WriterFinished, timeout: float, quiet: bool) -> None:
        last_seq = self._recorder.close(finished)
        writer = self._writer
        progress = DeliveryProgress(silent=quiet or self.settings.silent)
        with progress:
            delivered = writer.wait_delivered(last_seq, self.settings, timeout, progress.show)
        writer.close(delivered)
        if writer.spool.unwritten:
            self._terminal.warn(f"{writer.spool.unwritten} records are lost: the disk of {self.dir} is full")
        if not quiet:
            self._say_where(delivered)

    def _say_where(self, delivered: bool) -> None:
        folder = self._writer.folder
        if folder is None:
            return
        if delivered:
            self._terminal.say(f"run {self.name or self.id} is on the server: {self.url}")
        elif self.offline:
            self._terminal.say(f"offline run kept in {folder}; send it with: runhue sync {folder}")
        else:
            fault = self._writer.sender.last_fault if self._writer.sender else None
            reason = f" ({fault})" if fault else ""
            self._terminal.say(
                f"not everything could be sent{reason}; it is kept in {folder}:"
                f" send it with: runhue sync {folder}"
            )

    def begin(self, config: dict[str, Any]) -> None:
        """Record what the run starts with, and begin to watch its process."""
        self._config.update(config, allow_val_change=self.settings.allow_val_change or self.resumed)
        if self.disabled:
            return
        if self.settings.console == "wrap":
            self._console.start()
        self._surroundings.start()

    def continue_with(self, start: StartWriter, writer: Writer) -> None:
        """Go on as another writer: this is the forked child."""
        self._start = start
        self._writer = writer
        self._recorder.spool = writer.spool
        self._console.go_on()

    def fork(self, adopt: Callable[["Run"], None]) -> None:
        """In the child of a fork: leave the parent's files alone; the first `log()` calls `adopt`."""
        if self.finished:
            return
        self._writer.abandon()
        self._console.pause()
        self._saved.forget()
        self._recorder.fork(lambda: adopt(self))

    def when_recorded(self, following: Callable[[], None]) -> None:
        """Call `following` now; from a signal handler that interrupted a `log()`, right after its write."""
        spool = self._recorder.spool
        if spool.is_writing:
            spool.after_append = following
        else:
            following()

    @property
    def start(self) -> StartWriter:
        """What the server was told about this writer."""
        return self._start

    @property
    def terminal(self) -> Terminal:
        return self._terminal

    @property
    def _answer(self) -> WriterStarted | None:
        sender = self._writer.sender
        return sender.started if sender and sender.started else self._started

    def _edit_config(self, values: Mapping[str, Any], removed: list[str]) -> None:
        self._recorder.record(records.ConfigChange(dict(values), removed))

    def _set_attribute(self, field: str, value: object) -> None:
        self._recorder.record(records.AttributesChanged({field: plain(value, field)}))


def exit_code_of(status: object) -> int:
    """The exit code that `sys.exit(status)` gives the process."""
    return status if isinstance(status, int) else int(status is not None)


def _seconds(duration: float | dt.timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, dt.timedelta) else float(duration)
