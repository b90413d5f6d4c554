"""What a run's own page asks beside its numbers."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_runs import Alerts, Console, Health
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, run_of
from runhue_server.api.run_answers import health_answer
from runhue_shared import db
from runhue_shared.db import run_page

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}", tags=["runs"])

MAX_LINES = 10_000
MAX_ALERTS = 1_000


@router.get("/health", response_model=Health, responses=errors(404), summary="How a run's records fared")
def read_health(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        return answer(health_answer(tx, run_of(tx, principal, team, project, run).id))


@router.get("/console", response_model=Console, responses=errors(404), summary="Lines of output")
def read_console(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    after: Annotated[int, Query(ge=-1, lt=2**63, description="lines behind this number")] = -1,
    limit: Annotated[int, Query(ge=1, le=MAX_LINES, description="lines a page")] = 1_000,
    tail: Annotated[int | None, Query(ge=1, le=MAX_LINES, description="only the last so many")] = None,
) -> Response:
    with db.transaction() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        if tail is not None:
            lines, more = run_page.last_console_lines(tx, run_id, tail), False
        else:
            found = run_page.console_lines(tx, run_id, after, limit + 1)
            lines, more = found[:limit], len(found) > limit
    return answer({"lines": [line._asdict() for line in lines], "next": lines[-1].number if more else None})


@router.get("/alerts", response_model=Alerts, responses=errors(404), summary="The run's alerts, newest first")
def read_alerts(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        found = run_page.alerts_of_run(tx, run_of(tx, principal, team, project, run).id, MAX_ALERTS)
    return answer({"alerts": [alert._asdict() for alert in found]})
