"""Runs without a server, and what their spools hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import runhue
from runhue._assembly import Assembler, Batch
from runhue._spool_reader import SpoolReader
from runhue._sync import complete_spool
from runhue_shared.events import LogBatch

EVERYTHING = 2**62


def quiet(folder: Path, **settings: Any) -> runhue.Settings:  # values of fields of Settings
    """Settings of an offline run that looks at nothing but its own log."""
    chosen = {
        "mode": "offline",
        "silent": True,
        "metadata": False,
        "system_metrics_interval": 0,
        "console": "off",
        "reinit": "create_new",
    }
    return runhue.Settings(dir=folder, **{**chosen, **settings})


@contextmanager
def offline_run(folder: Path, **settings: Any) -> Iterator[runhue.Run]:  # values of fields of Settings
    """A run that keeps everything in `folder`; finished at the end."""
    run = runhue.init(project="tests", settings=quiet(folder, **settings))
    try:
        yield run
    finally:
        run.finish()


def batch_of(spool: Path | str) -> Batch:
    """Everything a spool says, as one batch."""
    damaged: list[tuple[int, int]] = []
    reader = SpoolReader(Path(spool), lambda first, following: damaged.append((first, following)))
    assembler = Assembler(0)
    below = complete_spool(Path(spool))
    for seq, payload in reader.read(below):
        assembler.feed(seq, payload)
    reader.close()
    assert damaged == []
    return assembler.take_batch()


def log_batch_of(spool: Path | str) -> LogBatch:
    """The same in the form that crosses the wire."""
    return batch_of(spool).log_batch()


def rows_of(spool: Path | str) -> list[tuple[int, dict[str, Any]]]:  # logged values
    """(step, values) of each row in order, without the row's own times."""
    return [(step, without_times(values)) for _, step, values in batch_of(spool).rows]


def without_times(values: dict[str, Any]) -> dict[str, Any]:  # logged values
    """A row's values without `_timestamp` and `_runtime`."""
    return {key: value for key, value in values.items() if key not in {"_timestamp", "_runtime"}}
