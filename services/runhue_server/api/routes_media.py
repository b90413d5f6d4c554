"""Media that runs logged: their keys, their steps, and the items with all that is known of them."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.media_addresses import viewer_in
from runhue_server.api.media_answers import media_answers
from runhue_server.api.media_items import items_of, media_in
from runhue_server.api.media_pages import EVER, Asked, Found, page_of, steps_of
from runhue_server.api.media_runs import FirstStep, Key, LastStep, RunNames, runs_named
from runhue_server.api.models_media import Media, MediaKeys, MediaSteps, SummaryMedia
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, project_of, run_of
from runhue_server.api.run_answers import JsonObject
from runhue_shared import db
from runhue_shared.db import documents, history
from runhue_shared.db.history import RunMetric
from runhue_shared.series.values import OTHER

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["media"])

LIST = "list"
MAX_STEPS = 10_000
MAX_ITEMS = 500
MAX_IN_SUMMARY = 5_000
"""Items of lists count each; an answer says when it is not all."""


@router.get(
    "/runs/{run}/media/keys", response_model=MediaKeys, responses=errors(404), summary="Keys that hold media"
)
def read_media_keys(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.snapshot() as tx:
        metrics = history.metrics_of_run(tx, run_of(tx, principal, team, project, run).id)
    keys: dict[str, JsonObject] = {}
    for metric in metrics:
        found = items_of(metric.last_value, metric.name, metric.last_step)
        if found:
            _add_key(keys, metric, found[0].kind)
    return answer({"keys": list(keys.values())})


def _add_key(keys: dict[str, JsonObject], metric: RunMetric, kind: str) -> None:
    """Add a type of a metric; of types under one name the latest says the kind."""
    type_ = LIST if metric.type == OTHER else metric.type
    known = keys.setdefault(
        metric.name,
        {
            "key": metric.name,
            "types": [],
            "kind": kind,
            "count": 0,
            "first_step": metric.first_step,
            "last_step": metric.last_step,
        },
    )
    known["types"].append(type_)
    known["count"] += metric.n
    known["first_step"] = min(known["first_step"], metric.first_step)
    if metric.last_step >= known["last_step"]:
        known["last_step"], known["kind"] = metric.last_step, kind


@router.get(
    "/media/steps",
    response_model=MediaSteps,
    responses=errors(404),
    summary="Steps at which runs logged media",
)
def read_media_steps(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    key: Key,
    run_names: RunNames,
    from_step: FirstStep = 0,
    to_step: LastStep = EVER,
    limit: Annotated[int, Query(ge=1, le=MAX_STEPS, description="steps at most")] = 1_000,
) -> Response:
    with db.snapshot() as tx:
        ids = runs_named(tx, project_of(tx, principal, team, project), run_names)
        found = steps_of(tx, Asked(ids, key, from_step, to_step), limit)
    runs = [{"run_id": name, "count": count} for name, count in found.of_runs.items()]
    return answer({"steps": found.steps, "more": found.more, "runs": runs})


@router.get(
    "/media", response_model=Media, responses=errors(404), summary="Media of one key, of several runs"
)
def read_media(
    request: Request,
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    key: Key,
    run_names: RunNames,
    from_step: FirstStep = 0,
    to_step: LastStep = EVER,
    index: Annotated[int | None, Query(ge=0, description="of lists only the item at this place")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ITEMS, description="items a page")] = 100,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Response:
    with db.snapshot() as tx:
        project_id = project_of(tx, principal, team, project)
        viewer = viewer_in(tx, project_id, request)
        ids = runs_named(tx, project_id, run_names)
        asked = Asked(ids, key, from_step, to_step, index)
        found, following = page_of(tx, asked, limit, after)
    return answer({"media": media_answers(principal.team_id, found, viewer), "next": following})


@router.get(
    "/runs/{run}/summary-media",
    response_model=SummaryMedia,
    responses=errors(404),
    summary="Media in the run's summary",
)
def read_summary_media(
    request: Request, principal: Reader, team: TeamName, project: ProjectName, run: RunId
) -> Response:
    with db.snapshot() as tx:
        project_id = project_of(tx, principal, team, project)
        viewer = viewer_in(tx, project_id, request)
        run_id = run_of(tx, principal, team, project, run).id
        summary = documents.summary_of_run(tx, run_id)
    found = [Found(run, run_id, key, None, item) for key, item in media_in(summary)]
    media = media_answers(principal.team_id, found[:MAX_IN_SUMMARY], viewer)
    return answer({"media": media, "truncated": len(found) > MAX_IN_SUMMARY})
