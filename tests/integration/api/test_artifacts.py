"""Artifacts over the API, as the wandb client logged them."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from psycopg import Cursor

from runhue_server.gateway.service import Gateway
from tests.integration.api.stored import Stored, Team
from tests.integration.api.stored_tables import inspect, table_bytes, value_of
from tests.integration.gateway.artifact_logging import Logger
from tests.integration.gateway.conftest import Client, serving


@pytest.fixture
def logger(project: Stored, teams: tuple[Team, Team]) -> Iterator[Logger]:
    """Logs artifacts for run r1 of our project."""
    project.add_run("r1")
    with serving(Gateway()) as url, httpx.Client(timeout=30, trust_env=False) as plain:
        client = Client(url, teams[0].writer)
        with client.http:
            yield Logger(client, plain, entity="ours", project="mnist")


def test_read(api: httpx.Client, them: httpx.Client, logger: Logger) -> None:
    """Collections, versions, files and a run's artifacts are read a page at a time, by the team alone."""
    for number in range(3):
        logger.log("ds", {"a": str(number).encode(), "there": "s3://b/k"}, metadata='{"n": NaN}')
    logger.log("model", {"w": b"weights"}, artifactTypeName="model")
    place = "/api/v1/projects/ours/mnist"
    first = api.get(f"{place}/artifacts", params={"limit": 1}).json()
    rest = api.get(f"{place}/artifacts", params={"cursor": first["next"]}).json()
    assert [one["name"] for one in first["collections"] + rest["collections"]] == ["model", "ds"]
    typed = api.get(f"{place}/artifacts", params={"type": "dataset"}).json()["collections"]
    assert [(one["name"], one["kind"], one["versions"]) for one in typed] == [("ds", "sequence", 3)]

    versions = f"{place}/artifacts/ds/versions"
    page = api.get(versions, params={"limit": 2}).json()
    more = api.get(versions, params={"cursor": page["next"]}).json()
    assert [one["version"] for one in page["versions"] + more["versions"]] == [2, 1, 0]
    latest = api.get(f"{versions}/latest").json()
    assert (latest["version"], latest["aliases"], latest["metadata"]) == (2, ["latest"], {"n": "NaN"})
    assert latest["source"]["run"] == "r1"

    files = api.get(f"{versions}/v1/files").json()["files"]
    assert [(one["path"], one["reference"]) for one in files] == [("a", None), ("there", "s3://b/k")]
    assert logger.plain.get(logger.client.url + files[0]["url"]).content == b"1"
    assert api.get(f"{versions}/v1/files/a").content == b"1"
    assert api.get(f"{versions}/v1/files/there").json()["code"] == "file_not_found"
    assert api.get(f"{versions}/v9").json()["code"] == "artifact_not_found"
    assert api.get(f"{place}/artifacts/none/versions").json()["code"] == "artifact_not_found"
    bad = base64.urlsafe_b64encode(json.dumps(["artifacts", "x"]).encode()).decode()
    assert api.get(f"{place}/artifacts", params={"cursor": bad}).json()["code"] == "invalid_cursor"

    of_run = f"{place}/runs/r1/artifacts"
    assert len(api.get(of_run).json()["versions"]) == 4
    assert api.get(of_run, params={"direction": "input"}).json() == {"versions": [], "next": None}
    for path in ("artifacts", "artifacts/ds/versions", "artifacts/ds/versions/latest/files/a"):
        assert them.get(f"{place}/{path}").json()["code"] == "project_not_found"


def test_cells_that_lie_in_other_artifacts(
    api: httpx.Client, project: Stored, logger: Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Media of a table that an artifact refers to are found where they are, asking each artifact once."""
    pictures: dict[str, bytes | str] = {f"media/images/{at}.png": b"%d" % at for at in range(40)}
    logger.log("pictures", pictures, clientID="pictures-id")
    content = table_bytes(["image"], [[{"_type": "image-file", "path": path}] for path in pictures])
    files: dict[str, bytes | str] = {path: f"wandb-client-artifact://pictures-id/{path}" for path in pictures}
    files["media/images/lost.png"] = "wandb-client-artifact://no-such-id/a.png"
    logger.log("tables", {"t.table.json": content, **files}, clientID="tables-id")
    address = "wandb-client-artifact://tables-id/t.table.json"
    project.log("r2", [{"t": value_of("media/table/t.table.json", content, artifact_path=address)}])
    inspect(project.team.id, hashlib.sha256(content).digest())
    url = f"{project.url}/runs/r2/tables/rows"
    asked: list[object] = []
    plain = Cursor.execute

    def counting(cursor: Any, *given: Any, **named: Any) -> Any:
        asked.append(given[0])
        return plain(cursor, *given, **named)

    monkeypatch.setattr(Cursor, "execute", counting)
    one = api.get(url, params={"key": "t", "limit": 1})
    for_one = len(asked)
    rows = api.get(url, params={"key": "t"}).json()["rows"]

    assert one.status_code == 200, one.text
    assert len(rows) == 40
    assert api.get(rows[7]["cells"][0]["url"]).content == b"7"
    assert len(asked) <= 2 * for_one + 8
