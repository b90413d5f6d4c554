"""Arrays and media in the summary of a stored run: statistics where all can see them, the whole in a file."""

import asyncio
import io

import numpy as np
import pytest

import runhue
from runhue._public_api import Api, AsyncApi
from tests.integration.public_api.running import Lab

TENSOR = np.arange(1000, dtype=np.float64)


def test_an_array_becomes_statistics_and_a_file(lab: Lab, api: Api, project: str) -> None:
    """The summary of a finished run gets an array's statistics; the array itself is a file of the run."""
    lab.log(project, "r1", [{"acc": 0.5}])
    run = api.run(f"{project}/r1")

    run.summary["tensor"] = TENSOR
    run.summary.update()

    read = api.run(f"{project}/r1")
    value = read.summary["tensor"]
    assert (value["_type"], value["shape"], value["dtype"]) == ("numpy.ndarray", [1000], "float64")
    assert (value["min"], value["max"], value["mean"], value["50%"]) == (0.0, 999.0, 499.5, 499.5)
    np.testing.assert_array_equal(np.load(io.BytesIO(read.file(value["path"]).read())), TENSOR)


def test_it_is_the_same_with_asyncio(lab: Lab, project: str) -> None:
    """`AsyncRun.update()` stores the array before the summary names it."""
    lab.log(project, "r1", [{"acc": 0.5}])

    async def edit() -> bytes:
        async with AsyncApi(lab.api.base_url, lab.stack.api_key) as api:
            run = await api.run(f"{project}/r1")
            run.summary["tensor"] = TENSOR
            await run.update()
            await run.refresh()
            return await (await run.file(run.summary["tensor"]["path"])).read()

    np.testing.assert_array_equal(np.load(io.BytesIO(asyncio.run(edit()))), TENSOR)


def test_small_arrays_stay_lists(lab: Lab, api: Api, project: str) -> None:
    """A few numbers are kept as they are, and no file is made."""
    lab.log(project, "r1", [{"acc": 0.5}])
    run = api.run(f"{project}/r1")

    run.summary.update({"few": np.array([1.5, 2.5])})

    read = api.run(f"{project}/r1")
    assert read.summary["few"] == [1.5, 2.5]
    assert read.files() == []


def test_a_picture_can_be_added_afterwards(lab: Lab, api: Api, project: str) -> None:
    """Media with a file are stored as a run stores them."""
    lab.log(project, "r1", [{"acc": 0.5}])
    run = api.run(f"{project}/r1")

    run.summary.update({"best": runhue.Image(np.zeros((4, 6, 3), np.uint8))})

    value = api.run(f"{project}/r1").summary["best"]
    assert (value["_type"], value["width"], value["height"]) == ("image-file", 6, 4)
    assert run.file(value["path"]).read().startswith(b"\x89PNG")


def test_a_chart_cannot(lab: Lab, api: Api, project: str) -> None:
    """How a chart is drawn is said by a run that logs, so setting one here is a ValueError."""
    lab.log(project, "r1", [{"acc": 0.5}])
    table = runhue.Table(columns=["x"], data=[[1]])

    with pytest.raises(ValueError, match="charts and masks can be logged by a run"):
        api.run(f"{project}/r1").summary["chart"] = runhue.plot.histogram(table, "x")
