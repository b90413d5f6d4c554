"""Runhue: log from a training script, color runs by any metric or config key.

    import runhue

    run = runhue.init(project="images", config={"lr": 3e-4})
    run.log({"loss": 0.3})
    run.finish()

Names are loaded when they are first used, so that the import itself costs next to nothing.
"""

from importlib import import_module

from runhue._version import __version__

TYPE_CHECKING = False  # as typing has it, whose import would cost more than this one
if TYPE_CHECKING:
    from runhue import _errors as errors
    from runhue._config import Config
    from runhue._current import alert, define_metric, finish, log, teardown
    from runhue._init import init
    from runhue._login import login, setup
    from runhue._public_api import Api, AsyncApi
    from runhue._run import Run
    from runhue._settings import Settings
    from runhue._summary import Summary
    from runhue._sync import sync

    run: Run | None
    config: Config
    summary: Summary

__all__ = [
    "Api",
    "AsyncApi",
    "Run",
    "Settings",
    "__version__",
    "alert",
    "config",
    "define_metric",
    "errors",
    "finish",
    "init",
    "log",
    "login",
    "run",
    "setup",
    "summary",
    "sync",
    "teardown",
]

_HOMES = {
    "Api": "runhue._public_api",
    "AsyncApi": "runhue._public_api",
    "Run": "runhue._run",
    "Settings": "runhue._settings",
    "alert": "runhue._current",
    "define_metric": "runhue._current",
    "finish": "runhue._current",
    "init": "runhue._init",
    "log": "runhue._current",
    "login": "runhue._login",
    "setup": "runhue._login",
    "sync": "runhue._sync",
    "teardown": "runhue._current",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is not None:
        value: object = getattr(import_module(home), name)
        globals()[name] = value
        return value
    if name == "errors":
        return import_module("runhue._errors")
    if name in {"run", "config", "summary"}:
        current = import_module("runhue._current")
        return current.run if name == "run" else current.of_run(name)
    raise AttributeError(f"module 'runhue' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
