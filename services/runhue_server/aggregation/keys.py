"""Which metric keys a run may have, and what is said of those it may not."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runhue_server.aggregation.batches import ReadyBatch
from runhue_shared.db import Transaction
from runhue_shared.db.dead_letters import Rejection
from runhue_shared.db.metrics import NO_STEP, MetricIds, MetricSpace, count_metrics
from runhue_shared.db.partitions import FoldingWriter
from runhue_shared.events import Rows
from runhue_shared.series.columns import STEP_KEY
from runhue_shared.settings import Settings

NAMED_REJECTIONS = 20
"""So many refused keys of one batch are counted by name, further ones together."""

RESERVED = {STEP_KEY: ("key_reserved", f"{STEP_KEY} is the row's own step: log under another key")}
"""Every row has the key, which makes it none that a row may log."""


@dataclass(frozen=True, slots=True, eq=False)
class NamedRows:
    """Rows of one stream of one batch. `ids` of its keys as spelled; a refused key has none."""

    ready: ReadyBatch
    rows: Rows
    ids: Mapping[str, int]

    @property
    def step_id(self) -> int:
        return self.ids[STEP_KEY]

    def id_of(self, key: str) -> int:
        """The key's id, -1 for one that is refused; `_step` is no key that a row may log."""
        number = self.ids.get(key, -1)
        return -1 if number == self.step_id else number


def named_rows(
    tx: Transaction, batches: Sequence[ReadyBatch], names: MetricIds, limits: Settings
) -> tuple[list[NamedRows], list[Rejection]]:
    """The rows of all batches with ids for their keys, and what was refused."""
    parts = [
        (ready, rows, space_of(ready.writer, stream))
        for ready in batches
        for stream, rows in (("history", ready.batch.rows), ("system", ready.batch.system))
        if rows is not None and len(rows)
    ]
    spelled: dict[MetricSpace, dict[str, None]] = defaultdict(dict)
    beyond = [_add_keys(rows, spelled[space], limits.max_keys_per_run) for _, rows, space in parts]
    refused = {
        space: RESERVED | _drop_refused(keys, limits.max_key_length) for space, keys in spelled.items()
    }
    ids = names.ids_of(tx, spelled)
    rejections = [
        rejection
        for ready, rows, space in parts
        for rejection in _rejections(ready.writer, rows, refused[space])
    ]
    rejections += [
        too_many_keys(part[0].writer, count, limits.max_keys_per_run)
        for part, count in zip(parts, beyond, strict=True)
        if count
    ]
    return [NamedRows(ready, rows, ids[space]) for ready, rows, space in parts], rejections


def space_of(writer: FoldingWriter, stream: str) -> MetricSpace:
    return MetricSpace(writer.team_id, writer.project_id, writer.project_made, stream)


def _add_keys(rows: Rows, keys: dict[str, None], limit: int) -> int:
    """Add the keys of the rows, of more than a run may have the first; returns how many are left out."""
    own: dict[str, None] = {STEP_KEY: None}
    for block in rows.numbers:
        own.update(dict.fromkeys(block.keys))
    own.update(dict.fromkeys(cell.key for cell in rows.cells))
    taken = own if len(own) <= limit + 1 else dict.fromkeys(list(own)[: limit + 1])
    keys.update(taken)
    return len(own) - len(taken)


def _drop_refused(keys: dict[str, None], max_length: int) -> dict[str, tuple[str, str]]:
    refused = {key: reason for key in keys if (reason := refusal(key, max_length))}
    for key in refused:
        del keys[key]
    return refused


def refusal(key: str, max_length: int) -> tuple[str, str] | None:
    """(code, message) for a key that cannot be a metric's name; None for one that can."""
    if key != STEP_KEY and key.casefold() == STEP_KEY:
        return RESERVED[STEP_KEY]
    if "\0" in key:
        return "key_has_nul", f"metric key {key[:80]!r} holds a NUL character: leave it out"
    if len(key) > max_length:
        lengths = f"has {len(key)} characters, the limit is {max_length}"
        return "key_too_long", f"metric key {key[:80]!r}... {lengths}: shorten it"
    return None


def _rejections(
    writer: FoldingWriter, rows: Rows, refused: Mapping[str, tuple[str, str]]
) -> Iterator[Rejection]:
    points: dict[str, int] = defaultdict(int)
    for block in rows.numbers:
        for key in refused.keys() & block.keys:
            points[key] += len(rows) if block.rows is None else len(block.rows) // 4
    for cell in rows.cells:
        if cell.key in refused:
            points[cell.key] += len(cell.values)
    for at, (key, count) in enumerate(sorted(points.items())):
        code, message = refused[key]
        field = key if at < NAMED_REJECTIONS else ""
        yield Rejection(writer.team_id, writer.run_id, code, field, message, count)


def admitted(
    tx: Transaction, run_ids: NDArray[np.int64], last_steps: NDArray[np.int64], limit: int
) -> NDArray[np.bool_]:
    """Which metrics a run may have: those it has, and new ones up to `limit` metrics in all.

    Args:
        run_ids, last_steps: of each (run, metric), shape (n,); `NO_STEP` where the metric is new to the run.
    """
    allowed = np.ones(len(run_ids), np.bool_)
    new = np.flatnonzero(last_steps == NO_STEP)
    if not len(new):
        return allowed
    new = new[np.argsort(run_ids[new], kind="stable")]
    heads = np.flatnonzero(np.diff(run_ids[new], prepend=-1))
    counts = count_metrics(tx, run_ids[new[heads]].tolist())
    for at in np.split(new, heads[1:]):
        allowed[at[max(limit - counts[int(run_ids[at[0]])], 0) :]] = False
    return allowed


def too_many_keys(writer: FoldingWriter, metrics: int, limit: int) -> Rejection:
    """What is said of the keys beyond the limit; `metrics` of them came."""
    message = f"the run has {limit} metric keys, the limit: values of further keys are not kept"
    return Rejection(writer.team_id, writer.run_id, "too_many_keys", "", message, metrics)
