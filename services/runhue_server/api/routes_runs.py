"""Lists of runs, one run, and what can be done to it."""

from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer, decode_document
from runhue_server.api.cursors import cursor_of, invalid_cursor, place_of
from runhue_server.api.documents import errors
from runhue_server.api.models_runs import Deleted, RunDetail, RunEdit, Runs, StopRequested
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, Writer, project_of, run_of
from runhue_server.api.run_answers import JsonObject, columns_named, health_answer, run_answer, run_answers
from runhue_server.api.wake import wake_coloring
from runhue_server.web.problems import Invalid
from runhue_shared import db
from runhue_shared.db import colors, documents, runs, writers
from runhue_shared.db.documents import EditRefused
from runhue_shared.db.filtering import check_patterns
from runhue_shared.db.run_order import Order
from runhue_shared.filters import Filter, InvalidFilter, field_named, parse_json

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs", tags=["runs"])

SORTABLE = ("created_at", "name", "state", "duration", "heartbeat_at")
MAX_RUNS = 1_000
PLACE_PARTS = {"run": 2}
"""Parts of a place in a list: the value and the id; config and summary keys have rank, number and text."""

KEY_PLACE_PARTS = 4
ATTRIBUTES = ("name", "notes", "tags", "group", "job_type")


class EditRejected(Invalid):
    """Config, summary or metadata would be larger or nested deeper than allowed."""

    def __init__(self, refused: EditRefused) -> None:
        super().__init__(str(refused), field=refused.field, limit=refused.limit, fix=refused.fix)
        self.code = refused.code


@router.get("", response_model=Runs, responses=errors(404), summary="List runs: filter, search, order, page")
def list_runs(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    filter: Annotated[  # noqa: A002  # the parameter's name in the API
        str,
        Query(description="Mongo-style JSON", examples=['{"config.lr": {"$lt": 0.1}}'], max_length=100_000),
    ] = "",
    search: Annotated[str, Query(description="regular expression on name and id", max_length=1_000)] = "",
    order: Annotated[
        str,
        Query(
            description=f"one of {', '.join(SORTABLE)}, config.<key>, summary.<key>; + or - first",
            examples=["-summary.loss"],
            max_length=1_001,
        ),
    ] = "-created_at",
    limit: Annotated[int, Query(ge=1, le=MAX_RUNS, description="runs a page")] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
    columns: Annotated[
        str, Query(description="comma-separated config.<key>, summary.<key>; * is all", max_length=100_000)
    ] = "",
) -> Response:
    wanted, parsed, sort = columns_named(columns), parse_json(filter), order_named(order)
    parts = PLACE_PARTS.get(sort.field.section, KEY_PLACE_PARTS)
    listing = f"runs {'-' if sort.descending else '+'}{sort.field}"
    after = place_of(cursor, listing, parts)
    with db.snapshot() as tx:
        project_id = project_of(tx, principal, team, project)
        found, total = _page(tx, project_id, parsed, search, sort, limit, after)
        page = found[:limit]
        return answer(
            {
                "runs": run_answers(tx, page, team, project, wanted),
                "next": cursor_of(listing, page[-1].place) if len(found) > limit else None,
                "total": total,
            }
        )


def _page(
    tx: db.Transaction,
    project_id: int,
    parsed: Filter,
    search: str,
    sort: Order,
    limit: int,
    after: list[str] | None,
) -> tuple[list[runs.Run], int]:
    check_patterns(tx, parsed, search)
    try:
        found = runs.page_of_runs(tx, project_id, parsed, search, sort, limit + 1, after)
        return found, runs.count_runs(tx, project_id, parsed, search)
    except psycopg.DataError as error:
        if after is None:
            raise
        raise invalid_cursor("is none that this server made") from error


def order_named(text: str) -> Order:
    """What an `order` parameter asks for; a space first is a `+` that was not escaped.

    Raises:
        InvalidFilter: the field is none that lists are sorted by.
    """
    name = text[1:] if text[:1] in ("+", "-", " ") else text
    field = field_named(name, "order")
    if field.section == "run" and field.name not in SORTABLE:
        raise InvalidFilter(
            "order", f"cannot sort by {name!r}", f"use {', '.join(SORTABLE)}, config.<key> or summary.<key>"
        )
    return Order(field, text.startswith("-"))


@router.get("/{run}", response_model=RunDetail, responses=errors(404), summary="One run whole")
def read_run(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.snapshot() as tx:
        found = run_of(tx, principal, team, project, run)
        return answer(_detail(tx, found, team, project))


def _detail(tx: db.Transaction, found: runs.Run, team: str, project: str) -> JsonObject:
    config, metadata = runs.documents_of_run(tx, found.id)
    summary = documents.summary_of_run(tx, found.id)
    health = health_answer(tx, found.id)
    return {
        **run_answer(found, team, project, decode_document(config), summary),
        "metadata": decode_document(metadata),
        "writers": health["writers"],
        "health": health,
        "stop_requested": found.stop_requested,
    }


@router.patch("/{run}", response_model=RunDetail, responses=errors(404, 413), summary="Change a run")
def edit_run(principal: Writer, team: TeamName, project: ProjectName, run: RunId, body: RunEdit) -> Response:
    with db.transaction() as tx:
        found = run_of(tx, principal, team, project, run)
        try:
            _apply(tx, found.id, body)
        except EditRefused as refused:
            raise EditRejected(refused) from refused
        colors.mark_runs(tx, found.project_id, [found.id])
        writers.announce(tx, [found.id])
    with db.snapshot() as tx:
        content = _detail(tx, run_of(tx, principal, team, project, run), team, project)
    return answer(content, then=wake_coloring)


def _apply(tx: db.Transaction, run_id: int, body: RunEdit) -> None:
    changes: dict[str, Any] = {
        name: getattr(body, name) for name in ATTRIBUTES if name in body.model_fields_set
    }
    if "name" in changes and changes["name"] is None:
        raise Invalid("name: a run has a name, got null", field="name", fix="leave it out to keep the name")
    if changes:
        documents.edit_attributes(tx, run_id, changes)
    if body.config or body.remove_config:
        documents.edit_config(tx, run_id, body.config, body.remove_config)
        colors.mark_configs(tx, [run_id])
    if body.summary or body.remove_summary:
        colors.mark_metrics(tx, documents.edit_summary(tx, run_id, body.summary, body.remove_summary))


@router.delete("/{run}", response_model=Deleted, responses=errors(404), summary="Delete a run; idempotent")
def delete_run(principal: Writer, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        project_id = project_of(tx, principal, team, project)
        run_id = runs.mark_deleted(tx, project_id, run)
        if run_id is not None:
            colors.mark_runs(tx, project_id, [run_id])
    return answer({"deleted": run_id is not None}, then=wake_coloring)


@router.post(
    "/{run}/stop", response_model=StopRequested, responses=errors(404), summary="Ask a run's writers to stop"
)
def stop_run(principal: Writer, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        runs.request_stop(tx, run_of(tx, principal, team, project, run).id)
    return answer({"stop_requested": True})
