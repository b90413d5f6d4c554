"""`upsertBucket`: a run begins, or what is told of it changes. Done before the answer: lines come at once.

A run id that was used before, without resume, goes on with the same run: nothing a script does by accident
deletes what another logged. Rows merge by step, and a session's own marks tell its lines from earlier ones.
"""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from runhue_server.gateway import fork, ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.projects import project_of
from runhue_server.gateway.run_config import (
    BranchPoint,
    Said,
    branch_point,
    config_of,
    definitions,
    media_settings,
    merged_own,
)
from runhue_server.gateway.run_fields import run_nodes
from runhue_server.gateway.writers import Marks, add_session, marks_of
from runhue_server.intake import start_rules, starts
from runhue_server.intake.problems import RunDeleted, RunNotFound
from runhue_server.intake.starts import require_project
from runhue_server.web.problems import Forbidden, Invalid, NotFound, Unavailable
from runhue_shared import db
from runhue_shared.db import (
    colors,
    console,
    dead_letters,
    documents,
    projects,
    run_clients,
    runs,
    wandb_writers,
    writers,
)
from runhue_shared.db import (
    media_settings as stored_settings,
)
from runhue_shared.db.console import DefinitionRow
from runhue_shared.db.keys import Principal
from runhue_shared.db.run_clients import RunClient
from runhue_shared.db.run_documents import EditRefused
from runhue_shared.db.writers import StartedRun
from runhue_shared.events import StartWriter, flatten
from runhue_shared.messages import OutboxFilled, ScalesDirty
from runhue_shared.series.values import json_text

FIELDS = Fields("upsert")

Json = dict[str, Any]  # what GraphQL gives and takes

STATES = ("pending", "running", "preempting", "preempted", "finished", "failed", "crashed", "killed")


class Upsert(msgspec.Struct, rename="camel"):
    """The mutation's input; None leaves a thing as it is. `config` and `summary_metrics` are JSON."""

    id: str | None = None
    name: str | None = None
    model_name: str | None = None
    entity_name: str | None = None
    group_name: str | None = None
    description: str | None = None
    display_name: str | None = None
    notes: str | None = None
    commit: str | None = None
    config: str | None = None
    host: str | None = None
    job_program: str | None = None
    job_repo: str | None = None
    job_type: str | None = None
    state: str | None = None
    sweep: str | None = None
    tags: list[str] | None = None
    summary_metrics: str | None = None
    client_mutation_id: str | None = None

    @property
    def begins_session(self) -> bool:
        """Whether a process begins: only then it tells of its machine and program."""
        return any(text is not None for text in (self.host, self.job_program, self.job_repo, self.commit))


class _Place(NamedTuple):
    """A run that may be changed, locked by the transaction; `edits`: by its id, through the public API."""

    sender: Principal
    project_id: int
    project: str
    run: StartedRun
    public_id: str
    is_new: bool
    edits: bool


@FIELDS.answers("Mutation", "upsertBucket")
def upsert_bucket(
    _source: object,
    context: Context,
    input: Json | None = None,  # noqa: A002  # as the schema names it
) -> Json:
    """Make or change the run; answers it as it is then.

    Raises:
        Invalid, NotFound, Forbidden, RunDeleted: shown to the user; the client gives up.
    """
    said = _decoded(input or {})
    config = None if said.config is None else config_of(said.config)
    with db.transaction() as tx:
        place = _edited_run(tx, context, said) or _run_of_session(tx, context, said)
        origin = _origin(place, config)
        if origin is not None and place.is_new:
            fork.begin(tx, place.sender.team_id, place.project_id, place.run, origin)
        _change(tx, place, said, config, context)
    context.submitter.waker.wake([OutboxFilled(), ScalesDirty()])
    if origin is not None:
        fork.go_on(context, place.sender, place.project, place.run.id, origin)
    return {
        "bucket": bucket_of(place.sender, place.project, place.public_id),
        "inserted": place.is_new,
        "clientMutationId": said.client_mutation_id,
    }


def bucket_of(sender: Principal, project_name: str, public_id: str) -> Json:
    """The fields of `Run`.

    Raises:
        NotFound: the run is not there.
    """
    with db.snapshot() as tx:
        project = projects.project_named(tx, sender.team_id, project_name)
        run = None if project is None else runs.run_named(tx, project.id, public_id)
    if project is None or run is None:
        raise NotFound(f"there is no run {public_id!r} in project {project_name!r}", field="name")
    return run_nodes(project_of(sender, project), [run])[0]


def _decoded(said: Mapping[str, Any]) -> Upsert:
    tags = said.get("tags")
    told: Json = {key: value for key, value in said.items() if key != "tags" and isinstance(value, str)}
    if isinstance(tags, list):
        told["tags"] = [tag for tag in tags if isinstance(tag, str)]
    return msgspec.convert(told, Upsert)


def require_logging(sender: Principal, project: str) -> None:
    """Raises Forbidden, ProjectForbidden: the key may not log to the project."""
    if not sender.may("ingest"):
        raise Forbidden(
            f"key {sender.key_name!r} may not log", field="scopes", fix="use a key with scope 'ingest'"
        )
    require_project(sender, project)


def _edited_run(tx: db.Transaction, context: Context, said: Upsert) -> _Place | None:
    """The run that is named by its id; None when it is named otherwise."""
    if said.id is None or (number := ids.decode("Run", said.id)) is None:
        if said.id and not said.name:
            raise NotFound(f"there is no run with the id {said.id[:80]!r}", field="id")
        return None
    placed = wandb_writers.run_numbered(tx, number)
    if placed is None:
        raise NotFound(f"there is no run with the id {said.id!r}: it was deleted", field="id")
    sender = context.in_team(placed.team)
    require_logging(sender, placed.project)
    run = writers.lock_run(tx, placed.project_id, placed.public_id)
    if run is None or run.deleted:
        raise RunDeleted
    start_rules.check_attributes(_start(said, placed.project, placed.public_id))
    return _Place(sender, placed.project_id, placed.project, run, placed.public_id, is_new=False, edits=True)


def _run_of_session(tx: db.Transaction, context: Context, said: Upsert) -> _Place:
    if not said.name:
        raise Invalid("the run has no name", field="name", fix="send the run's id as name")
    sender = context.in_team(said.entity_name)
    project = said.model_name or "uncategorized"
    require_logging(sender, project)
    request = _start(said, project, said.name)
    start_rules.check_place(project, said.name)
    start_rules.check_attributes(request)
    try:
        project_id = starts.made_project(tx, sender.team_id, project)
        run, is_new = starts.find_or_make_run(tx, sender.team_id, project_id, request)
    except RunNotFound as error:
        raise Unavailable(error.detail) from error
    return _Place(sender, project_id, project, run, said.name, is_new, edits=False)


def _start(said: Upsert, project: str, run: str) -> StartWriter:
    return StartWriter(
        project,
        run,
        "",
        time.time(),
        name=said.display_name or None,
        notes=said.notes,
        tags=said.tags or [],
        group=said.group_name or None,
        job_type=said.job_type or None,
    )


def _change(tx: db.Transaction, place: _Place, said: Upsert, config: Said | None, context: Context) -> None:
    run_id, team_id = place.run.id, place.sender.team_id
    if not place.is_new:
        _change_attributes(tx, run_id, said)
    if not place.edits:
        _begin(tx, place, said, context.client_id)
    username = context.headers.get("x-wandb-username") if place.is_new else None
    run_clients.tell(tx, team_id, run_id, _told(said, username or None))
    if config is not None:
        _change_config(tx, place, config.values)
        _change_own(tx, team_id, run_id, config.own)
    if said.summary_metrics is not None:
        _change_summary(tx, run_id, said.summary_metrics)
    if said.state in STATES:
        wandb_writers.set_state(tx, run_id, said.state, STATES)
    if not place.is_new:
        colors.mark_runs(tx, place.project_id, [run_id])
        writers.announce(tx, [run_id])


def _origin(place: _Place, config: Said | None) -> BranchPoint | None:
    """Where the run was forked from; a run that names itself was rewound."""
    origin = None if config is None or place.edits else branch_point(config.own)
    return None if origin is None or origin.run == place.public_id else origin


def _told(said: Upsert, username: str | None) -> RunClient:
    return RunClient(
        username, said.host, said.job_program, said.job_repo, said.commit, said.sweep, said.description
    )


def _change_attributes(tx: db.Transaction, run_id: int, said: Upsert) -> None:
    told = {
        "name": said.display_name or None,
        "notes": said.notes,
        "tags": None if said.tags is None else list(dict.fromkeys(said.tags)),
        "group": said.group_name,
        "job_type": said.job_type,
    }
    changes = {field: value for field, value in told.items() if value is not None}
    if changes:
        documents.edit_attributes(tx, run_id, changes)


def _begin(tx: db.Transaction, place: _Place, said: Upsert, client: str) -> None:
    """A session, when a process begins. One that said nothing yet is the same, asked for again."""
    newest = wandb_writers.newest_writer(tx, place.run.id, client)
    begins = place.is_new or said.begins_session or newest is None
    if not begins:
        return
    if newest is None or not marks_of(newest).are_fresh or newest.durable_seq >= 0:
        add_session(tx, place.sender.team_id, place.project_id, place.run, client, Marks())
    elif place.run.state != "running":
        wandb_writers.set_state(tx, place.run.id, "running", STATES)


def _change_config(tx: db.Transaction, place: _Place, values: dict[str, Any]) -> None:
    """Set what differs. Who edits by the run's id sends the whole config, and what is not in it goes.

    What is refused must not end a training: it is counted, and the rest is kept. Who edits is told.
    """
    text, _ = runs.documents_of_run(tx, place.run.id)
    held = (
        msgspec.json.decode(text) if "NaN" not in text and "Infinity" not in text else config_of(text).values
    )
    changed = {key: value for key, value in values.items() if key not in held or not _same(held[key], value)}
    removed = [key for key in held if key not in values] if place.edits else []
    while changed or removed:
        try:
            documents.edit_config(tx, place.run.id, changed, removed)
        except EditRefused as refused:
            if place.edits:
                raise Invalid(
                    str(refused), field=refused.field, limit=refused.limit, fix=refused.fix
                ) from refused
            del changed[_refused_key(changed, refused.field)]
            _count(tx, place, refused)
            continue
        colors.mark_configs(tx, [place.run.id])
        return


def _same(one: Any, other: Any) -> bool:  # JSON
    return json_text(one) == json_text(other)


def _refused_key(values: Mapping[str, Any], field: str) -> str:
    """Of the values the one that was refused; the largest when all together are too large."""
    for key, value in values.items():
        if key == field or field in flatten({key: value}):
            return key
    return max(values, key=lambda key: len(json_text(values[key])))


def _count(tx: db.Transaction, place: _Place, refused: EditRefused) -> None:
    rejection = dead_letters.Rejection(
        place.sender.team_id, place.run.id, refused.code, refused.field, str(refused), 1
    )
    dead_letters.count_rejections(tx, [rejection])


def _change_own(tx: db.Transaction, team_id: int, run_id: int, own: Json) -> None:
    """What the client keeps in the config for itself, and what of it says how to show the run."""
    if not own:
        return
    held = run_clients.wandb_config(tx, run_id)
    merged = merged_own(held, own)
    if _same(held, merged):
        return
    run_clients.set_wandb_config(tx, team_id, run_id, merged)
    defined = definitions(own)
    if defined and defined != definitions(held):
        ord_ = wandb_writers.later_ord(tx, run_id)
        console.define_metrics(
            tx,
            [
                DefinitionRow(team_id, run_id, one.name, ord_, one.text)
                for one in defined
                if "\0" not in one.name
            ],
        )
    stored_settings.set_media(tx, team_id, run_id, list(media_settings(own)))


def _change_summary(tx: db.Transaction, run_id: int, text: str) -> None:
    values = config_of(text)
    try:
        pairs = documents.replace_client_summary(tx, run_id, values.values)
    except EditRefused as refused:
        raise Invalid(str(refused), field=refused.field, limit=refused.limit, fix=refused.fix) from refused
    colors.mark_metrics(tx, pairs)
