"""A server that says yes to the wandb client and keeps nothing: what the client can do at most.

`python -m benchmarks.discarding_server PORT [FOLDER]`; with a folder it keeps the bodies of file_stream there.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ENTITY = {"id": "RW50aXR5OjE=", "name": "main"}


def bucket(variables: dict[str, str]) -> dict[str, object]:
    """What the client needs to know of the run it begins."""
    project = {"id": "UHJvamVjdDox", "name": variables.get("project") or "p3", "entity": ENTITY}
    return {"id": "UnVuOjE=", "name": variables["name"], "project": project, "historyLineCount": 0}


async def graphql(request: Request) -> Response:
    question = await request.json()
    if question.get("operationName") == "UpsertBucket":
        return JSONResponse(
            {"data": {"upsertBucket": {"bucket": bucket(question["variables"]), "inserted": True}}}
        )
    if question.get("operationName") == "CreateRunFiles":
        names = question["variables"]["files"]
        files = [{"name": name, "uploadUrl": f"{request.base_url}put"} for name in names]
        return JSONResponse(
            {"data": {"createRunFiles": {"runID": "UnVuOjE=", "uploadHeaders": [], "files": files}}}
        )
    return JSONResponse({"data": {"viewer": {**ENTITY, "entity": "main", "username": "main", "flags": "{}"}}})


async def put(request: Request) -> Response:
    await request.body()
    return Response()


class FileStream:
    """Keeps bodies in the order in which they came, when there is a folder to keep them in."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._count = 0

    async def post(self, request: Request) -> Response:
        body = await request.body()
        if self._folder is not None:
            (self._folder / f"{self._count:04d}.json").write_bytes(body)
            self._count += 1
        return JSONResponse({})


async def nothing(_request: Request) -> Response:
    return JSONResponse({}, 404)


def main() -> None:
    """Serve until killed."""
    port, *folder = sys.argv[1:]
    stream = FileStream(Path(folder[0]) if folder else None)
    app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["POST"]),
            Route("/files/{team}/{project}/{run}/file_stream", stream.post, methods=["POST"]),
            Route("/put", put, methods=["PUT"]),
            Route("/ready", put),
            Route("/{path:path}", nothing, methods=["GET", "POST", "PUT"]),
        ]
    )
    uvicorn.run(app, port=int(port), log_level="critical", loop="uvloop", http="httptools")


if __name__ == "__main__":
    main()
