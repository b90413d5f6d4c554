"""Real clients log in, look at who they are, and list and make projects."""

import json
from collections.abc import Callable

import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.wandb_clients import OLDEST, WandbClient

pytestmark = pytest.mark.stack

LOG_IN = """
import wandb
print(wandb.login(verify=True))
"""

LOOK_AROUND = """
import json, sys, wandb
team, name = sys.argv[1:]
api = wandb.Api()
api.create_project(name, team)
api.create_project(name, team)
viewer = api.viewer
print(json.dumps({
    "default_entity": api.default_entity,
    "username": viewer.username,
    "teams": viewer.teams,
    "api_keys": len(viewer.api_keys),
    "projects": [project.name for project in api.projects(team)],
    "path": api.project(name, team).path,
    "id": bool(api.project(name, team).id),
    "team": api.team(team).name,
    "members": [member.username for member in api.team(team).members],
    "user": api.user(team).username,
    "nobody": api.user("nobody"),
    "sweeps": len(api.project(name, team).sweeps()),
}))
"""

LIST_NOTHING = """
import wandb
try:
    print([project.name for project in wandb.Api().projects("nobody")])
except Exception as error:
    print(type(error).__name__, error)
"""


LEGACY_RUN = """
import sys, wandb
with wandb.init(project=sys.argv[1], id="legacy") as run:
    run.log({"loss": 0.5})
print(wandb.Api().run(f"{sys.argv[1]}/legacy").state)
"""


def test_login_is_verified(client: WandbClient) -> None:
    """`wandb.login(verify=True)` succeeds with a good key."""
    assert "True" in client.run(LOG_IN).stdout


def test_login_with_a_bad_key_fails_at_once(client: WandbClient) -> None:
    """A key that the server does not know is refused, without minutes of attempts."""
    finished = client.run(LOG_IN, check=False, WANDB_API_KEY="0" * 40)

    assert finished.exit_code != 0
    assert "True" not in finished.stdout


def test_public_api_looks_around(client: WandbClient, doors: Doors, project: str) -> None:
    """Viewer, teams, people and projects read as the client's own server would have them."""
    found = json.loads(client.run(LOOK_AROUND, doors.team, project).stdout)

    assert project in found.pop("projects")
    assert found == {
        "default_entity": doors.team,
        "username": doors.team,
        "teams": [doors.team],
        "api_keys": 1,
        "path": [doors.team, project],
        "id": True,
        "team": doors.team,
        "members": [doors.team],
        "user": doors.team,
        "nobody": None,
        "sweeps": 0,
    }


def test_projects_of_nobody_are_an_error(client: WandbClient) -> None:
    """A team that the key does not reach is an error: in words, or by its status from the oldest clients."""
    shown = client.run(LIST_NOTHING).stdout

    assert "'nobody' is not there" in shown or "404" in shown


def test_legacy_service_of_the_oldest_client(client_of: Callable[[str], WandbClient], project: str) -> None:
    """What 0.19 calls its legacy service, and uses to sync and to verify, begins and ends a run."""
    finished = client_of(OLDEST).run(LEGACY_RUN, project, WANDB_X_REQUIRE_LEGACY_SERVICE="true")

    assert "finished" in finished.stdout
