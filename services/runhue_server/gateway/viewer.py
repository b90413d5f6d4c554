"""Who the client is, and what this server says of itself."""

from collections.abc import Sequence
from typing import Any

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.db.keys import Principal

FIELDS = Fields("viewer")

FEATURES = (
    "FILESTREAM_GZIP",
    "STRUCTURED_CONSOLE_LOGS",
    "MARK_RUN_FILES_UPLOADED",
    "LARGE_FILENAMES",
    "CLIENT_IDS",
    "ARTIFACT_TAGS",
    "UPDATE_RUN_STATE",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
)
"""What the client may use of the wire; it leaves out whatever is not named."""

OLDEST_CLIENT = "0.19.0"
NEWEST_CLIENT = "99.0.0"
"""Clients use what is new in a release up to this one."""

NO_PAGE = {"startCursor": None, "endCursor": None, "hasNextPage": False, "hasPreviousPage": False}

Json = dict[str, Any]  # what fields below a type are read from


def connection(nodes: Sequence[Any], *, cursor: str | None = None, more: bool = False) -> Json:
    """One page of a list, as GraphQL clients page: edges with nodes, and where it goes on."""
    page = {**NO_PAGE, "endCursor": cursor, "hasNextPage": more}
    edges = [{"node": node, "cursor": cursor} for node in nodes]
    return {"edges": edges, "pageInfo": page, "totalCount": len(nodes)}


def entity_of(team_id: int, name: str) -> Json:
    """The fields of `Entity` for a team."""
    return {
        "id": ids.encode("Team", team_id),
        "name": name,
        "available": False,
        "photoUrl": None,
        "readOnly": False,
        "readOnlyAdmin": False,
        "isTeam": True,
        "entityType": "team",
        "privateOnly": False,
        "storageBytes": 0,
        "codeSavingEnabled": True,
        "defaultAccess": "PRIVATE",
        "isPaid": False,
        "members": [member_of(team_id, name)],
        "organization": None,
        "xxhashDigestsEnabled": False,
        "_team_id": team_id,
    }


def member_of(team_id: int, name: str) -> Json:
    """The one member that a team has as long as its keys are its people."""
    return {
        "id": ids.encode("User", team_id),
        "admin": True,
        "pending": False,
        "email": "",
        "username": name,
        "name": name,
        "photoUrl": None,
        "accountType": "USER",
        "apiKey": None,
        "role": "admin",
    }


def user_of(team_id: int, name: str, *, admin: bool = False) -> Json:
    """The fields of `User`: a person is a team's key, so its name is the team's."""
    return {
        "id": ids.encode("User", team_id),
        "name": name,
        "username": name,
        "email": "",
        "photoUrl": None,
        "admin": admin,
        "entity": name,
        "defaultEntity": entity_of(team_id, name),
        "flags": "{}",
        "deletedAt": None,
        "accountType": "USER",
        "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": entity_of(team_id, name)}]},
        "entities": {"edges": [{"node": entity_of(team_id, name)}]},
        "organizations": [],
        "_team_id": team_id,
    }


def user_of_key(tx: db.Transaction, principal: Principal) -> Json:
    """The key's holder; of its keys, the one that asks, by its first characters as clients know keys."""
    key = {
        "id": ids.encode("ApiKey", principal.key_id),
        "name": keys.prefix_of(tx, principal.key_id),
        "description": principal.key_name,
    }
    user = user_of(principal.team_id, principal.team_name, admin=principal.may("admin"))
    return {**user, "apiKeys": {"edges": [{"node": key}]}}


@FIELDS.answers("Query", "viewer")
def viewer(_source: None, context: Context) -> Json:
    """The key's holder, with every team that the key is good for."""
    with db.transaction() as tx:
        teams = keys.teams_reached(tx, context.principal.key_id)
        holder = user_of_key(tx, context.principal)
    edges = [{"node": entity_of(team.id, team.name)} for team in teams]
    return {**holder, "teams": {"edges": edges}, "entities": {"edges": edges}}


@FIELDS.answers("Query", "users")
def users(
    _source: None,
    context: Context,
    query: str | None = None,
    after: str | None = None,
) -> Json:
    """Those among the people that the key knows whose name or address is `query`."""
    with db.transaction() as tx:
        teams = keys.teams_reached(tx, context.principal.key_id)
        holder = user_of_key(tx, context.principal)
    found = [
        holder if team.id == context.principal.team_id else user_of(*team)
        for team in teams
        if query in (None, "", team.name)
    ]
    return connection(found if not after else [])


@FIELDS.answers("Query", "user")
def user(
    _source: None,
    context: Context,
    username: str | None = None,
    userName: str | None = None,  # noqa: N803  # the wire's
) -> Json | None:
    """The person of that name; None when the key does not know one."""
    wanted = username or userName or context.principal.team_name
    edges = users(None, context, wanted)["edges"]
    return edges[0]["node"] if edges else None


@FIELDS.answers("Query", "entity")
def entity(_source: None, context: Context, name: str | None = None) -> Json:
    """A team that the key reaches. Clients fail without an answer, so an unknown one is a name only."""
    wanted = name or context.principal.team_name
    if wanted == context.principal.team_name:
        return entity_of(context.principal.team_id, wanted)
    with db.transaction() as tx:
        team = keys.team_reached(tx, context.principal.key_id, wanted)
    if team is None:
        return {**entity_of(0, wanted), "available": True, "isTeam": False, "members": []}
    return entity_of(*team)


@FIELDS.answers("Query", "serverInfo")
def server_info(_source: None, _context: Context) -> Json:
    """What of the wire this server speaks. It never asks anyone to upgrade the client."""
    return {
        "cliVersionInfo": {"min_cli_version": OLDEST_CLIENT, "max_cli_version": NEWEST_CLIENT},
        "latestLocalVersionInfo": None,
        "features": [{"name": name, "isEnabled": True} for name in FEATURES],
    }


@FIELDS.answers("UpsertBucketPayload", "serverSettings")
def server_settings(_source: Json, _context: Context) -> Json:
    """There is nothing to tell the person who starts a run."""
    return {"serverMessages": []}
