"""Tables that the real client logs: their true cells come back, also those that it keeps in artifacts."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from runhue._public_api.tables import RunTable
from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

SCRIPT = """
import math, sys, numpy, wandb
run = wandb.init(project=sys.argv[1], id="r1")
pixels = numpy.arange(300 * 300 * 3, dtype=numpy.uint8).reshape(300, 300, 3)
image = wandb.Image(pixels, caption="a")
rows = [[0, 0.1, "x", image, [1, {"k": 2.5}]], [1, math.nan, None, None, None], [2**40, -1.5, "z", image, []]]
table = wandb.Table(columns=["id", "score", "text", "image", "nested"], data=rows, allow_mixed_types=True)
run.log({"t": table, "loss": 1.0})
run.log({"again": wandb.Table(columns=["image"], data=[[image]])})
if len(sys.argv) > 2:
    mask = {"mask_data": numpy.zeros((300, 300), dtype=int), "class_labels": {0: "none"}}
    masked = wandb.Image(pixels, masks={"m": mask})
    run.log({"masked": wandb.Table(columns=["image"], data=[[masked]])})
run.log({"array": wandb.Table(columns=["a", "b"], data=numpy.arange(6).reshape(3, 2) / 2)})
run.log({"chart": wandb.plot.line(wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 4]]), "x", "y")})
run.finish()
"""

INCREMENTAL = """
import sys, wandb
run = wandb.init(project=sys.argv[1], id="r1")
table = wandb.Table(columns=["n", "text"], log_mode="INCREMENTAL")
for number in range(4):
    table.add_data(number, f"row {number}")
    if number % 2:
        table.add_data(number + 0.5, None)
    run.log({"inc": table})
run.finish()
"""

FRAME = """
import sys, wandb
sys.path.append(sys.argv[2])
import pandas
frame = pandas.DataFrame({"n": [1, 2, 3], "text": ["a", None, "c"], "half": [0.5, float("nan"), 1.5]})
run = wandb.init(project=sys.argv[1], id="r1")
run.log({"frame": frame})
run.finish()
"""


def table_of(doors: Doors, project: str, key: str, step: int | None = None) -> RunTable:
    """The table, once what the client uploads beside its run has come too."""
    run = doors.api.run(f"{doors.team}/{project}/r1")
    return run.table(key, step)


def test_cells_of_a_table(client: WandbClient, doors: Doors, project: str) -> None:
    """Numbers, texts, nested values and images come back; an image's bytes are at its address."""
    client.run(SCRIPT, project)

    table = table_of(doors, project, "t")
    rows: list[dict[str | int, Any]] = list(table.rows())

    assert table.columns == ["id", "score", "text", "image", "nested"]
    assert [row["id"] for row in rows] == [0, 1, 2**40]
    assert (rows[0]["score"], rows[2]["score"]) == (0.1, -1.5)
    assert rows[1]["score"] is None or math.isnan(rows[1]["score"])
    assert [row["text"] for row in rows] == ["x", None, "z"]
    assert [row["nested"] for row in rows] == [[1, {"k": 2.5}], None, []]
    cell = rows[0]["image"]
    assert (cell["_type"], cell["width"]) == ("image-file", 300)
    assert rows[1]["image"] is None
    content = doors.http.get(cell["url"])
    assert content.content.startswith(b"\x89PNG")
    assert [row["id"] for row in table.rows(sort="-id", filter={"column": "id", "op": ">", "value": 0})] == [
        2**40, 1,
    ]  # fmt: skip
    assert eventually(lambda: "thumbnail" in next(table.rows(["image"]))["image"], 60)
    thumbnail = doors.http.get(next(table.rows(["image"]))["image"]["thumbnail"])
    assert thumbnail.content[8:12] == b"WEBP"


def test_images_of_another_tables_artifact(newest: WandbClient, doors: Doors, project: str) -> None:
    """An image that the client logged in another table before is found where it is, and so are its masks."""
    newest.run(SCRIPT, project, "with masks")

    again = next(table_of(doors, project, "again").rows())["image"]
    masked = next(table_of(doors, project, "masked").rows())["image"]

    assert doors.http.get(again["url"]).content.startswith(b"\x89PNG")
    assert doors.http.get(masked["masks"]["m"]["url"]).content.startswith(b"\x89PNG")


def test_other_tables(newest: WandbClient, doors: Doors, project: str) -> None:
    """Arrays as tables and the tables of charts are listed and read like others."""
    newest.run(SCRIPT, project)

    listed = doors.http.get(f"/api/v1/projects/{doors.team}/{project}/runs/r1/tables").json()["tables"]
    array = list(table_of(doors, project, "array").rows())
    chart = list(table_of(doors, project, "chart_table").rows())

    assert {"again", "array", "chart_table", "t"} <= {one["key"] for one in listed}
    assert array == [{"a": 0.0, "b": 0.5}, {"a": 1.0, "b": 1.5}, {"a": 2.0, "b": 2.5}]
    assert chart == [{"x": 1, "y": 2}, {"x": 3, "y": 4}]


def test_increments(newest: WandbClient, doors: Doors, project: str) -> None:
    """A table that was logged in increments has the rows of all of them, up to the step that is asked for."""
    newest.run(INCREMENTAL, project)

    whole = table_of(doors, project, "inc")
    early = table_of(doors, project, "inc", step=1)

    assert [row["n"] for row in whole.rows()] == [0, 1, 1.5, 2, 3, 3.5]
    assert [row["text"] for row in whole.rows()] == ["row 0", "row 1", None, "row 2", "row 3", None]
    assert [row["n"] for row in early.rows()] == [0, 1, 1.5]


def test_frames(newest: WandbClient, doors: Doors, project: str) -> None:
    """A DataFrame is a table with its columns."""
    # The client's environment has no pandas; behind everything of its own it finds ours.
    newest.run(FRAME, project, str(Path(pd.__file__).parents[1]))

    table = table_of(doors, project, "frame")

    assert table.columns == ["n", "text", "half"]
    assert [row["n"] for row in table.rows()] == [1, 2, 3]
    assert [row["text"] for row in table.rows()] == ["a", None, "c"]
    assert table.to_arrow().column("half").to_pylist()[0] == 0.5
