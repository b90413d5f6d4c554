"""Real clients go on with runs: resume in all modes, the same id again, fork and rewind."""

import json

import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.acceptance.wandb.test_logging import rows_of, settled
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

LOG = """
import json, sys, wandb
project, told, values = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
run = wandb.init(project=project, **told)
print(json.dumps({"id": run.id, "config": dict(run.config), "resumed": run.resumed}))
for value in values:
    run.log({"v": value, "nan": float("nan")})
print("console of", values)
run.finish()
"""


def log(client: WandbClient, project: str, values: list[int], **told: object) -> dict[str, object]:
    """A process of its own that logs; what it found at its start."""
    done = client.run(LOG, project, json.dumps(told), json.dumps(values))
    found: dict[str, object] = json.loads(done.stdout.splitlines()[0])
    return found


def values_of(doors: Doors, project: str, run: str) -> list[tuple[object, object]]:
    settled(doors, project, run)
    return [(row["_step"], row["v"]) for row in rows_of(doors, project, run)]


def test_a_run_is_resumed(client: WandbClient, doors: Doors, project: str) -> None:
    """Steps go on where they ended, config and console are added to; `allow` and `must` both find the run."""
    log(client, project, [0, 1, 2], id="r1", config={"a": 1})
    second = log(client, project, [10, 11], id="r1", resume="must", config={"b": 2})
    log(client, project, [20], id="r1", resume="allow")

    assert second["resumed"] is True
    assert second["config"] == {"a": 1, "b": 2}
    assert values_of(doors, project, "r1") == [(0, 0), (1, 1), (2, 2), (3, 10), (4, 11), (5, 20)]
    base = f"/api/v1/projects/{doors.team}/{project}/runs/r1"
    console = [line["text"] for line in doors.http.get(f"{base}/console").json()["lines"]]
    assert [line for line in console if line.startswith("console of")] == [
        "console of [0, 1, 2]",
        "console of [10, 11]",
        "console of [20]",
    ]


def test_a_run_that_may_not_be_resumed_is_left_alone(client: WandbClient, doors: Doors, project: str) -> None:
    """`never` on a run that is there and `must` on one that is not end the script; nothing is logged."""
    log(client, project, [0], id="r1")
    for told in ({"id": "r1", "resume": "never"}, {"id": "missing", "resume": "must"}):
        done = client.run(LOG, project, json.dumps(told), "[5]", check=False)
        assert done.exit_code != 0

    assert values_of(doors, project, "r1") == [(0, 0)]
    names = doors.http.get(f"/api/v1/projects/{doors.team}/{project}/runs").json()["runs"]
    assert [run["id"] for run in names] == ["r1"]


def test_an_id_that_is_used_again_deletes_nothing(client: WandbClient, doors: Doors, project: str) -> None:
    """Without resume the client counts from 0 again: its rows win at their steps, the others stay."""
    log(client, project, [0, 1, 2], id="r1")
    log(client, project, [10], id="r1")

    assert values_of(doors, project, "r1") == [(0, 10), (1, 1), (2, 2)]


def test_a_run_is_forked(client: WandbClient, doors: Doors, project: str) -> None:
    """A fork begins with its parent's rows up to the step; the parent stays as it is."""
    log(client, project, [0, 1, 2, 3], id="r1")
    fork = str(log(client, project, [10], fork_from="r1?_step=2")["id"])

    assert values_of(doors, project, fork) == [(0, 0), (1, 1), (2, 2), (3, 10)]
    assert len(values_of(doors, project, "r1")) == 4


def test_a_run_is_rewound(client: WandbClient, doors: Doors, project: str) -> None:
    """Rows after the step are taken back, and the run goes on from there."""
    log(client, project, [0, 1, 2, 3], id="r1")
    log(client, project, [10, 11], resume_from="r1?_step=1")

    assert values_of(doors, project, "r1") == [(0, 0), (1, 1), (2, 10), (3, 11)]
