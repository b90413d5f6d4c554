"""Files of runs, as the wandb client puts, lists, fetches and deletes them."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote

from starlette.routing import BaseRoute

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.service import Gateway
from runhue_server.storage import tokens, uploads
from runhue_server.storage.file_names import tame_path, type_of
from runhue_server.storage.named_files import run_number, take_over_uploads
from runhue_server.storage.problems import store_answers
from runhue_server.storage.routes import file_routes, storage_routes
from runhue_server.storage.targets import RunFileAt
from runhue_server.storage.uploads import Upload, run_owner
from runhue_server.web.problems import Forbidden, Invalid
from runhue_shared import db
from runhue_shared.db import keys, run_files
from runhue_shared.db.run_files import RunFile, RunNames

FIELDS = Fields("files")

MAX_FILES = 10_000
PAGE = 50
MAX_PAGE = 5_000
NO_MD5 = "0"
"""By this the client knows that a file it asked for by name is not there."""

Json = dict[str, Any]  # what fields below a type are read from


def routes(_gateway: Gateway) -> list[BaseRoute]:
    """Where bytes go in and out."""
    return [*storage_routes(), *file_routes()]


@FIELDS.answers("Mutation", "createRunFiles")
def create_run_files(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002
    """Addresses to put files at, one for each name, in the order of the names.

    Raises:
        NotFound: there is no such run.
        Invalid: more than `MAX_FILES` names.
    """
    run_id, team_id, names = _named(context, input)
    return {
        "runID": ids.encode("Run", run_id),
        "uploadHeaders": [],
        "files": [
            {"name": name, "uploadUrl": address, "uploadHeaders": []}
            for name, address in zip(names, _put_addresses(context, team_id, run_id, names), strict=True)
        ],
    }


def _put_addresses(context: Context, team_id: int, run_id: int, names: Sequence[str]) -> list[str]:
    paths = [tame_path(name) for name in names]
    wanted = [Upload(run_owner(run_id), path, RunFileAt(run_id, path, type_of(path))) for path in paths]
    with store_answers():
        return uploads.addresses(team_id, wanted, context.base_url)


@FIELDS.answers("Mutation", "markRunFilesUploaded")
def mark_run_files_uploaded(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002
    """Take over what the client put straight at the object store; anything else is known already."""
    run_id, team_id, names = _named(context, input)
    take_over_uploads(team_id, run_id, names)
    return {"success": True}


@FIELDS.answers("Mutation", "deleteFiles")
def delete_files(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002
    """Take files from their runs; those that are not there, or not the key's, stay out of it."""
    texts = (input or {}).get("files") or []
    numbers = [number for text in texts if (number := ids.decode("File", text)) is not None]
    principal = context.principal
    with db.transaction() as tx:
        teams = [team.id for team in keys.teams_reached(tx, principal.key_id)]
        run_files.remove_numbered(tx, teams, numbers, principal.project_id)
    return {"success": True}


@FIELDS.answers("Run", "fileCount")
def file_count(source: Json, _context: Context) -> int:
    """How many files the run has."""
    with db.transaction() as tx:
        return run_files.count(tx, _number(source))


@FIELDS.answers("Run", "files")
def files(
    source: Json,
    context: Context,
    names: list[str] | None = None,
    pattern: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Json:
    """A page of a run's files: those named, in that order, or those that fit an SQL pattern, by their paths.

    A named file that is not there has the MD5 `NO_MD5` and no time, as the client expects it.
    """
    run_id = _number(source)
    limit = min(PAGE if first is None else max(first, 0), MAX_PAGE)
    with db.transaction() as tx:
        run = run_files.names_of_run(tx, run_id)
    take_over_uploads(run.team_id, run_id, names or None)
    if names:
        return _named_files(context, run, names, limit, after)
    place = _place(after)
    with db.transaction() as tx:
        found = run_files.page(tx, run_id, limit + 1, place, like=_like(pattern))
        total = run_files.count(tx, run_id)
    edges = [{"node": _node(context, run, file), "cursor": _cursor(file.path)} for file in found[:limit]]
    return _page(edges, total, more=len(found) > limit)


def _named_files(context: Context, run: RunNames, names: list[str], limit: int, after: str | None) -> Json:
    place = _place(after)
    start = int(place) if place.isdecimal() else 0
    asked = names[start : start + limit]
    paths = [tame_path(name) for name in asked]
    with db.transaction() as tx:
        stored = {file.path: file for file in run_files.page(tx, run.id, len(paths), names=paths)}
    edges = []
    for number, (name, path) in enumerate(zip(asked, paths, strict=True), start + 1):
        file = stored.get(path)
        node = _missing(context, run, name) if file is None else _node(context, run, file)
        edges.append({"node": node, "cursor": _cursor(str(number))})
    return _page(edges, len(names), more=start + len(asked) < len(names))


def _like(pattern: str | None) -> str | None:
    """The pattern for the database, to which a lone backslash at the end is itself."""
    if not pattern:
        return None
    lone = (len(pattern) - len(pattern.rstrip("\\"))) % 2
    return pattern.replace("\0", "\ufffd") + "\\" * lone


def _page(edges: list[Json], total: int, *, more: bool) -> Json:
    end = edges[-1]["cursor"] if edges else None
    return {
        "edges": edges,
        "pageInfo": {"endCursor": end, "hasNextPage": more, "startCursor": None, "hasPreviousPage": False},
        "totalCount": total,
        "uploadHeaders": [],
    }


@FIELDS.answers("File", "url")
def url(source: Json, context: Context, upload: bool | None = None) -> str | None:  # the schema's
    """Where the file is read; with `upload` where it can be put, for keys that may.

    Raises:
        Forbidden: the key may not put files.
    """
    if not upload or "run" not in source:
        address: str | None = source.get("url")
        return address
    if not context.principal.may("ingest"):
        raise Forbidden("putting files needs a key with scope 'ingest'", field="scopes")
    run: RunNames = source["run"]
    return _put_addresses(context, run.team_id, run.id, [source["name"]])[0]


def _node(context: Context, run: RunNames, file: RunFile) -> Json:
    path = tokens.get_path(run.team_id, file.sha256, file.size, file.path, file.mimetype)
    return {
        **_missing(context, run, file.path),
        "id": ids.encode("File", file.id),
        "directUrl": context.base_url + path,
        "sizeBytes": str(file.size),
        "mimetype": file.mimetype,
        "md5": base64.b64encode(file.md5).decode(),
        "updatedAt": file.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _missing(context: Context, run: RunNames, name: str) -> Json:
    address = "/".join(quote(part, safe="") for part in (run.team, run.project, run.public_id))
    return {
        "run": run,
        "id": None,
        "name": name,
        "url": f"{context.base_url}/files/{address}/{quote(name)}",
        "directUrl": None,
        "uploadHeaders": [],
        "sizeBytes": "0",
        "mimetype": None,
        "md5": NO_MD5,
        "updatedAt": None,
    }


def _named(context: Context, input_: Json | None) -> tuple[int, int, list[str]]:
    given = input_ or {}
    names = [str(name) for name in given.get("files") or []]
    if len(names) > MAX_FILES:
        raise Invalid(
            f"{len(names)} files at once", field="files", limit=MAX_FILES, fix="ask in several requests"
        )
    project, run = str(given.get("projectName") or ""), str(given.get("runName") or "")
    return *run_number(context.principal, given.get("entityName"), project, run), names


def _number(source: Json) -> int:
    number = ids.decode("Run", source.get("id"))
    if number is None:
        raise Invalid("the run has no id", field="id")
    return number


def _cursor(place: str) -> str:
    return base64.b64encode(place.encode()).decode()


def _place(cursor: str | None) -> str:
    """Raises Invalid: the cursor is none that this server made."""
    try:
        place = base64.b64decode(cursor or "", validate=True).decode()
    except (binascii.Error, ValueError):
        place = "\0"
    if "\0" in place:
        raise Invalid("after is no cursor of this list", field="after", fix="leave it out to begin again")
    return place
