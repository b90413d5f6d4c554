"""`POST /ingest/v1/runs`: a training process becomes a numbered writer of a run."""

import json
import math
import struct
import time
import zlib
from typing import Any
from urllib.parse import quote

from runhue_server.intake.problems import ProjectForbidden, RunDeleted, RunExists, RunNotFound, TeamNotFound
from runhue_server.intake.wake import Waker
from runhue_server.web.problems import Invalid
from runhue_shared import db
from runhue_shared.db import colors, documents, inbox, projects, runs, writers
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import NewRun, StartedRun, Writer
from runhue_shared.events import RUNTIME_KEY, MalformedBatch, Rows, StartWriter, WriterStarted, decode_batch
from runhue_shared.messages import LogBatchStored, OutboxFilled, ScalesDirty
from runhue_shared.run_names import readable_name
from runhue_shared.settings import Settings

PARTS_PER_TEAM = 8
FOLD_SECONDS = 5.0
FOLD_PAUSE = 0.02


def start_writer(
    principal: Principal, request: StartWriter, settings: Settings, waker: Waker
) -> WriterStarted:
    """Make the process a writer; the same process asking again gets the same writer.

    Resuming blocks up to `FOLD_SECONDS` for batches on their way.

    Raises:
        TeamNotFound, ProjectForbidden, RunNotFound, RunExists, RunDeleted: see `find_or_make_run`.
        psycopg.OperationalError: the database is away.
    """
    if request.team not in (None, principal.team_name):
        raise TeamNotFound(
            f"the key belongs to team {principal.team_name!r}, not to {request.team!r}",
            field="team",
            fix="leave team out, or use a key of that team",
        )
    require_project(principal, request.project)
    with db.transaction() as tx:
        run, writer = _writer_of_run(tx, principal.team_id, request)
    waker.wake([OutboxFilled(), ScalesDirty()])
    resumed = writer.no > 1 and request.resume is not None
    answer = WriterStarted(
        writer_id=writer.id,
        run=request.run,
        name=request.name or run.name,
        team=principal.team_name,
        project=request.project,
        url=run_url(settings, principal.team_name, request.project, request.run),
        resumed=resumed,
        next_seq=writer.durable_seq + 1,
        last_step=-1,
        runtime=0.0,
        flush_interval_ms=settings.flush_interval_ms,
        max_batch_bytes=settings.max_batch_bytes,
    )
    if resumed:
        _add_what_was_logged(answer, run, waker, settings.max_decompressed_bytes)
    return answer


def require_project(principal: Principal, project: str) -> None:
    """Raises ProjectForbidden: the key is good for another project only."""
    if principal.project_name not in (None, project):
        raise ProjectForbidden(
            f"the key is good for project {principal.project_name!r} only, not for {project!r}",
            field="project",
            fix="log to that project, or use a key of the whole team",
        )


def run_url(settings: Settings, team: str, project: str, run: str) -> str:
    """Where people see the run."""
    base = settings.public_url or f"http://{settings.host}:{settings.api_port}"
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in (team, project, "runs", run))])


def part_of(team_id: int, run: str) -> int:
    """The inbox partition of a run: one of its team's, the same for all its writers."""
    return team_id * PARTS_PER_TEAM + zlib.crc32(run.encode()) % PARTS_PER_TEAM


def _writer_of_run(tx: db.Transaction, team_id: int, request: StartWriter) -> tuple[StartedRun, Writer]:
    project_id = made_project(tx, team_id, request.project)
    run, is_new = find_or_make_run(tx, team_id, project_id, request)
    writer = writers.find_writer(tx, run.id, request.writer)
    if writer is not None:
        return run, writer
    if request.resume == "never" and not is_new:
        raise RunExists(
            f"run {request.run!r} is there already and resume is 'never'",
            field="run",
            fix="choose another id, or resume with 'allow'",
        )
    if not is_new:
        change_attributes(tx, run.id, request)
    writer = writers.add_writer(tx, team_id, run, request.writer, request.started_at)
    writers.announce(tx, [run.id])
    colors.mark_runs(tx, project_id, [run.id])
    return run, writer


def change_attributes(tx: db.Transaction, run_id: int, request: StartWriter) -> None:
    """Change what the request says of a run that is there.

    Raises:
        Invalid: it cannot be stored.
    """
    changes = _attributes(request)
    if not changes:
        return
    try:
        documents.edit_attributes(tx, run_id, changes)
    except documents.EditRefused as refused:
        raise Invalid(str(refused), field=refused.field, limit=refused.limit, fix=refused.fix) from refused


def made_project(tx: db.Transaction, team_id: int, name: str) -> int:
    """The id of the team's project of that name, which is made when it is new.

    Raises:
        RunNotFound: someone deleted it at the same moment.
    """
    found = projects.project_id(tx, team_id, name)
    if found is None:
        projects.create_project(tx, team_id, name)
        found = projects.project_id(tx, team_id, name)
    if found is None:
        raise RunNotFound(f"project {name!r} was deleted just now", field="project", fix="start again")
    return found


def find_or_make_run(
    tx: db.Transaction, team_id: int, project_id: int, request: StartWriter
) -> tuple[StartedRun, bool]:
    """(the run, locked; whether it was made now).

    Raises:
        RunNotFound: resume is must and there is no run.
        RunDeleted: there was one.
    """
    run = writers.lock_run(tx, project_id, request.run)
    is_new = False
    if run is None and request.resume != "must":
        is_new = writers.insert_run(tx, _new_run(team_id, project_id, request))
        run = writers.lock_run(tx, project_id, request.run)
    if run is None:
        raise RunNotFound(
            f"there is no run {request.run!r} in project {request.project!r} and resume is 'must'",
            field="run",
            fix="check the id, or resume with 'allow'",
        )
    if run.deleted:
        raise RunDeleted
    return run, is_new


def _new_run(team_id: int, project_id: int, request: StartWriter) -> NewRun:
    return NewRun(
        team_id,
        project_id,
        request.run,
        part_of(team_id, request.run),
        request.name or readable_name(request.run),
        request.started_at,
        request.group,
        request.job_type,
        _storable(request.notes),
        list(dict.fromkeys(request.tags)),
        json.dumps(request.metadata, ensure_ascii=False).replace("\0", ""),
    )


def _storable(text: str | None) -> str | None:
    """Postgres text holds no NUL."""
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _attributes(request: StartWriter) -> dict[str, Any]:
    """What the request says of the run beyond its id; a later writer changes only what it names."""
    said = {
        "name": request.name,
        "notes": _storable(request.notes),
        "tags": list(dict.fromkeys(request.tags)),
        "group": request.group,
        "job_type": request.job_type,
        "metadata": request.metadata,
    }
    return {field: value for field, value in said.items() if value}


def _add_what_was_logged(answer: WriterStarted, run: StartedRun, waker: Waker, max_bytes: int) -> None:
    """Fill in where the run stands, over all that is durable: batches on the way are waited for."""
    wait_until_folded(run.id, run.part, waker)
    with db.snapshot() as tx:
        last_step, runtime = writers.last_place(tx, run.id)
        # Not folded in time: the steps at least are exact.
        for body in inbox.pending_bodies(tx, run.part, run.id):
            step, seconds = _place_in(body, max_bytes)
            last_step, runtime = max(last_step, step), max(runtime, seconds)
        config, _ = runs.documents_of_run(tx, run.id)
        summary = documents.summary_of_run(tx, run.id)
    answer.last_step = last_step
    answer.runtime = runtime
    answer.config = _speakable(json.loads(config))
    answer.summary = _speakable(summary)


def wait_until_folded(run_id: int, part: int, waker: Waker, seconds: float = FOLD_SECONDS) -> bool:
    """Wait until everything durable of the run is folded, for at most `seconds`; whether it is."""
    deadline = time.monotonic() + seconds
    while not (done := _is_folded(run_id)) and time.monotonic() < deadline:
        waker.wake([LogBatchStored(part=part)])
        time.sleep(FOLD_PAUSE)
    return done


def _is_folded(run_id: int) -> bool:
    with db.transaction() as tx:
        return writers.is_folded(tx, run_id)


def _place_in(body: bytes, max_bytes: int) -> tuple[int, float]:
    """(greatest step, greatest `_runtime`) in a batch; (-1, 0.0) for none, also when it cannot be read."""
    try:
        rows = decode_batch(body, max_bytes).rows
    except MalformedBatch:
        return -1, 0.0
    if rows is None or not len(rows):
        return -1, 0.0
    return max(_integers(rows.step)), max(_runtimes(rows), default=0.0)


def _integers(column: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(column) // 8}q", column)


def _runtimes(rows: Rows) -> list[float]:
    found: list[float] = []
    for block in rows.numbers:
        if RUNTIME_KEY in block.keys:
            values = struct.unpack(f"<{len(block.values) // 8}d", block.values)
            count = len(values) // len(block.keys)
            at = block.keys.index(RUNTIME_KEY) * count
            found.extend(filter(math.isfinite, values[at : at + count]))
    return found


def _speakable(value: Any) -> Any:  # JSON, with floats that JSON has no word for
    """The value with NaN and the infinities as strings (docs/api.md, Numbers)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _speakable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_speakable(item) for item in value]
    return value
