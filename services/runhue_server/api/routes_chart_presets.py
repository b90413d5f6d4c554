"""Chart presets of a team, and those that every server has."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_charts import NewPreset, Preset, PresetEdit, Presets
from runhue_server.api.models_runs import Deleted
from runhue_server.api.preset_answers import (
    InvalidPreset,
    built_in_answer,
    preset_answer,
    team_preset,
)
from runhue_server.api.resources import Reader, TeamName, Writer, for_whole_team
from runhue_server.web.problems import NotFound, Problem
from runhue_shared import db
from runhue_shared.charts.presets import built_in, check_preset
from runhue_shared.charts.refusals import PresetRefused
from runhue_shared.db import custom_charts
from runhue_shared.db.keys import Principal

router = APIRouter(prefix="/api/v1/teams/{team}/chart-presets", tags=["charts"])

PresetId = Annotated[
    str,
    Path(description="Id of a preset; it holds slashes", examples=["wandb/line/v0"], max_length=1_000),
]


class TeamNotFound(NotFound):
    """The key is of another team."""

    code = "team_not_found"


class PresetNotFound(NotFound):
    """No preset has that id."""

    code = "preset_not_found"


class PresetExists(Problem):
    """The team has a preset of that name."""

    status = 409
    code = "preset_exists"


class PresetBuiltIn(Problem):
    """Every server has this preset, and it stays as it is."""

    status = 409
    code = "preset_built_in"


class TooManyPresets(Problem):
    """The team has as many presets as it may."""

    status = 409
    code = "too_many_presets"


@router.get("", response_model=Presets, responses=errors(404), summary="Chart presets, the built-in first")
def list_presets(principal: Reader, team: TeamName) -> Response:
    _check_team(principal, team)
    with db.transaction() as tx:
        own = custom_charts.of_team(tx, principal.team_id)
    presets = [built_in_answer(preset) for preset in built_in().values()]
    return answer({"presets": presets + [preset_answer(team, preset) for preset in own]})


@router.get("/{preset:path}", response_model=Preset, responses=errors(404), summary="One preset")
def read_preset(principal: Reader, team: TeamName, preset: PresetId) -> Response:
    _check_team(principal, team)
    known = built_in().get(preset)
    if known is not None:
        return answer(built_in_answer(known) | {"spec": known.spec})
    return answer(_stored(principal, team, preset))


@router.post("", response_model=Preset, status_code=201, responses=errors(404, 409), summary="Make a preset")
def create_preset(principal: Writer, team: TeamName, body: NewPreset) -> Response:
    _check_team(principal, team)
    for_whole_team(principal)
    new = _checked(body, body.name)
    with db.transaction() as tx:
        if not custom_charts.has_room(tx, principal.team_id, body.name):
            why = f"team {team!r} has {custom_charts.MOST} presets"
            raise TooManyPresets(why, field="name", limit=custom_charts.MOST, fix="delete one")
        if not custom_charts.create(tx, principal.team_id, new):
            raise PresetExists(
                f"team {team!r} has a preset {body.name!r}",
                field="name",
                fix="choose another name, or change it with PUT",
            )
    return answer(_stored(principal, team, f"{team}/{body.name}"), 201)


@router.put("/{preset:path}", response_model=Preset, responses=errors(404, 409), summary="Change a preset")
def replace_preset(principal: Writer, team: TeamName, preset: PresetId, body: PresetEdit) -> Response:
    name = _own_name(principal, team, preset)
    new = _checked(body, name)
    with db.transaction() as tx:
        if not custom_charts.replace(tx, principal.team_id, new):
            raise _not_found(preset)
    return answer(_stored(principal, team, preset))


@router.delete(
    "/{preset:path}",
    response_model=Deleted,
    responses=errors(404, 409),
    summary="Delete a preset; idempotent. Charts that use it have no spec then",
)
def delete_preset(principal: Writer, team: TeamName, preset: PresetId) -> Response:
    name = _own_name(principal, team, preset)
    with db.transaction() as tx:
        return answer({"deleted": custom_charts.remove(tx, principal.team_id, name)})


def _check_team(principal: Principal, team: str) -> None:
    if team != principal.team_name:
        raise TeamNotFound(f"no team {team!r} for this key", field="team", fix="ask for the key's own team")


def _own_name(principal: Principal, team: str, preset: str) -> str:
    """The name of a preset that the key may change.

    Raises:
        Forbidden, TeamNotFound, PresetNotFound, PresetBuiltIn: it may not.
    """
    _check_team(principal, team)
    for_whole_team(principal)
    if preset in built_in():
        raise PresetBuiltIn(f"{preset!r} is built in", field="preset", fix="make a preset of your own")
    owner, _, name = preset.partition("/")
    if owner != team or not name:
        raise _not_found(preset)
    return name


def _checked(body: PresetEdit, name: str) -> custom_charts.NewPreset:
    try:
        check_preset(body.spec)
    except PresetRefused as refused:
        raise InvalidPreset(refused) from refused
    text = json.dumps(body.spec, ensure_ascii=False, separators=(",", ":"))
    return custom_charts.NewPreset(name, body.title or name, body.description, text)


def _stored(principal: Principal, team: str, preset: str) -> dict[str, Any]:  # a `Preset`
    with db.transaction() as tx:
        found = team_preset(tx, principal.team_id, team, preset)
    if found is None:
        raise _not_found(preset)
    return preset_answer(team, found) | {"spec": json.loads(found.spec)}


def _not_found(preset: str) -> PresetNotFound:
    return PresetNotFound(
        f"no preset {preset[:200]!r} for this key", field="preset", fix="list them with GET .../chart-presets"
    )
