"""Artifacts over the API, as the wandb client logged them."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from runhue_server.gateway.service import Gateway
from tests.integration.api.stored import Stored, Team
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
