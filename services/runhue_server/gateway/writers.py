"""A client's session with a run: one writer, and how far each of the client's files is durable on it."""

import hashlib
import time
from typing import NamedTuple

import msgspec

from runhue_server.intake import starts
from runhue_server.intake.problems import RunDeleted
from runhue_shared import db
from runhue_shared.db import colors, wandb_writers, writers
from runhue_shared.db.keys import Principal
from runhue_shared.db.wandb_writers import WandbWriter
from runhue_shared.db.writers import StartedRun
from runhue_shared.events import StartWriter


class Marks(msgspec.Struct, omit_defaults=True):
    """What a writer's row keeps of a session.

    `history`, `events`, `output`: the number of the next line of the file that is not durable. `post`: digest
    of the last request that is durable whole. `time`: the latest `_timestamp` in its lines, Unix seconds.
    """

    history: int = 0
    events: int = 0
    output: int = 0
    post: str = ""
    time: float = 0.0
    preempting: bool = False
    complete: bool = False

    @property
    def are_fresh(self) -> bool:
        """Whether the session said nothing yet."""
        return not (self.history or self.events or self.output or self.post)


class Session(NamedTuple):
    """Where a post of a client goes; read afresh for each post, so that several gateways agree."""

    run_id: int
    team_id: int
    project_id: int
    part: int
    started_at: float
    writer_id: int
    next_seq: int
    marks: Marks


class Address(NamedTuple):
    """Which client of which run speaks; `client` is '' outside of shared mode."""

    project: str
    run: str
    client: str


_marks = msgspec.json.Decoder(Marks)


def marks_of(writer: WandbWriter) -> Marks:
    """How far the session of that writer is."""
    return _marks.decode(writer.marks or "{}")


def marks_text(marks: Marks) -> str:
    return msgspec.json.encode(marks).decode()


def find_session(tx: db.Transaction, sender: Principal, at: Address) -> Session | None:
    """The newest session of the client; None when the run is not there, or the client never began.

    Raises:
        RunDeleted: the run was deleted.
    """
    run = wandb_writers.run_named(tx, sender.team_id, at.project, at.run)
    if run is None:
        return None
    if run.deleted:
        raise RunDeleted
    writer = wandb_writers.newest_writer(tx, run.id, at.client)
    if writer is None:
        return None
    return Session(
        run.id,
        sender.team_id,
        run.project_id,
        run.part,
        run.started_at,
        writer.id,
        writer.durable_seq + 1,
        marks_of(writer),
    )


def begin_anew(tx: db.Transaction, sender: Principal, at: Address, before: Session | None) -> None:
    """A session for lines that came after the client had finished, or without a start of the run.

    Its marks go on from those of the session before, whose lines may still be sent again. The run is made
    when it is not there: lines must not wait for anything else the client has to say.
    """
    request = StartWriter(at.project, at.run, "", time.time())
    project_id = starts.made_project(tx, sender.team_id, at.project)
    run, _ = starts.find_or_make_run(tx, sender.team_id, project_id, request)
    found = find_session(tx, sender, at)
    if found is not None and (before is None or found.writer_id != before.writer_id):
        return  # another request was faster
    marks = Marks() if before is None else msgspec.structs.replace(before.marks, complete=False)
    add_session(tx, sender.team_id, project_id, run, at.client, marks)


def add_session(
    tx: db.Transaction, team_id: int, project_id: int, run: StartedRun, client: str, marks: Marks
) -> writers.Writer:
    """One more writer of the client, of a run locked by this transaction; watchers of the run are told."""
    number = wandb_writers.count_writers(tx, run.id, client) + 1
    name = hashlib.sha256(f"{run.id}\n{client}\n{number}".encode()).hexdigest()[:32]
    added = wandb_writers.add_session(tx, team_id, run, name, client, time.time(), marks_text(marks))
    writers.announce(tx, [run.id])
    colors.mark_runs(tx, project_id, [run.id])
    return added
