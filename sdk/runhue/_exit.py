"""The end of the process: what became of it, and the last chance to send.

Hooks are laid over those that are there, never instead of them. SIGTERM is taken only where
nobody else took it; SIGINT never (it arrives as KeyboardInterrupt).
"""

import _thread
import atexit
import functools
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn

from runhue import _current
from runhue._run import INTERRUPTED, FinishState, exit_code_of
from runhue._terminal import Terminal

SIGTERM_SECONDS = 10.0
"""Wait for the server at SIGTERM: cluster managers kill for good after some 30 s."""


class Outcome:
    """How the process ends, as far as is known. `exit_code` follows the shell's 128 + signal."""

    def __init__(self) -> None:
        self.state: FinishState = "finished"
        self.exit_code = 0


_outcome = Outcome()
_watched = False
_excepthook = sys.excepthook
_exit = sys.exit


def watch() -> None:
    """Finish open runs when the process ends. Called again: once more only for SIGTERM."""
    global _watched, _excepthook, _exit  # noqa: PLW0603  # one process has one end
    if not _watched:
        _watched = True
        atexit.register(_finish_open_runs)
        _excepthook, sys.excepthook = sys.excepthook, _note_exception
        _exit, sys.exit = sys.exit, _note_exit
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def watch_child() -> None:
    """Finish also in a process of `multiprocessing`, which ends without running `atexit`."""
    util = sys.modules.get("multiprocessing.util")  # there whenever multiprocessing made this process
    if util is not None:
        util.Finalize(None, _finish_open_runs, exitpriority=0)


def interrupt(terminal: Terminal) -> None:
    """Someone asked the run to stop: the main thread gets a KeyboardInterrupt."""
    terminal.say("the run was asked to stop; interrupting the process")
    _thread.interrupt_main()


def _note_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _outcome.state, _outcome.exit_code = "killed", INTERRUPTED
    else:
        _outcome.state, _outcome.exit_code = "failed", 1
    _excepthook(kind, error, trace)


def _note_exit(status: object = None, /) -> NoReturn:
    code = exit_code_of(status)
    _outcome.state, _outcome.exit_code = "failed" if code else "finished", code
    _exit(status)  # type: ignore[arg-type]  # sys.exit takes any object
    raise SystemExit(status)


def _finish_open_runs(timeout: float | None = None) -> None:
    for run in reversed(_current.open_runs[:]):
        bound = run.settings.finish_timeout if timeout is None else timeout
        run.finish_as(_outcome.state, _outcome.exit_code, bound)


def _terminated(number: int, _frame: FrameType | None) -> None:
    _outcome.state, _outcome.exit_code = "killed", 128 + number
    signal.signal(number, signal.SIG_DFL)

    def end() -> None:
        _finish_open_runs(SIGTERM_SECONDS)
        os.kill(os.getpid(), number)

    after_records = end
    for run in _current.open_runs:
        after_records = functools.partial(run.when_recorded, after_records)
    after_records()
