"""Runs as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from runhue_server.api.answers import decode_document
from runhue_shared import db
from runhue_shared.db import run_page, runs
from runhue_shared.db.runs import Run
from runhue_shared.events import flatten
from runhue_shared.filters import Field, InvalidFilter, field_named
from runhue_shared.settings import settings

MAX_COLUMNS = 500
MAX_REFUSALS = 100

JsonObject = dict[str, Any]
"""What users logged may be any JSON."""


class Columns:
    """Which config and summary keys a list shows; None is all."""

    def __init__(self, config: frozenset[str] | None, summary: frozenset[str] | None) -> None:
        self.config = config
        self.summary = summary


def columns_named(text: str) -> Columns:
    """The columns in a comma-separated list; `*` is all, nothing is none.

    Raises:
        InvalidFilter: one is neither `config.<key>` nor `summary.<key>`, or there are more than 500.
    """
    names = [name for part in text.split(",") if (name := part.strip())]
    if names == ["*"]:
        return Columns(None, None)
    if len(names) > MAX_COLUMNS:
        raise InvalidFilter("columns", f"{len(names)} columns", "ask for fewer, or for *", MAX_COLUMNS)
    fields = [field_named(name, "columns") for name in names]
    for field in fields:
        if field.section == "run":
            raise InvalidFilter(
                "columns", f"{field} is always there", "ask for config.<key> or summary.<key>"
            )
    return Columns(_keys(fields, "config"), frozenset(key.casefold() for key in _keys(fields, "summary")))


def _keys(fields: Sequence[Field], section: str) -> frozenset[str]:
    return frozenset(field.name for field in fields if field.section == section)


def run_answer(run: Run, team: str, project: str, config: JsonObject, summary: JsonObject) -> JsonObject:
    """A run as lists show it."""
    return {
        "id": run.public_id,
        "name": run.name,
        "team": team,
        "project": project,
        "state": run.state,
        "exit_code": run.exit_code,
        "group": run.group,
        "job_type": run.job_type,
        "notes": run.notes,
        "tags": run.tags,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "heartbeat_at": run.heartbeat_at,
        "duration": run.duration,
        "last_step": -1 if run.last_step is None else run.last_step,
        "config": config,
        "summary": summary,
        "url": run_url(team, project, run.public_id),
    }


def run_url(team: str, project: str, run: str) -> str:
    """Where a person looks at the run."""
    current = settings()
    base = current.public_url or f"http://{current.host}:{current.api_port}"
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in (team, project, "runs", run))])


def run_answers(
    tx: db.Transaction, found: Sequence[Run], team: str, project: str, columns: Columns
) -> list[JsonObject]:
    """A page of runs with the columns asked for."""
    ids = [run.id for run in found]
    configs = _configs(tx, ids, columns.config)
    summaries = _summaries(tx, ids, columns.summary)
    return [
        run_answer(run, team, project, configs.get(run.id, {}), summaries.get(run.id, {})) for run in found
    ]


def _configs(tx: db.Transaction, ids: Sequence[int], wanted: frozenset[str] | None) -> dict[int, JsonObject]:
    if wanted is not None and not wanted:
        return {}
    return {
        run_id: {
            key: value
            for key, value in flatten(decode_document(text)).items()
            if wanted is None or key in wanted
        }
        for run_id, text in runs.configs_of_runs(tx, ids).items()
    }


def _summaries(
    tx: db.Transaction, ids: Sequence[int], wanted: frozenset[str] | None
) -> dict[int, JsonObject]:
    if wanted is not None and not wanted:
        return {}
    found: dict[int, JsonObject] = {}
    for run_id, name, _, number, text in runs.summaries_of_runs(
        tx, ids, None if wanted is None else sorted(wanted)
    ):
        found.setdefault(run_id, {})[name] = number if text is None else decode_document(text)
    return found


def health_answer(tx: db.Transaction, run_id: int) -> JsonObject:
    """How a run's records fared."""
    writers = [writer_answer(writer) for writer in run_page.writers_of_run(tx, run_id)]
    rejections = run_page.rejections_of_run(tx, run_id, MAX_REFUSALS)
    letters = run_page.dead_letters_of_run(tx, run_id, MAX_REFUSALS)
    return {
        "writers": writers,
        "rejections": [_rejection(rejection) for rejection in rejections],
        "dead_letters": [letter._asdict() for letter in letters],
        "pending_batches": sum(writer["pending_batches"] for writer in writers),
    }


def writer_answer(writer: run_page.WriterHealth) -> JsonObject:
    """One writer."""
    fields: Mapping[str, Any] = writer._asdict()
    return {"pending_batches" if name == "pending" else name: value for name, value in fields.items()}


def _rejection(rejection: run_page.Rejection) -> JsonObject:
    return {
        "code": rejection.code,
        "field": rejection.field,
        "message": rejection.message,
        "count": rejection.count,
        "last_at": rejection.last_at,
    }
