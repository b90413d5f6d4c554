"""What clients of the gateway asked for in vain."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_gateway import Unknowns
from runhue_server.api.resources import Admin, for_whole_team
from runhue_shared import db
from runhue_shared.db import gateway_unknown

router = APIRouter(prefix="/api/v1", tags=["server"])


@router.get(
    "/gateway/unknown",
    response_model=Unknowns,
    responses=errors(),
    summary="What wandb clients asked for and this server does not know",
)
def unknown(
    principal: Admin, limit: Annotated[int, Query(ge=1, le=10_000, description="entries")] = 1_000
) -> Response:
    for_whole_team(principal)
    with db.transaction() as tx:
        found = gateway_unknown.listed(tx, limit)
    return answer({"unknown": [asdict(one) for one in found]})
