"""Signs of life: heartbeats, and runs that speak again after they were thought crashed."""

from collections.abc import Collection

from runhue_server.intake.problems import RunDeleted, WriterNotFound
from runhue_shared import db
from runhue_shared.db import colors, writers
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import SeenWriter
from runhue_shared.messages import Message, OutboxFilled, ScalesDirty


def revive(run_ids: Collection[int]) -> list[Message]:
    """Those of the runs that are crashed are running again; returns whom to wake.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    with db.transaction() as tx:
        back = writers.revive(tx, sorted(run_ids))
        writers.announce(tx, [run.id for run in back])
        for run in back:
            colors.mark_runs(tx, run.project_id, [run.id])
    return [OutboxFilled(), ScalesDirty()] if back else []


def hear(sender: Principal, writer_id: int) -> SeenWriter:
    """Note that a writer lives and has nothing to say.

    Raises:
        WriterNotFound: the key reaches no such writer.
        RunDeleted: its run is gone.
        psycopg.OperationalError: the database is away.
    """
    with db.transaction() as tx:
        seen = writers.mark_seen(tx, sender.team_id, writer_id, sender.project_id)
    if seen is None:
        raise WriterNotFound(writer_id)
    if seen.deleted:
        raise RunDeleted
    return seen
