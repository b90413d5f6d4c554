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
    from runhue import plot, plots, sklearn
    from runhue._config import Config
    from runhue._current import alert, define_metric, finish, log, save, teardown
    from runhue._init import init
    from runhue._login import login, setup
    from runhue._media.audio import Audio
    from runhue._media.graph import Graph
    from runhue._media.histogram import Histogram
    from runhue._media.html import Html
    from runhue._media.image import Image
    from runhue._media.molecule import Molecule
    from runhue._media.object3d import Object3D, box3d
    from runhue._media.overlays import Classes
    from runhue._media.table import Table
    from runhue._media.video import Video
    from runhue._plot.figures import Plotly
    from runhue._plot.presets import plot_table, visualize
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
    "Audio",
    "Classes",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "Molecule",
    "Object3D",
    "Plotly",
    "Run",
    "Settings",
    "Table",
    "Video",
    "__version__",
    "alert",
    "box3d",
    "config",
    "define_metric",
    "errors",
    "finish",
    "init",
    "log",
    "login",
    "plot",
    "plot_table",
    "plots",
    "run",
    "save",
    "setup",
    "sklearn",
    "summary",
    "sync",
    "teardown",
    "visualize",
]

_HOMES = {
    "Api": "runhue._public_api",
    "AsyncApi": "runhue._public_api",
    "Audio": "runhue._media.audio",
    "Classes": "runhue._media.overlays",
    "Graph": "runhue._media.graph",
    "Histogram": "runhue._media.histogram",
    "Html": "runhue._media.html",
    "Image": "runhue._media.image",
    "Molecule": "runhue._media.molecule",
    "Object3D": "runhue._media.object3d",
    "Plotly": "runhue._plot.figures",
    "Run": "runhue._run",
    "Settings": "runhue._settings",
    "Table": "runhue._media.table",
    "Video": "runhue._media.video",
    "alert": "runhue._current",
    "box3d": "runhue._media.object3d",
    "define_metric": "runhue._current",
    "finish": "runhue._current",
    "init": "runhue._init",
    "log": "runhue._current",
    "login": "runhue._login",
    "plot_table": "runhue._plot.presets",
    "save": "runhue._current",
    "setup": "runhue._login",
    "sync": "runhue._sync",
    "teardown": "runhue._current",
    "visualize": "runhue._plot.presets",
}

_MODULES = {
    "errors": "runhue._errors",
    "plot": "runhue.plot",
    "plots": "runhue.plots",
    "sklearn": "runhue.sklearn",
}


_ARTIFACTS = (
    "artifacts are logged by the wandb client, which works with this server; files go by runhue.save()"
)
_SWEEPS = "Runhue has no sweeps: start the runs yourself and group them"
_JOINS = "log the tables one by one, or their join as one runhue.Table"
_ELSEWHERE = {
    "Artifact": _ARTIFACTS,
    "EvalTable": "log a runhue.Table",
    "JoinedTable": _JOINS,
    "log_artifact": _ARTIFACTS,
    "use_artifact": _ARTIFACTS,
    "log_model": _ARTIFACTS,
    "use_model": _ARTIFACTS,
    "link_model": _ARTIFACTS,
    "sweep": _SWEEPS,
    "agent": _SWEEPS,
    "watch": "log what you want to watch, e.g. runhue.Histogram(gradients)",
}
"""Names that scripts written for wandb use, and what to do instead."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is not None:
        value: object = getattr(import_module(home), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in {"run", "config", "summary"}:
        current = import_module("runhue._current")
        return current.run if name == "run" else current.of_run(name)
    missing = f"module 'runhue' has no attribute {name!r}"
    raise AttributeError(f"{missing}: {_ELSEWHERE[name]}" if name in _ELSEWHERE else missing)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
