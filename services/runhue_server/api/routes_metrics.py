"""Which metrics there are, and their exact statistics."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer, decode_document
from runhue_server.api.cursors import cursor_of, place_of
from runhue_server.api.documents import errors
from runhue_server.api.models_history import ProjectMetrics, RunMetrics
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, project_of, run_of
from runhue_server.api.run_answers import JsonObject
from runhue_shared import db
from runhue_shared.db import documents, history, projects, run_page
from runhue_shared.db.history import Stream

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["metrics"])

LISTING = "metrics"


@router.get("/metrics", response_model=ProjectMetrics, responses=errors(404), summary="The project's metrics")
def list_metrics(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    search: Annotated[str, Query(description="a part of the name, in any case", max_length=1_000)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000, description="metrics a page")] = 1_000,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Response:
    place = place_of(cursor, LISTING, 1)
    with db.snapshot() as tx:
        project_id = project_of(tx, principal, team, project)
        found = projects.metrics_of_project(tx, project_id, search, limit + 1, place[0] if place else "")
    metrics = [
        {
            "name": metric.name,
            "types": [{"type": type_, "runs": runs} for type_, runs in metric.types.items()],
        }
        for metric in found[:limit]
    ]
    following = cursor_of(LISTING, [found[limit - 1].folded]) if len(found) > limit else None
    return answer({"metrics": metrics, "next": following})


@router.get(
    "/runs/{run}/metrics", response_model=RunMetrics, responses=errors(404), summary="A run's metrics"
)
def read_metrics(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    stream: Annotated[Stream, Query(description="system: the machine's own samples")] = "history",
) -> Response:
    with db.snapshot() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        found = history.metrics_of_run(tx, run_id, stream)
        texts = run_page.definitions_of_run(tx, run_id)
    definitions = {name.casefold(): decode_document(text) for name, text in texts.items()}
    return answer({"metrics": [_metric(metric, definitions) for metric in found]})


def _metric(metric: history.RunMetric, definitions: dict[str, JsonObject]) -> JsonObject:
    definition = documents.definition_of(metric.name, definitions)
    return {
        "name": metric.name,
        "type": metric.type,
        "n": metric.n,
        "first_step": metric.first_step,
        "last_step": metric.last_step,
        "last": metric.last_value,
        "min": metric.fmin,
        "min_step": metric.fmin_step,
        "max": metric.fmax,
        "max_step": metric.fmax_step,
        "nan_count": metric.nan_count,
        "inf_count": metric.inf_count,
        **({"definition": definition} if definition else {}),
    }
