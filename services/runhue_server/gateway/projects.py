"""Projects of the teams that a key reaches, as GraphQL clients list, read and make them."""

from typing import Any

import msgspec
import structlog

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.viewer import Json, connection, entity_of, user_of
from runhue_server.intake.start_rules import LONGEST_NAME, NOT_IN_PROJECT
from runhue_server.web.problems import Forbidden, Invalid, NotFound
from runhue_shared import db
from runhue_shared.charts.presets import check_preset
from runhue_shared.charts.refusals import PresetRefused
from runhue_shared.db import custom_charts
from runhue_shared.db import projects as stored
from runhue_shared.db.keys import Principal
from runhue_shared.db.projects import Project

FIELDS = Fields("projects")

_log = structlog.get_logger(__name__)

PAGE = 50
LARGEST_PAGE = 1000
LONGEST_TITLE = 500
LONGEST_SPEC = 1_000_000


def project_of(principal: Principal, project: Project) -> Json:
    """The fields of `Project`. Other modules find `_project_id` (of the row) and `_team` in it.

    `principal`: the key's holder in the project's team.
    """
    user = user_of(principal.team_id, principal.team_name)
    return {
        "id": ids.encode("Project", project.id),
        "internalId": ids.encode("ProjectInternalId", project.id),
        "name": project.name,
        "entityName": principal.team_name,
        "entity": {**entity_of(principal.team_id, principal.team_name), "user": None},
        "description": None,
        "access": "PRIVATE",
        "views": None,
        "createdAt": project.created_at.isoformat().replace("+00:00", "Z"),
        "updatedAt": (project.last_activity or project.created_at).isoformat().replace("+00:00", "Z"),
        "isBenchmark": False,
        "totalSweeps": 0,
        "readOnly": not principal.may("ingest"),
        "user": user,
        "_project_id": project.id,
        "_team": principal,
    }


def find_project(context: Context, name: str | None, entity: str | None) -> Json | None:
    """The project of that name; None when it is not there, or the key does not reach it."""
    try:
        team = context.in_team(entity)
    except NotFound:
        return None
    if not name or "\0" in name:
        return None
    with db.transaction() as tx:
        project = stored.project_named(tx, team.team_id, name)
    if project is None or not team.reaches(project.id):
        return None
    return project_of(team, project)


@FIELDS.answers("Query", "project")
@FIELDS.answers("Query", "model")
def project(
    _source: None,
    context: Context,
    name: str | None = None,
    entityName: str | None = None,  # noqa: N803  # the wire's
) -> Json | None:
    return find_project(context, name, entityName)


@FIELDS.answers("Entity", "project")
def project_of_entity(source: Json, context: Context, name: str | None = None) -> Json | None:
    return find_project(context, name, source["name"])


@FIELDS.answers("Query", "projects")
@FIELDS.answers("Query", "models")
def projects(
    _source: None,
    context: Context,
    entityName: str | None = None,  # noqa: N803  # the wire's
    first: int | None = None,
    after: str | None = None,
) -> Json:
    """One page of a team's projects, in the order of their names, whatever order was asked for."""
    return _page(context.in_team(entityName), first, after)


@FIELDS.answers("Entity", "projects")
def projects_of_entity(
    source: Json,
    context: Context,
    first: int | None = None,
    after: str | None = None,
) -> Json:
    try:
        return _page(context.in_team(source["name"]), first, after)
    except NotFound:
        return connection([])


@FIELDS.answers("User", "projects")
def projects_of_user(
    source: Json, context: Context, first: int | None = None, after: str | None = None
) -> Json:
    return _page(context.in_team(source["name"]), first, after)


def _page(team: Principal, first: int | None, after: str | None) -> Json:
    size = min(max(first or PAGE, 1), LARGEST_PAGE)
    behind = ids.place_of(after) or ""
    with db.transaction() as tx:
        found = stored.projects_of_team(tx, team.team_id, size + 1, behind, team.project_id)
    page = found[:size]
    edges = [{"node": project_of(team, one), "cursor": ids.cursor_of(one.name)} for one in page]
    end = edges[-1]["cursor"] if edges else None
    return {"edges": edges, "pageInfo": {"endCursor": end, "hasNextPage": len(found) > size}}


@FIELDS.answers("Project", "sweeps")
@FIELDS.answers("Project", "allViews")
@FIELDS.answers("Entity", "triggers")
def nothing_of(_source: Json, _context: Context) -> Json:
    """An empty page: this server has no sweeps, no reports of that client's kind and no automations."""
    return connection([])


@FIELDS.answers("Project", "runQueues")
@FIELDS.answers("Project", "triggers")
def none_of(_source: Json, _context: Context) -> list[Json]:
    """An empty list: this server starts no jobs and has no automations."""
    return []


@FIELDS.answers("Mutation", "upsertModel")
def upsert_model(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Make the project when it is new. What it is called is all there is to say of one.

    Raises:
        Invalid: the name is not one of a project.
        Forbidden: the key is for another project only.
        NotFound: no such team, or the key does not reach it.
    """
    given = input or {}
    team = context.in_team(given.get("entityName"))
    name = check_project_name(given.get("name"))
    with db.transaction() as tx:
        inserted = make_project(tx, team, name)
        made = stored.project_named(tx, team.team_id, name)
    project = None if made is None else project_of(team, made)
    return {"project": project, "model": project, "inserted": inserted}


def make_project(tx: db.Transaction, team: Principal, name: str) -> bool:
    """Make the project when it is new; False when the team has it already.

    Raises:
        Forbidden: the key is for another project only.
    """
    known = stored.project_id(tx, team.team_id, name)
    if team.project_id is not None and known != team.project_id:
        raise _for_one_project(team)
    return stored.create_project(tx, team.team_id, name)


def _for_one_project(team: Principal) -> Forbidden:
    return Forbidden(
        f"key {team.key_name!r} is good for project {team.project_name!r} only",
        field="name",
        fix="use a key of the whole team",
    )


def check_project_name(name: object) -> str:
    """The name, when a project may have it.

    Raises:
        Invalid: it is empty, longer than `LONGEST_NAME`, or has a character that addresses have a use for.
    """
    if not isinstance(name, str) or not name.strip():
        raise Invalid("a project needs a name", field="name", fix="give the project a name")
    if len(name) > LONGEST_NAME:
        raise Invalid(
            f"the project's name has {len(name)} characters, the limit is {LONGEST_NAME}",
            field="name",
            limit=LONGEST_NAME,
            fix="choose a shorter name",
        )
    if any(character in NOT_IN_PROJECT or character < " " for character in name):
        raise Invalid(
            f"the project's name {name!r} has one of {' '.join(NOT_IN_PROJECT)} or a control character",
            field="name",
            fix="leave them out",
        )
    return name


@FIELDS.answers("Mutation", "createCustomChart")
def create_custom_chart(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Keep a chart preset of a team; the one of that name is replaced. Its id is `team/name`.

    One that cannot be drawn is kept, and charts that use it say what is wrong.

    Raises:
        Invalid: name or spec is missing or too long, the spec is no JSON object, or the team has too many.
        Forbidden: the key is for one project only.
        NotFound: no such team, or the key does not reach it.
    """
    given = input or {}
    team = context.in_team(given.get("entity"))
    if team.project_id is not None:
        raise _for_one_project(team)
    name = check_project_name(given.get("name"))
    spec = _checked_spec(given.get("spec") or "")
    _warn_of_refused(f"{team.team_name}/{name}", spec)
    title = str(given.get("displayName") or name)[:LONGEST_TITLE].replace("\0", "")
    access = "public" if str(given.get("access", "")).lower() == "public" else "private"
    with db.transaction() as tx:
        if not custom_charts.has_room(tx, team.team_id, name):
            raise Invalid(
                f"team {team.team_name!r} has {custom_charts.MOST} presets",
                field="name",
                limit=custom_charts.MOST,
                fix="delete one with DELETE .../chart-presets",
            )
        custom_charts.put(tx, team.team_id, name, title, access, spec)
    return {"chart": {"id": f"{team.team_name}/{name}"}}


def _warn_of_refused(preset: str, spec: str) -> None:
    try:
        check_preset(msgspec.json.decode(spec, type=dict[str, Any]))
    except PresetRefused as refused:
        _log.warning("preset_refused", preset=preset, code=refused.code, reason=str(refused))


def _checked_spec(spec: str) -> str:
    if len(spec) > LONGEST_SPEC:
        raise Invalid(
            f"the chart's spec has {len(spec)} characters, the limit is {LONGEST_SPEC}",
            field="spec",
            limit=LONGEST_SPEC,
            fix="leave data out of the spec",
        )
    try:
        msgspec.json.decode(spec, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise Invalid("the chart's spec is no JSON object", field="spec", fix="send a Vega spec") from None
    return spec
