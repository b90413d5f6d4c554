"""`POST /files/{team}/{project}/{run}/file_stream`: what a run logs, durable before the answer.

The client drops everything after a 400, 401, 402, 403, 404, 409, 410, 413, 422 or 501, so those are said only
where no later request of this run could be taken.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runhue_server.gateway.context import Context
from runhue_server.gateway.lines import Post, Unreadable, post_of, unzip
from runhue_server.gateway.translate import Refusal, Translation, says_new_lines, unknown_files
from runhue_server.gateway.writers import Address, Session, begin_anew, find_session
from runhue_server.intake import liveness, start_rules
from runhue_server.intake.body import BodyReader
from runhue_server.intake.problems import (
    BodyTooLarge,
    ProjectForbidden,
    RunDeleted,
    SequenceGap,
    WriterNotFound,
)
from runhue_server.intake.starts import require_project
from runhue_server.storage import uploads
from runhue_server.web.problems import (
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
    as_problem,
    problem_response,
)
from runhue_shared import db
from runhue_shared.db import dead_letters, nested_keys, wandb_writers, writers
from runhue_shared.db.keys import Principal
from runhue_shared.events import LogBatch

if TYPE_CHECKING:
    from runhue_server.gateway.service import Gateway

PATH = "/files/{team}/{project}/{run}/file_stream"
CUTS = 8
"""A post is cut anew so often when others write to the same session; then the client is to come again."""

REMEMBERED_RUNS = 2048
FOR_GOOD = (Unauthenticated, Forbidden, ProjectForbidden, NotFound, Invalid, RunDeleted, BodyTooLarge)
"""What no later request could change: the key, the address, the run, or a body too large for any server."""

_log = structlog.get_logger(__name__)


class FileStreamRoute:
    """Answers the route; one object serves all requests of a gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._body = BodyReader(gateway.load, gateway.settings.max_body_bytes)
        self._nested: dict[int, set[str]] = {}

    async def post(self, request: Request) -> Response:
        try:
            stopped = await self._take(request)
        except Exception as error:  # noqa: BLE001  # every error has an answer, and few may be for good
            return problem_response(retryable(as_problem(error)))
        answer: dict[str, Any] = {"exitcode": None, "limits": {}}
        if stopped:
            answer["stopped"] = True
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def _take(self, request: Request) -> bool:
        """Make the request durable; whether the run is to stop."""
        self._gateway.load.require_database()
        context = await self._gateway.context(request)
        names = request.path_params
        sender = await self._run(_sender, context, names["team"], names["project"], names["run"])
        at = Address(names["project"], names["run"], context.client_id)
        self._body.check_declared(request.headers.get("content-length", ""))
        body = await self._body.read(request.receive)
        try:
            return await self._store(sender, at, body.content, request.headers, context.client)
        finally:
            self._gateway.load.release(len(body.content))

    async def _store(
        self, sender: Principal, at: Address, content: bytes, headers: Any, client: str
    ) -> bool:  # Starlette's headers
        try:
            post, digest = await self._run(self._read, content, headers.get("content-encoding", ""))
        except Unreadable as unreadable:
            # Sent again it would be no better, and refused it would cost the run all that follows.
            session = await self._run(_session_for, sender, at, Post())
            await self._run(_count, session, Counter({Refusal(unreadable.code, "body", str(unreadable)): 1}))
            return await self._hear(sender, session)
        for name in unknown_files(post):
            self._gateway.unknown.note_unknown("file_stream", "path", name, client)
        for _ in range(CUTS):
            session = await self._run(_session_for, sender, at, post)
            if post.is_heartbeat or session.marks.post == digest:
                return await self._hear(sender, session)
            try:
                return await self._submit(sender, session, post, digest)
            except (SequenceGap, WriterNotFound):
                continue  # another request of the run was faster: see what is durable now
        raise Unavailable("other requests write to the same run right now")

    def _read(self, content: bytes, encoding: str) -> tuple[Post, str]:
        if encoding.lower() in ("gzip", "x-gzip"):
            content = unzip(content, self._gateway.settings.max_body_bytes)
        return post_of(content), hashlib.blake2b(content, digest_size=12).hexdigest()

    async def _submit(self, sender: Principal, session: Session, post: Post, digest: str) -> bool:
        known = self._known_nested(session.run_id)
        now = time.time()
        translation = Translation(post, digest, session, known, self._gateway.settings, now)
        batches = translation.batches()
        stop = False
        try:
            while (cut := await self._run(_next_cut, batches)) is not None:
                await self._run(_keep_beside, session, post, translation)
                batch, marks = cut
                accepted = await self._gateway.submitter.submit(sender, session.writer_id, batch, marks)
                stop = accepted.stop
        except BaseException:
            self._nested.pop(session.run_id, None)  # what was found may not be stored
            raise
        await self._run(_keep_after, session, post, translation)
        return stop

    def _known_nested(self, run_id: int) -> set[str]:
        if len(self._nested) >= REMEMBERED_RUNS:
            self._nested.clear()
        return self._nested.setdefault(run_id, set())

    async def _hear(self, sender: Principal, session: Session) -> bool:
        """The client lives and has nothing new to say."""
        seen = await self._run(liveness.hear, sender, session.writer_id)
        if seen.state == "crashed" and not session.marks.complete:
            self._gateway.submitter.waker.wake(await self._run(liveness.revive, [seen.run_id]))
        return bool(seen.stop_requested)

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:  # any function's
        return await self._gateway.run(function, *arguments)


def retryable(problem: Problem) -> Problem:
    """The problem itself, when it is for good; else one that makes the client come again with the same."""
    if isinstance(problem, FOR_GOOD) or problem.status == 429:
        return problem
    if problem.status in (408, 500, 503):
        problem.retry_after = problem.retry_after or 1
        return problem
    _log.warning("post_not_taken", code=problem.code, detail=problem.detail)
    return Unavailable(problem.detail)


def routes(gateway: "Gateway") -> list[BaseRoute]:
    """The route, for the app."""
    return [Route(PATH, FileStreamRoute(gateway).post, methods=["POST"])]


def _sender(context: Context, team: str, project: str, run: str) -> Principal:
    """The key's holder as who may log to the run.

    Raises:
        Forbidden, ProjectForbidden, NotFound, Invalid: this key can never log there.
    """
    sender = context.in_team(team)
    if not sender.may("ingest"):
        raise Forbidden(
            f"key {sender.key_name!r} has scopes {sorted(sender.scopes)}, logging needs 'ingest'",
            field="scopes",
            fix="use a key with scope 'ingest'",
        )
    require_project(sender, project)
    start_rules.check_place(project, run)
    return sender


def _session_for(sender: Principal, at: Address, post: Post) -> Session:
    """The session that the post belongs to; one is begun when there is none that it could."""
    with db.transaction() as tx:
        session = find_session(tx, sender, at)
    if session is not None and not (session.marks.complete and says_new_lines(post, session.marks)):
        return session
    with db.transaction() as tx:
        begin_anew(tx, sender, at, session)
    with db.transaction() as tx:
        session = find_session(tx, sender, at)
    if session is None:
        raise Unavailable("the run was made just now and is not visible yet")
    return session


def _next_cut(batches: Iterator[tuple[LogBatch, str]]) -> tuple[LogBatch, str] | None:
    return next(batches, None)


def _keep_beside(session: Session, post: Post, translation: Translation) -> None:
    """Before its batch is durable: what is kept elsewhere, and would change nothing if kept twice."""
    nested, translation.nested = translation.nested, {}
    began, translation.started_at = translation.started_at, None
    if not (nested or began or post.preempting or post.complete):
        return
    with db.transaction() as tx:
        nested_keys.add(tx, session.team_id, session.run_id, nested)
        if began is not None:
            wandb_writers.started_earlier(tx, session.run_id, began)
        if post.preempting:
            wandb_writers.set_state(tx, session.run_id, "preempting", ["running"])
            writers.announce(tx, [session.run_id])
        if post.complete:
            wandb_writers.close_others(tx, session.run_id, session.writer_id)


def _keep_after(session: Session, post: Post, translation: Translation) -> None:
    """Once all is durable: what was refused, and uploads whose bytes are there."""
    try:
        _count(session, translation.refused)
        if post.uploaded:
            uploads.adopt(session.team_id, uploads.run_owner(session.run_id), post.uploaded)
    except (psycopg.Error, Problem, OSError) as error:
        _log.warning("not_kept_after_post", run=session.run_id, error=str(error))


def _count(session: Session, refused: Counter[Refusal]) -> None:
    if refused:
        with db.transaction() as tx:
            dead_letters.count_rejections(
                tx,
                [
                    dead_letters.Rejection(session.team_id, session.run_id, *refusal, count)
                    for refusal, count in sorted(refused.items())
                ],
            )
