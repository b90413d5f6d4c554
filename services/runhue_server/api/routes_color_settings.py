"""Color settings of a workspace, legends by their id, and the palettes."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.coloring_refusals import (
    LegendNotFound,
    SettingsAreOthers,
    matches,
    revision_tag,
    revisions_in,
    settings_of,
)
from runhue_server.api.documents import Responses, errors
from runhue_server.api.models_coloring import ColorSettings, Legend, Palettes, Revisions, SettingsInForce
from runhue_server.api.palette_answers import palettes_answer
from runhue_server.api.parameters import IfNoneMatch
from runhue_server.api.resources import Reader, WorkspaceId, Writer, workspace_of
from runhue_server.api.run_answers import JsonObject
from runhue_server.api.wake import wake_coloring
from runhue_shared import db
from runhue_shared.coloring import settings as color_settings
from runhue_shared.coloring.legend import legend_as_json
from runhue_shared.coloring.settings import settings_as_json
from runhue_shared.db import legends
from runhue_shared.db.color_settings import (
    SettingsChanged,
    read_settings,
    set_color_settings,
    settings_history,
)

router = APIRouter(prefix="/api/v1", tags=["colors"])

SETTINGS = "/workspaces/{workspace}/coloring/settings"
A_YEAR = "private, max-age=31536000, immutable"
PRIVATE = "private, no-cache"

NOT_MODIFIED: Responses = {304: {"description": "the client holds these settings"}}
IfMatch = Annotated[str | None, Header(description="ETag of the settings that are to be replaced, or *")]
SETTINGS_BODY = {
    "requestBody": {"content": {"application/json": {"schema": ColorSettings.model_json_schema()}}}
}


@router.get(
    SETTINGS,
    response_model=SettingsInForce,
    responses={**NOT_MODIFIED, **errors(404)},
    summary="The settings in force",
)
def get_settings(principal: Reader, workspace: WorkspaceId, if_none_match: IfNoneMatch = None) -> Response:
    with db.transaction() as tx:
        workspace_of(tx, principal, workspace)
        found = read_settings(tx, workspace)
    headers = _headers(found.settings_rev)
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return answer(_in_force(found.settings, found.settings_rev, found.version), headers=headers)


@router.put(
    SETTINGS,
    response_model=SettingsInForce,
    responses=errors(404, 412, 413, 428),
    summary="Replace the settings",
    openapi_extra=SETTINGS_BODY,
)
def put_settings(
    principal: Writer,
    workspace: WorkspaceId,
    body: Annotated[dict[str, Any], Body()],  # settings are parsed by the rules that all clients share
    if_match: IfMatch = None,
) -> Response:
    accepted = revisions_in(if_match)
    settings = settings_of(body)
    try:
        with db.transaction() as tx:
            workspace_of(tx, principal, workspace)
            expected = None if accepted is None else _expected(tx, workspace, accepted)
            settings_rev, version = set_color_settings(tx, workspace, settings, expected, principal.key_name)
    except SettingsChanged as changed:
        raise SettingsAreOthers(
            str(changed), field="If-Match", fix="read the settings again", settings_rev=changed.settings_rev
        ) from changed
    content = _in_force(settings, settings_rev, version)
    return answer(content, headers=_headers(settings_rev), then=wake_coloring)


def _expected(tx: db.Transaction, workspace: int, accepted: list[int]) -> int:
    """The revision in force if it is one of those accepted; else one that cannot be in force."""
    current = read_settings(tx, workspace).settings_rev
    return current if current in accepted else next(iter(accepted), -1)


@router.get(
    f"{SETTINGS}/history",
    response_model=Revisions,
    responses=errors(404),
    summary="Every revision, newest first",
)
def get_history(principal: Reader, workspace: WorkspaceId) -> Response:
    with db.transaction() as tx:
        workspace_of(tx, principal, workspace)
        found = settings_history(tx, workspace)
    revisions = [
        {
            "settings_rev": revision.settings_rev,
            "settings": settings_as_json(revision.settings),
            "set_by": revision.set_by,
            "set_at": revision.set_at,
        }
        for revision in found
    ]
    return answer({"revisions": revisions})


@router.get(
    "/legends/{legend_id}", response_model=Legend, responses=errors(404), summary="A legend; immutable"
)
def get_legend(
    principal: Reader, legend_id: Annotated[str, Path(description="hash of the legend", max_length=200)]
) -> Response:
    with db.transaction() as tx:
        found = legends.read_legend(tx, principal.team_id, legend_id)
    if found is None:
        raise LegendNotFound(f"no legend {legend_id!r}", field="legend_id", fix="read .../coloring/legend")
    return answer(legend_as_json(found), headers={"Cache-Control": A_YEAR, "ETag": f'"{found.legend_id}"'})


@router.get("/palettes", response_model=Palettes, responses=errors(), summary="Every palette, light and dark")
def get_palettes(_principal: Reader) -> Response:
    return answer(palettes_answer(), headers={"Cache-Control": "private, max-age=3600"})


def _in_force(settings: color_settings.ColorSettings, settings_rev: int, version: int) -> JsonObject:
    return {"settings": settings_as_json(settings), "settings_rev": settings_rev, "version": version}


def _headers(settings_rev: int) -> dict[str, str]:
    return {"ETag": revision_tag(settings_rev), "Cache-Control": PRIVATE}
