"""Everything a batch says besides rows: documents, console, alerts, metric definitions, the finish."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from runhue_server.aggregation.batches import ReadyBatch
from runhue_server.aggregation.keys import refusal, space_of
from runhue_shared.db import Transaction
from runhue_shared.db.console import (
    AlertRow,
    ConsoleRow,
    DefinitionRow,
    NumberedRow,
    add_alerts,
    add_console,
    define_metrics,
    put_numbered,
)
from runhue_shared.db.dead_letters import Rejection, storable
from runhue_shared.db.finishing import FinishRow, record_finish, settle_runs
from runhue_shared.db.leaves import replace_config_leaves, replace_summary_leaves
from runhue_shared.db.media_settings import MAX_PER_RUN, SettingRow, put_settings
from runhue_shared.db.media_settings import refusal as media_refusal
from runhue_shared.db.metrics import MetricIds, MetricSpace
from runhue_shared.db.partitions import FoldingWriter
from runhue_shared.db.run_documents import (
    Edit,
    EditRefused,
    RunDocuments,
    lock_documents,
    write_documents,
)
from runhue_shared.events import flatten
from runhue_shared.series.values import json_text
from runhue_shared.settings import Settings
from runhue_shared.telemetry import touch_heartbeat

MAX_TEXT = 1_000_000
MAX_LABEL = 1_000
LINES_AT_ONCE = 20_000
LATEST_TIME = 253402300799.0
"""The last second of the year 9999: later times cannot be told."""


@dataclass(slots=True)
class FoldedRecords:
    """Runs whose config or attributes changed, and (run, metric) whose manual summary did."""

    configs: set[int] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)
    summary_pairs: list[tuple[int, int]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def fold_records(
    tx: Transaction, batches: Sequence[ReadyBatch], names: MetricIds, limits: Settings
) -> FoldedRecords:
    """Apply the records of batches that are not applied yet."""
    result = FoldedRecords()
    _fold_documents(tx, batches, names, limits, result)
    lines = _console(batches)
    while some := list(islice(lines, LINES_AT_ONCE)):
        add_console(tx, [line for line in some if isinstance(line, ConsoleRow)])
        put_numbered(tx, [line for line in some if isinstance(line, NumberedRow)])
        touch_heartbeat()
    if alerts := list(_alerts(batches)):
        add_alerts(tx, alerts)
    if definitions := list(_definitions(batches, limits, result)):
        define_metrics(tx, definitions)
    if settings := list(_media(batches, limits, result)):
        result.rejections += [_too_many_settings(row) for row in put_settings(tx, settings)]
    return result


def end_runs(tx: Transaction, batches: Sequence[ReadyBatch], limits: Settings) -> set[int]:
    """Keep how writers finished, and end runs that have no open writer left; returns those that ended.

    Takes locks on writers: call it once all writers of the transaction are locked in their order
    (`partitions.mark_applied`), or it deadlocks with ingest.
    """
    finishes = list(_finishes(batches))
    if not finishes:
        return set()
    record_finish(tx, finishes)
    runs = {ready.writer.run_id for ready in batches if ready.batch.finish}
    return {run.run_id for run in settle_runs(tx, sorted(runs), limits.heartbeat_timeout)}


def _fold_documents(
    tx: Transaction,
    batches: Sequence[ReadyBatch],
    names: MetricIds,
    limits: Settings,
    result: FoldedRecords,
) -> None:
    by_run: dict[int, list[ReadyBatch]] = defaultdict(list)
    for ready in batches:
        if ready.batch.config or ready.batch.summary or ready.batch.attributes:
            by_run[ready.writer.run_id].append(ready)
    if not by_run:
        return
    documents = lock_documents(tx, sorted(by_run))
    summaries: list[RunDocuments] = []
    for run_id, parts in by_run.items():
        run = documents[run_id]
        refused = _edit(run, parts, limits)
        result.rejections += [rejection_of(parts[0].writer, reason) for reason in refused]
        if any(part.batch.config for part in parts):
            result.configs.add(run_id)
        if any(part.batch.summary for part in parts):
            summaries.append(run)
        if any(part.batch.attributes for part in parts):
            result.runs.add(run_id)
    write_documents(tx, documents.values())
    if result.configs:
        replace_config_leaves(tx, [documents[run_id] for run_id in sorted(result.configs)])
    if summaries:
        writers = {run_id: parts[0].writer for run_id, parts in by_run.items()}
        result.summary_pairs = replace_summaries(tx, summaries, writers, names, limits, result)


def _edit(run: RunDocuments, parts: Sequence[ReadyBatch], limits: Settings) -> list[EditRefused]:
    """Apply all edits of one run in their order."""
    refused = run.config.apply(
        [
            Edit(part.ord(edit.seq), edit.values, edit.removed)
            for part in parts
            for edit in part.batch.config
            if part.is_new(edit.seq)
        ],
        limits,
    )
    refused += run.summary.apply(
        [
            Edit(part.ord(edit.seq), edit.values, edit.removed)
            for part in parts
            for edit in part.batch.summary
            if part.is_new(edit.seq)
        ],
        limits,
    )
    for part in parts:
        for change in part.batch.attributes:
            told = {
                name: value for name, value in msgspec.structs.asdict(change).items() if value is not None
            }
            refused += run.set_attributes(part.ord(change.seq), told, limits)
    return refused


def rejection_of(writer: FoldingWriter, refused: EditRefused) -> Rejection:
    """What is said of a refused edit on the run's page."""
    return Rejection(writer.team_id, writer.run_id, refused.code, refused.field, str(refused), 1)


def replace_summaries(
    tx: Transaction,
    runs: Sequence[RunDocuments],
    writers: Mapping[int, FoldingWriter],
    names: MetricIds,
    limits: Settings,
    result: FoldedRecords,
) -> list[tuple[int, int]]:
    """Make the typed leaves of the runs' manual summaries what the documents say.

    Returns (run, metric) that had or have such a value.
    """
    leaves = {run.run_id: flatten(run.summary.values) for run in runs}
    wanted: dict[MetricSpace, dict[str, None]] = defaultdict(dict)
    for run in runs:
        writer = writers[run.run_id]
        for key in list(leaves[run.run_id]):
            if reason := refusal(key, limits.max_key_length):
                del leaves[run.run_id][key]
                result.rejections.append(Rejection(writer.team_id, run.run_id, reason[0], key, reason[1], 1))
            else:
                wanted[space_of(writer, "history")][key] = None
    ids = names.ids_of(tx, wanted)
    return replace_summary_leaves(
        tx,
        [
            (run, _by_id(leaves[run.run_id], ids.get(space_of(writers[run.run_id], "history"), {})))
            for run in runs
        ],
    )


def _by_id(leaves: Mapping[str, Any], ids: Mapping[str, int]) -> dict[int, Any]:  # any JSON values
    return {ids[key]: value for key, value in leaves.items()}


def _console(batches: Sequence[ReadyBatch]) -> Iterator[ConsoleRow | NumberedRow]:
    for ready in batches:
        writer = ready.writer
        for line in ready.batch.console:
            text = storable(line.text, MAX_TEXT)
            if line.number is None:
                place = (writer.team_id, writer.run_id, ready.ord(line.seq))
                yield ConsoleRow(*place, line.stream, line.time, text)
            else:
                place = (writer.team_id, writer.run_id, ready.ord(line.number))
                label = storable(line.label, MAX_LABEL) or None
                yield NumberedRow(*place, line.stream, line.time, text, ready.ord(line.seq), label)


def _media(batches: Sequence[ReadyBatch], limits: Settings, result: FoldedRecords) -> Iterator[SettingRow]:
    for ready in batches:
        writer = ready.writer
        for setting in ready.batch.media:
            if reason := media_refusal(setting, limits):
                code, message = reason
                result.rejections.append(
                    Rejection(writer.team_id, writer.run_id, code, setting.key, message, 1)
                )
                continue
            place = (writer.team_id, writer.run_id, setting.kind, setting.key)
            yield SettingRow(*place, ready.ord(setting.seq), json_text(setting.value))


def _too_many_settings(row: SettingRow) -> Rejection:
    message = f"the run has {MAX_PER_RUN} media settings, the limit: further ones are not kept"
    return Rejection(row.team_id, row.run_id, "too_many_media_settings", "", message, 1)


def _alerts(batches: Sequence[ReadyBatch]) -> Iterator[AlertRow]:
    for ready in batches:
        writer = ready.writer
        for alert in ready.batch.alerts:
            title, text = storable(alert.title, MAX_TEXT), storable(alert.text, MAX_TEXT)
            place = (writer.team_id, writer.run_id, ready.ord(alert.seq))
            yield AlertRow(*place, title, text, alert.level, alert.time)


def _definitions(
    batches: Sequence[ReadyBatch], limits: Settings, result: FoldedRecords
) -> Iterator[DefinitionRow]:
    for ready in batches:
        writer = ready.writer
        for definition in ready.batch.metrics:
            name = definition.name
            if reason := refusal(name, limits.max_key_length):
                result.rejections.append(
                    Rejection(writer.team_id, writer.run_id, reason[0], name, reason[1], 1)
                )
                continue
            parts = msgspec.structs.asdict(definition)
            text = msgspec.json.encode({key: parts[key] for key in parts if key not in ("seq", "name")})
            yield DefinitionRow(
                writer.team_id,
                writer.run_id,
                name,
                ready.ord(definition.seq),
                storable(text.decode(), MAX_TEXT),
            )


def _finishes(batches: Sequence[ReadyBatch]) -> Iterator[FinishRow]:
    for ready in batches:
        for finish in ready.batch.finish:
            if ready.is_new(finish.seq):
                code = finish.exit_code if abs(finish.exit_code) < 2**31 else 1
                yield FinishRow(ready.writer.id, finish.seq, finish.state, code, _told_time(finish.time))


def _told_time(seconds: float) -> float:
    """The time a writer told, or now if it cannot be one."""
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LATEST_TIME else time.time()
