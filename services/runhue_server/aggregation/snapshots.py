"""Summaries that clients keep themselves: where one differs from what was logged, that is set by hand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runhue_server.aggregation.records import FoldedRecords, rejection_of, replace_summaries
from runhue_server.aggregation.rewinds import Rewound, is_taken_back
from runhue_server.aggregation.summary_edits import ClientView, edit_of
from runhue_shared.db import Transaction, client_summaries
from runhue_shared.db.client_summaries import Snapshot
from runhue_shared.db.dead_letters import Rejection
from runhue_shared.db.logged_summaries import LoggedLeaf, logged_leaves
from runhue_shared.db.metrics import MetricIds
from runhue_shared.db.partitions import FoldingWriter
from runhue_shared.db.run_documents import (
    Document,
    Edit,
    EditRefused,
    RunDocuments,
    lock_documents,
    write_documents,
)
from runhue_shared.events import LogBatch
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import is_json, json_text
from runhue_shared.settings import Settings
from runhue_shared.telemetry import touch_heartbeat

SNAPSHOT_BYTES = 16 * 1024 * 1024
"""A summary that is larger is not kept; the client sends no line of more than 10 MB."""


@dataclass(slots=True)
class _Seen:
    """What this fold has of one run: the last snapshot of each client, and the clients that finished."""

    writer: FoldingWriter
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def add(self, snapshot: Snapshot) -> None:
        held = self.snapshots.get(snapshot.client)
        if held is None or held.ord < snapshot.ord:
            self.snapshots[snapshot.client] = snapshot


@dataclass(slots=True)
class _Facts:
    """What the database says of the runs, their rows of this transaction included."""

    stored: Mapping[int, Mapping[str, Snapshot]] = field(default_factory=dict)
    logged: Mapping[int, Mapping[str, LoggedLeaf]] = field(default_factory=dict)
    clients: Mapping[int, Mapping[int, str]] = field(default_factory=dict)


def fold_snapshots(
    tx: Transaction,
    rewound: Rewound,
    names: MetricIds,
    limits: Settings,
    result: FoldedRecords,
) -> None:
    """Compare clients' summaries with what is logged, rows of this transaction included; keep the last one.

    Runs whose clients logged rows or finished are looked at as well: what differed may be logged now, and
    what was thought to be on its way will not come any more.
    """
    seen = _seen(rewound, limits, result)
    documents = _forget_rewound(tx, rewound)
    if not seen and not documents:
        return
    facts = _facts(tx, seen)
    documents |= _edited(tx, seen, facts, documents, limits, result)
    if documents:
        write_documents(tx, documents.values())
        writers = {ready.writer.run_id: ready.writer for ready in rewound.batches}
        runs = [documents[run_id] for run_id in sorted(documents)]
        result.summary_pairs += replace_summaries(tx, runs, writers, names, limits, result)
    _keep(tx, seen, facts, result)


def _seen(rewound: Rewound, limits: Settings, result: FoldedRecords) -> dict[int, _Seen]:
    """Runs of clients with rows or snapshots that are new."""
    found: dict[int, _Seen] = {}
    for ready in rewound.batches:
        writer = ready.writer
        if not ready.batch.summary_seen and (writer.client is None or not _moves(ready.batch)):
            continue
        of_run = found.setdefault(writer.run_id, _Seen(writer))
        if ready.batch.finish:
            of_run.ended.add(writer.client or "")
        for said in ready.batch.summary_seen:
            ord_ = ready.ord(said.seq)
            if ready.is_new(said.seq) and not is_taken_back(rewound.known.get(writer.run_id, ()), ord_):
                values = _kept(writer, said.values, limits, result)
                of_run.add(Snapshot(writer.run_id, writer.client or "", ord_, values))
    return found


def _moves(batch: LogBatch) -> bool:
    """Whether the batch can change what a summary that came before differs in."""
    return batch.rows is not None or bool(batch.finish or batch.metrics)


def _kept(
    writer: FoldingWriter, values: Mapping[str, Any], limits: Settings, result: FoldedRecords
) -> dict[str, Any]:
    """The values that are JSON and not too deep."""
    if is_json(values, limits.max_json_depth):
        return dict(values)
    kept = {}
    for key, value in values.items():
        if is_json(value, limits.max_json_depth):
            kept[key] = value
        else:
            reason = f"summary {key[:80]!r} is nested deeper than {limits.max_json_depth}: log it flatter"
            result.rejections.append(
                Rejection(writer.team_id, writer.run_id, "json_too_deep", key, reason, 1)
            )
    return kept


def _facts(tx: Transaction, seen: Mapping[int, _Seen]) -> _Facts:
    run_ids = sorted(seen)
    if not run_ids:
        return _Facts()
    stored = client_summaries.snapshots_of_runs(tx, run_ids)
    run_ids = [run_id for run_id in run_ids if seen[run_id].snapshots or run_id in stored]
    return _Facts(
        {run_id: {one.client: one for one in stored.get(run_id, [])} for run_id in run_ids},
        logged_leaves(tx, run_ids),
        client_summaries.clients_of_runs(tx, run_ids),
    )


def _edited(
    tx: Transaction,
    seen: Mapping[int, _Seen],
    facts: _Facts,
    held: Mapping[int, RunDocuments],
    limits: Settings,
    result: FoldedRecords,
) -> dict[int, RunDocuments]:
    """Documents of runs of which a client's summary says something else now; those in `held` are locked."""
    manual = client_summaries.manual_of_runs(tx, sorted(facts.stored))
    differing = [
        run_id
        for run_id, document in manual.items()
        if run_id in held or _has_edits(seen[run_id], facts, document)
    ]
    locked = lock_documents(tx, sorted(run_id for run_id in differing if run_id not in held))
    documents = {run_id: held.get(run_id) or locked[run_id] for run_id in differing}
    for run_id, run in documents.items():
        touch_heartbeat()
        _edit(run.summary, seen[run_id], facts, limits, result)
    return documents


def _views(seen: _Seen, facts: _Facts) -> list[ClientView]:
    """Each client's summary before and now, in the run's order; who said nothing new has the same twice."""
    run_id = seen.writer.run_id
    stored = facts.stored[run_id]
    now = {**stored, **{name: one for name, one in seen.snapshots.items() if _is_later(one, stored)}}
    return [
        ClientView(
            one,
            stored.get(one.client),
            facts.logged[run_id],
            facts.clients[run_id],
            one.client in seen.ended,
        )
        for one in sorted(now.values(), key=_ord)
    ]


def _ord(snapshot: Snapshot) -> int:
    return snapshot.ord


def _is_later(snapshot: Snapshot, stored: Mapping[str, Snapshot]) -> bool:
    return snapshot.client not in stored or stored[snapshot.client].ord < snapshot.ord


def _has_edits(seen: _Seen, facts: _Facts, manual: tuple[dict[str, Any], dict[str, int]]) -> bool:
    """Whether a look at the manual summary, which is not locked yet, finds something to change."""
    document = Document("summary", *manual)
    return any(edit_of(view, document) is not None for view in _views(seen, facts))


def _edit(document: Document, seen: _Seen, facts: _Facts, limits: Settings, result: FoldedRecords) -> None:
    for view in _views(seen, facts):
        edit = edit_of(view, document)
        if edit is None:
            continue
        overruled = {key: document.ords.pop(key, -1) for key in [*edit.values, *edit.removed]}
        refused = _apply(document, edit, limits)
        for key, ord_ in overruled.items():
            if ord_ >= 0:
                document.ords.setdefault(key, ord_)  # its new value was refused
        left_out = edit.values.keys() - document.values.keys()
        if any(map(view.changed, left_out)):  # else it was told before
            result.rejections += [rejection_of(seen.writer, reason) for reason in refused]


def _apply(document: Document, edit: Edit, limits: Settings) -> list[EditRefused]:
    """Apply an edit; of one that is too large the small values."""
    refused = document.apply([edit], limits)
    if not refused or all(key in document.values for key in edit.values):
        return refused
    document.apply([Edit(edit.ord, {}, edit.removed)], limits)
    left = limits.max_config_bytes - len(json_text(document.values).encode())
    sizes = {key: len(json_text({key: value}).encode()) for key, value in edit.values.items()}
    fitting: dict[str, Any] = {}
    for key in sorted(sizes, key=sizes.__getitem__):
        left -= sizes[key]
        if left >= 0:
            fitting[key] = edit.values[key]
    document.apply([Edit(edit.ord, fitting)], limits)
    return refused


def _keep(tx: Transaction, seen: Mapping[int, _Seen], facts: _Facts, result: FoldedRecords) -> None:
    rows = []
    for run_id, one in sorted(seen.items()):
        for client, snapshot in sorted(one.snapshots.items()):
            text = json_text(snapshot.values)
            if len(text.encode()) > SNAPSHOT_BYTES:
                reason = f"the summary has {len(text)} characters, the limit is {SNAPSHOT_BYTES} bytes"
                result.rejections.append(
                    Rejection(one.writer.team_id, run_id, "summary_too_large", "", reason, 1)
                )
            elif _is_later(snapshot, facts.stored.get(run_id, {})):
                rows.append((run_id, one.writer.team_id, client, snapshot.ord, text))
    client_summaries.put_snapshots(tx, rows)


def _forget_rewound(tx: Transaction, rewound: Rewound) -> dict[int, RunDocuments]:
    """Drop what clients said before new rewinds; returns the runs, whose manual summaries lost some."""
    before: dict[int, int] = defaultdict(int)
    for row in rewound.new:
        before[row.run_id] = max(before[row.run_id], row.ord)
    if not before:
        return {}
    client_summaries.drop_snapshots(tx, before)
    clients = client_summaries.clients_of_runs(tx, sorted(before))
    documents = lock_documents(tx, sorted(before))
    for run_id, run in documents.items():
        for key, ord_ in list(run.summary.ords.items()):
            if ord_ < before[run_id] and ord_ >> SEQ_BITS in clients[run_id]:
                del run.summary.ords[key]
                run.summary.values.pop(key, None)
    return documents
