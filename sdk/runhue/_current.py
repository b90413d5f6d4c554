"""The current run of this process, and the functions that act on it."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from runhue._errors import NoRun

if TYPE_CHECKING:
    from runhue._define_metric import Metric
    from runhue._run import Run
    from runhue._saved_files import SavePolicy

run: "Run | None" = None
"""The run that `runhue.log()` and its like act on."""

open_runs: "list[Run]" = []
"""Every run of this process that is not finished, oldest first."""


def enter(entered: "Run") -> None:
    """Make a run the current one."""
    global run  # noqa: PLW0603  # the one current run
    run = entered
    open_runs.append(entered)


def leave(left: "Run") -> None:
    """A run is finished; the one begun before it, if any, is current again."""
    global run  # noqa: PLW0603  # the one current run
    if left in open_runs:
        open_runs.remove(left)
    if run is left:
        run = open_runs[-1] if open_runs else None


def _needed(call: str) -> "Run":
    if run is None:
        raise NoRun(f"runhue.{call} needs a run: call runhue.init() first")
    return run


def log(data: Mapping[str, Any], step: SupportsIndex | None = None, commit: bool | None = None) -> None:
    """`Run.log` of the current run.

    Raises:
        NoRun: there is none.
    """
    if run is None:
        _needed("log()")
    else:
        run.log(data, step, commit)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """`Run.finish` of the current run; without one nothing happens."""
    if run is not None:
        run.finish(exit_code, quiet)


def define_metric(
    name: str,
    step_metric: "str | Metric | None" = None,
    step_sync: bool | None = None,
    hidden: bool | None = None,
    summary: str | None = None,
    goal: str | None = None,
) -> "Metric":
    """`Run.define_metric` of the current run.

    Raises:
        NoRun: there is none.
    """
    return _needed("define_metric()").define_metric(name, step_metric, step_sync, hidden, summary, goal)


def alert(title: str, text: str, level: str | None = None, wait_duration: float | None = None) -> None:
    """`Run.alert` of the current run.

    Raises:
        NoRun: there is none.
    """
    _needed("alert()").alert(title, text, level, wait_duration)


def save(
    glob_str: "str | os.PathLike[str]",
    base_path: "str | os.PathLike[str] | None" = None,
    policy: "SavePolicy" = "live",
    glob: bool = True,
) -> list[str]:
    """`Run.save` of the current run.

    Raises:
        NoRun: there is none.
    """
    return _needed("save()").save(glob_str, base_path, policy, glob)


def teardown(exit_code: int | None = None) -> None:
    """Finish every run of this process."""
    for one in reversed(open_runs[:]):
        one.finish(exit_code)


class BeforeInit:
    """Stands for `runhue.config` and `runhue.summary` until there is a run; any use raises `NoRun`."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _refuse(self) -> NoReturn:
        raise NoRun(f"runhue.{self.__dict__['_name']} needs a run: call runhue.init() first")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse()

    def __getitem__(self, key: str) -> NoReturn:
        self._refuse()

    def __setitem__(self, key: str, value: object) -> None:
        self._refuse()

    def __repr__(self) -> str:
        return f"<runhue.{self.__dict__['_name']} before runhue.init()>"


def of_run(name: str) -> object:
    """`config` or `summary` of the current run, or what stands for it."""
    return getattr(run, name) if run is not None else BeforeInit(name)
