"""The team's API keys: made, listed, rotated and revoked by a key with scope admin."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_keys import Keys, MadeKey, NewKey, Rotation
from runhue_server.api.resources import Admin, for_whole_team, project_of
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import settings

router = APIRouter(prefix="/api/v1", tags=["keys"])

KeyId = Annotated[int, Path(ge=1, lt=2**31, description="A key's numeric id", examples=[1])]


class KeyNotFound(NotFound):
    code = "key_not_found"


@router.get("/keys", response_model=Keys, responses=errors(), summary="List the team's keys")
def list_keys(principal: Admin) -> Response:
    for_whole_team(principal)
    with db.transaction() as tx:
        found = keys.keys_of_team(tx, principal.team_id)
    return answer({"keys": [key._asdict() for key in found]})


@router.post(
    "/keys", response_model=MadeKey, status_code=201, responses=errors(404), summary="Make a key, shown once"
)
def create_key(principal: Admin, body: NewKey) -> Response:
    for_whole_team(principal)
    expires_at = None
    if body.expires_in_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=body.expires_in_days)
    with db.transaction() as tx:
        project_id = None
        if body.project is not None:
            project_id = project_of(tx, principal, principal.team_name, body.project)
        key = keys.create(
            tx,
            principal.team_id,
            body.name,
            body.scopes,
            keys.pepper(settings()),
            expires_at=expires_at,
            project_id=project_id,
        )
    return answer({"key": key}, 201)


@router.post(
    "/keys/{key_id}/rotate",
    response_model=MadeKey,
    status_code=201,
    responses=errors(404),
    summary="Make a key that takes another's place",
)
def rotate_key(principal: Admin, key_id: KeyId, body: Rotation) -> Response:
    for_whole_team(principal)
    overlap = timedelta(hours=body.overlap_hours)
    with db.transaction() as tx:
        key = keys.rotate(tx, principal.team_id, key_id, keys.pepper(settings()), overlap)
    if key is None:
        raise _missing(key_id)
    return answer({"key": key}, 201)


@router.delete("/keys/{key_id}", status_code=204, responses=errors(404), summary="Revoke a key")
def revoke_key(principal: Admin, key_id: KeyId) -> Response:
    for_whole_team(principal)
    with db.transaction() as tx:
        if not keys.revoke(tx, principal.team_id, key_id):
            raise _missing(key_id)
    return Response(status_code=204)


def _missing(key_id: int) -> KeyNotFound:
    return KeyNotFound(
        f"the team has no valid key {key_id}", field="key_id", fix="list the keys with GET /api/v1/keys"
    )
