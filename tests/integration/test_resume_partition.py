"""`runhue resume-partition` lets a stopped partition go on."""

from click.testing import CliRunner

from runhue_server.cli import server_commands
from runhue_shared import db
from runhue_shared.db import partitions
from runhue_shared.settings import Settings
from tests.builders import make_project, make_run, make_team


def test_a_stopped_partition_goes_on_once(server_settings: Settings) -> None:
    """The command clears the stop, and says so when there is none."""
    with db.transaction() as tx:
        part = make_run(tx, make_project(tx, make_team(tx))).part
        partitions.stop_partition(tx, part, "half of its batches were bad")

    answers = [CliRunner().invoke(server_commands, ["resume-partition", str(part)]).output for _ in range(2)]

    assert answers == [f"partition {part} goes on\n", f"partition {part} was not stopped\n"]
    with db.transaction() as tx:
        assert not partitions.is_stopped(tx, part)
