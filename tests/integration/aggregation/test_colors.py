"""Colors follow what clients say beyond rows."""

from typing import Any

import pytest

from runhue_shared import db
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import recolor
from runhue_shared.db.colorings import read_coloring
from runhue_shared.db.workspaces import create_workspace
from runhue_shared.events import Rewind, SummarySeen
from runhue_shared.settings import Settings
from tests.builders import Run, batch_of, make_project, make_run, make_team
from tests.integration.aggregation.folding import folded, make_client, rows_of


@pytest.fixture
def run(server_settings: Settings) -> Run:
    """A run with two writers of one client."""
    with db.transaction() as tx:
        made = make_run(tx, make_project(tx, make_team(tx)), writers=2)
    make_client(made, 1)
    make_client(made, 2)
    return made


def color_value(workspace: int) -> Any:
    """What the run is colored by, after a look at whatever is marked."""
    with db.transaction() as tx:
        recolor.flush_scales(tx, [number for (number,) in rows_of("SELECT id FROM scale")])
        return read_coloring(tx, workspace).runs[0].value


def workspace_by(run: Run, metric: str) -> int:
    settings = parse_settings({"key": {"source": "metric", "name": metric}})
    with db.transaction() as tx:
        return create_workspace(tx, run.project_id, metric, settings=settings)


def test_colors_follow_summaries_and_rewinds(run: Run) -> None:
    """A value that only a client's summary has colors the run; a rewind takes it and later points back."""
    by_loss, by_best = workspace_by(run, "loss"), workspace_by(run, "best")
    folded(run, batch_of([(0, {"loss": 1.0}), (5, {"loss": 5.0})]))
    assert (color_value(by_loss), color_value(by_best)) == (5.0, None)

    folded(run, batch_of(seq_lo=2, summary_seen=[SummarySeen(2, {"best": 0.1, "_step": 5})]))
    assert (color_value(by_loss), color_value(by_best)) == (5.0, 0.1)

    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)
    assert (color_value(by_loss), color_value(by_best)) == (1.0, None)
