"""Numbers inside media, by the wandb client and by our own SDK: each comes back to the bit."""

import io
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

SCRIPT = """
import importlib, json, math, os, struct, sys
import numpy
client = importlib.import_module(os.environ.get("CLIENT", "wandb"))
project, bits, integers = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
doubles = [struct.unpack("<d", struct.pack("<Q", one))[0] for one in bits]
finite = sorted({one for one in doubles if abs(one) < 1e30})
run = client.init(project=project, id="r1")
run.log({"table": client.Table(columns=["d", "i"], data=[list(row) for row in zip(doubles, integers)])})
run.log({"histogram": client.Histogram(np_histogram=(list(range(1, len(finite))), finite))})
cloud = numpy.array(finite, numpy.float32).astype(numpy.float64)
run.log({"cloud": client.Object3D(numpy.stack([cloud, -cloud, cloud / 3], axis=1))})
points = client.Table(columns=["x", "y"], data=[[one, one / 3] for one in finite])
run.log({"line": client.plot.line(points, "x", "y")})
run.summary["array"] = numpy.array(finite * 3)
run.finish()
stored = client.Api().run(f"{os.environ['TEAM']}/{project}/r1")
stored.summary["later"] = numpy.array(finite * 3)
stored.summary.update()
"""


def odd_doubles() -> list[float]:
    """The doubles that formats lose first, and random ones of all sizes."""
    chance = random.Random(11)
    ends = [
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        2.0**53 + 2,
    ]
    found = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(60)]
    return ends + [one for one in found if math.isfinite(one)]


DOUBLES = odd_doubles()
INTEGERS = [(-1) ** at * (2**63 - 1 - at) if at % 3 else at for at in range(len(DOUBLES))]
# Without -0.0, which the newest client sends as 0; in the file of a table it keeps its sign.
FINITE = sorted({one for one in DOUBLES if abs(one) < 1e30})


def bits(values: Any) -> list[int]:  # numbers
    """The doubles, bit by bit."""
    return [struct.unpack("<Q", struct.pack("<d", value))[0] for value in values]


def arguments(project: str) -> list[str]:
    return [project, repr(bits(DOUBLES)), repr(INTEGERS)]


def run_ours(client: WandbClient, team: str, project: str) -> None:
    """The script by our own SDK."""
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(client.home), "TMPDIR": tempfile.gettempdir(),
        "CLIENT": "runhue", "TEAM": team,
        "RUNHUE_BASE_URL": client.base_url, "RUNHUE_API_KEY": client.api_key,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments(project)],
        cwd=client.home, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("ours", [True, False], ids=["runhue", "wandb"])
def test_numbers_in_media_come_back_to_the_bit(
    newest: WandbClient, doors: Doors, project: str, ours: bool
) -> None:
    """Cells of tables and charts, edges of histograms, points of clouds and arrays are the very numbers."""
    if ours:
        run_ours(newest, doors.team, project)
    else:
        newest.run(SCRIPT, *arguments(project), TEAM=doors.team)
    place = f"{doors.team}/{project}/r1"
    assert eventually(lambda: "later" in doors.api.run(place).summary, 60)
    run = doors.api.run(place)

    rows = list(run.table("table").rows())
    assert bits(row["d"] for row in rows) == bits(DOUBLES)
    assert [row["i"] for row in rows] == INTEGERS
    drawn = list(run.table("line_table").rows())
    assert bits(row["x"] for row in drawn) == bits(FINITE)
    assert bits(row["y"] for row in drawn) == bits(one / 3 for one in FINITE)
    (histogram,) = run.media("histogram")
    assert bits(histogram.value["bins"]) == bits(FINITE)
    assert histogram.value["values"] == list(range(1, len(FINITE)))
    (cloud,) = run.media("cloud")
    single = np.array(FINITE, np.float32).astype(np.float64)
    expected = np.stack([single, -single, single / 3], axis=1)
    assert bits(np.array(json.loads(cloud.read())).ravel()) == bits(expected.ravel())
    for key in ("array", "later"):
        array, said = np.array(FINITE * 3), run.summary[key]
        assert bits([said["min"], said["max"]]) == bits([array.min(), array.max()])
        if ours:
            (stored,) = [one for one in run.summary_media() if one.key == key]
            assert bits(np.load(io.BytesIO(stored.read()))) == bits(array)
