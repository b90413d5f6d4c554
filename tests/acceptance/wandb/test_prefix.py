"""The client behind a proxy that serves under a path."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runhue_server.gateway.service import Gateway
from runhue_shared import db
from runhue_shared.settings import Settings
from tests.conftest import forget_settings
from tests.integration.gateway.conftest import key_of, serving
from tests.wandb_clients import NEWEST, OLDEST, WandbClient

pytestmark = pytest.mark.stack

SCRIPT = """
import sys, numpy, wandb
with wandb.init(project="digits", id=sys.argv[1]) as run:
    run.log({"loss": 0.5, "picture": wandb.Image(numpy.zeros((2, 2, 3), dtype="uint8"))})
print(wandb.Api().run(f"digits/{sys.argv[1]}").name, run.url)
"""


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_path_in_the_address(
    server_settings: Settings,
    client_python: Callable[[str], Path],
    version: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a path in `WANDB_BASE_URL` a run is logged, its files go up, and its page is below that path."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", "http://tracking.example/team/hue")
    forget_settings()
    with serving(Gateway()) as url:
        client = WandbClient(
            version, client_python(version), f"{url}/team/hue/", key_of("main", "ingest", "read"), tmp_path
        )
        shown = client.run(SCRIPT, "r1").stdout

    assert f"{url}/team/hue/main/digits/runs/r1" in shown
    with db.transaction() as tx:
        paths = [path for (path,) in tx.execute("SELECT path FROM run_file").fetchall()]
        marks = tx.execute("SELECT marks::json->>'history' FROM run_writer").fetchall()
    assert any(path.startswith("media/images/picture_0_") for path in paths)
    assert marks == [("1",)]
