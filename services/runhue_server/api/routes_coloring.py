"""The colors of a workspace's runs, one version at a time."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from runhue_server.api.answers import Streamed, answer, encode, from_thread
from runhue_server.api.coloring_answers import (
    head_answer,
    legend_answer,
    next_place,
    place_after,
    run_color_answer,
)
from runhue_server.api.coloring_refusals import VersionIsGone, matches
from runhue_server.api.documents import Responses, errors
from runhue_server.api.exporting import export_slot
from runhue_server.api.models_coloring import Coloring, Legend
from runhue_server.api.parameters import IfNoneMatch, Names, names_in
from runhue_server.api.resources import Reader, WorkspaceId, workspace_of
from runhue_shared import db
from runhue_shared.coloring.palettes import Theme
from runhue_shared.db import exports
from runhue_shared.db.colorings import ColoringHead, ColoringPage, VersionGone, coloring_head, read_coloring

router = APIRouter(prefix="/api/v1/workspaces/{workspace}/coloring", tags=["colors"])

MAX_RUNS = 10_000
EXPORT_ROWS = 5_000
NDJSON = "application/x-ndjson"

ThemeName = Annotated[Theme, Query(description="which of the two colors `color` is")]
Version = Annotated[int | None, Query(ge=0, lt=2**63, description="a version that is still stored")]


def coloring_responses() -> Responses:
    """What `GET .../coloring` answers."""
    return {
        200: {"description": "one version", "content": {NDJSON: {}}},
        304: {"description": "the client holds this version"},
        **errors(404, 410),
    }


@router.get("", response_model=Coloring, responses=coloring_responses(), summary="Runs and their colors")
def read_colors(
    request: Request,
    principal: Reader,
    workspace: WorkspaceId,
    theme: ThemeName = "light",
    limit: Annotated[int, Query(ge=1, le=MAX_RUNS, description="runs a page")] = 1_000,
    after: Annotated[str | None, Query(description="`next` of the page before", max_length=100)] = None,
    version: Version = None,
    run_names: Annotated[Names, Query(alias="runs", description="only these runs")] = None,
    if_none_match: IfNoneMatch = None,
    accept: Annotated[str, Header(description=f"{NDJSON} exports all runs")] = "",
) -> Response:
    wanted, place = place_after(after, version)
    names = names_in(run_names, "runs", MAX_RUNS)
    noted = partial(request.app.state.readers.note, workspace)
    with db.transaction() as tx:
        workspace_of(tx, principal, workspace)
        head = coloring_head(tx, workspace)
        if wanted in (None, head.version) and matches(if_none_match, head.etag):
            return _not_modified(head, noted)
        if NDJSON not in accept:
            page = _page(lambda: read_coloring(tx, workspace, wanted, place, limit, names))
            runs = [run_color_answer(run, theme) for run in page.runs]
            content = {**head_answer(page, theme), "runs": runs, "next": next_place(page)}
            return answer(content, headers=_headers(page.head), then=noted)
        first = _page(lambda: read_coloring(tx, workspace, wanted, None, 1))
    return _export(workspace, first.head, theme)


@router.get(
    "/legend", response_model=Legend, responses=coloring_responses(), summary="The legend without runs"
)
def read_legend(
    request: Request,
    principal: Reader,
    workspace: WorkspaceId,
    theme: ThemeName = "light",
    version: Version = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    noted = partial(request.app.state.readers.note, workspace)
    with db.transaction() as tx:
        workspace_of(tx, principal, workspace)
        head = coloring_head(tx, workspace)
        if version in (None, head.version) and matches(if_none_match, head.etag):
            return _not_modified(head, noted)
        page = _page(lambda: read_coloring(tx, workspace, version, None, 1))
    return answer(legend_answer(page, theme), headers=_headers(page.head), then=noted)


def _headers(head: ColoringHead) -> dict[str, str]:
    return {"ETag": head.etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def _not_modified(head: ColoringHead, noted: Callable[[], None]) -> Response:
    return Response(status_code=304, headers=_headers(head), background=BackgroundTask(noted))


def _page(read: Callable[[], ColoringPage]) -> ColoringPage:
    try:
        return read()
    except VersionGone as gone:
        raise VersionIsGone(
            str(gone),
            field="version",
            fix="read again without version and after",
            current_version=gone.current_version,
        ) from gone


def _export(workspace: int, head: ColoringHead, theme: Theme) -> Response:
    release = export_slot()
    parts = from_thread(_lines(workspace, head.version, theme))
    return Streamed(parts, NDJSON, _headers(head), closed=release)


def _lines(workspace: int, version: int, theme: Theme) -> Generator[bytes, None, None]:
    """The head of the version, then one run a line, all of one moment."""
    with db.snapshot() as tx:
        exports.bound_idle(tx)
        page = read_coloring(tx, workspace, version, None, EXPORT_ROWS)
        yield encode(head_answer(page, theme)) + b"\n"
        while True:
            yield b"".join(encode(run_color_answer(run, theme)) + b"\n" for run in page.runs)
            if page.next is None:
                return
            page = read_coloring(tx, workspace, version, page.next, EXPORT_ROWS)
