"""What a run without a server has of the media that it logged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import runhue
from runhue import _records as records
from runhue._files import FILES
from runhue._records import FileSaved, MediaShown
from runhue._spool_reader import SpoolReader
from tests.unit.sdk.spooled import offline_run


@dataclass
class Logged:
    """Rows and summary edits in order, kept files by path, and what was said of media by (kind, key)."""

    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    settings: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    """Names of the records' types, in order."""


@contextmanager
def logging(
    tmp_path: Path,
    **settings: Any,  # values of fields of Settings
) -> Iterator[tuple[runhue.Run, Logged]]:
    """An offline run, and what is in its spool once it is finished."""
    logged = Logged()
    with offline_run(tmp_path, **settings) as run:
        folder = Path(run.dir)
        yield run, logged
    _read(folder, logged)


def log(tmp_path: Path, values: Mapping[str, Any], step: int | None = None) -> Logged:
    """One row of these values."""
    with logging(tmp_path) as (run, logged):
        run.log(values, step=step)
    return logged


def stored(
    tmp_path: Path, value: Any, key: str = "key"
) -> tuple[dict[str, Any], Logged]:  # what can be logged
    """What history has for one value, and everything else."""
    logged = log(tmp_path, {key: value})
    return logged.rows[0][1][key], logged


def _read(folder: Path, logged: Logged) -> None:
    reader = SpoolReader(folder, lambda _first, _next: None)
    for _, payload in reader.read(2**63):
        record = records.decode(payload)
        logged.kinds.append(type(record).__name__)
        if isinstance(record, records.RowValues | records.OpenValues):
            logged.rows.append((record.step, record.values))
        elif isinstance(record, records.SummaryChange):
            logged.summary.update(record.values)
        elif isinstance(record, FileSaved):
            content = (folder / FILES / record.name).read_bytes()
            assert len(content) == record.size
            logged.files[record.path] = content
        elif isinstance(record, MediaShown):
            logged.settings[record.kind, record.key] = record.value
    reader.close()
