"""Media of stored runs read through `Api()`: states, facts, renditions, masks and boxes, and their bytes."""

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

import runhue
from runhue import errors
from runhue._public_api import Api, AsyncApi
from runhue._public_api.media import Medium
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

LARGE = np.zeros((300, 400, 3), dtype=np.uint8)


def scene(shade: int) -> runhue.Image:
    """A picture larger than a thumbnail, with a mask and boxes."""
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1, "scores": {"acc": 0.5}}
    return runhue.Image(
        LARGE + np.uint8(shade),
        caption=f"shade {shade}",
        masks={"truth": {"mask_data": np.zeros((300, 400), np.uint8), "class_labels": {0: "road"}}},
        boxes={"found": {"box_data": [box], "class_labels": {1: "car"}}},
    )


def ready(api: Api, run: str, key: str) -> list[Medium]:
    """The media of a key once the server has looked at all of them."""

    def looked_at() -> list[Medium]:
        media = api.run(run).media(key)
        waiting = [one for one in media if one.state in {"waiting", "awaited"}]
        return [] if waiting else media

    return until(looked_at)


def test_pictures_with_all_that_is_known_of_them(lab: Lab, api: Api, project: str, tmp_path: Path) -> None:
    """Items by step and place in a list, with caption, facts, thumbnail, masks, boxes, and their bytes."""
    scenes = [scene(1), scene(2)]
    lab.log(project, "r1", [{"scene": scenes}, {"scene": scene(3)}, {"loss": 0.5}])

    first, second, third = ready(api, f"{project}/r1", "scene")
    assert [(one.step, one.index, one.caption) for one in (first, second, third)] == [
        (0, 0, "shade 1"),
        (0, 1, "shade 2"),
        (1, 0, "shade 3"),
    ]
    assert {(one.state, one.kind, one.type) for one in (first, second, third)} == {
        ("ready", "image", "image-file")
    }
    assert (first.facts["width"], first.facts["height"]) == (400, 300)
    assert first.read() == scenes[0].content
    thumbnail = PillowImage.open(io.BytesIO(second.renditions["thumbnail"].read()))
    assert max(thumbnail.size) <= 256
    target = third.download(tmp_path)
    assert target == tmp_path / str(third.path)
    with pytest.raises(errors.FileIsThere):
        third.download(tmp_path)
    assert PillowImage.open(io.BytesIO(first.masks["truth"].read())).size == (400, 300)
    assert first.masks["truth"].labels == {"0": "road"}
    assert b'"class_id":1' in third.boxes["found"].read()


def test_chosen_steps_and_places(lab: Lab, api: Api, project: str) -> None:
    """A range of steps, or one place of each list."""
    clips = [runhue.Html("a"), runhue.Html("b")]
    lab.log(project, "r1", [{"page": clips} for _ in range(4)])
    run = api.run(f"{project}/r1")

    assert [(one.step, one.index) for one in run.media("page", from_step=1, to_step=2)] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    assert [(one.step, one.index) for one in run.media("page", index=1)] == [(at, 1) for at in range(4)]
    (key,) = run.media_keys()
    assert (key.key, key.kind, key.count, key.first_step, key.last_step) == ("page", "html", 4, 0, 3)


def test_runs_side_by_side(lab: Lab, api: Api, project: str) -> None:
    """Several runs' media of one key come step by step, in the order in which the runs were named."""
    for name in ("r1", "r2"):
        lab.log(project, name, [{"page": runhue.Html(name)} for _ in range(2)])

    found = api.media(project, "page", ["r2", "r1"])
    assert [(one.step, one.run_id) for one in found] == [(0, "r2"), (0, "r1"), (1, "r2"), (1, "r1")]
    assert b"r1" in found[1].read()
    assert "/content/" in str(found[0].url)
    for wrong in ("r2", found[0], [found[0]]):
        with pytest.raises(errors.UsageError, match="runs must be a list of ids, such as"):
            api.media(project, "page", wrong)  # type: ignore[arg-type]  # wrong on purpose
    for odd in ("a,b", "[r1"):
        with pytest.raises(errors.ServerRefused, match=f"no run {odd!r}".replace("[", r"\[")):
            api.media(project, "page", ["r1", odd])
    steps = api.media_steps(project, "page", ["r2", "r1"], from_step=1)
    assert (steps.steps, steps.more, [one.count for one in steps.runs]) == ((1,), False, [1, 1])


def test_what_is_whole_has_no_bytes(lab: Lab, api: Api, project: str) -> None:
    """A histogram is all in its value, and asking for its bytes says so."""
    lab.log(project, "r1", [{"h": runhue.Histogram(np_histogram=([1, 2], [0, 1, 2]))}])

    (one,) = api.run(f"{project}/r1").media("h")
    assert (one.state, one.kind, one.value["values"]) == ("ready", "histogram", [1, 2])
    with pytest.raises(errors.UsageError, match="has no file"):
        one.read()


def test_arrays_and_media_in_the_summary(lab: Lab, api: Api, project: str) -> None:
    """An array that was set in the summary is read back bit for bit."""
    values = np.random.default_rng(0).random((30, 40))
    lab.log(project, "r1", [{"loss": 1.0}])
    run = api.run(f"{project}/r1")
    run.summary["tensor"] = values
    run.summary.update({"nested": {"h": runhue.Histogram([1.0, 2.0, 3.0]), "t": values}})

    by_key = {one.key: one for one in api.run(f"{project}/r1").summary_media()}
    assert {key: one.kind for key, one in by_key.items()} == {
        "tensor": "array",
        "nested.h": "histogram",
        "nested.t": "array",
    }
    assert np.load(io.BytesIO(by_key["tensor"].read())).tobytes() == values.tobytes()


def test_increments_are_one_table(lab: Lab, api: Api, project: str) -> None:
    """Each log of an incremental table stored its new rows, and reading gives all up to then."""
    table = runhue.Table(columns=["n"], log_mode="INCREMENTAL")
    with runhue.init(project, id="r1", settings=lab.settings(), reinit="create_new") as logging:
        for number in range(3):
            table.add_data(number)
            logging.log({"t": table})
    until(lambda: lab.is_folded(project, "r1"))
    assert {one.facts["rows"] for one in ready(api, f"{project}/r1", "t")} == {1}

    run = api.run(f"{project}/r1")
    assert [row["n"] for row in run.table("t").rows()] == [0, 1, 2]
    assert [row["n"] for row in run.table("t", step=1).rows()] == [0, 1]


def test_it_is_the_same_with_asyncio(lab: Lab, api: Api, project: str, tmp_path: Path) -> None:
    """`AsyncApi` and `AsyncRun` read what `Api` and `Run` read."""
    lab.log(project, "r1", [{"scene": scene(1)}])
    ready(api, f"{project}/r1", "scene")

    async def read() -> tuple[bytes, bytes, bytes, int, list[str]]:
        async with AsyncApi(lab.api.base_url, lab.stack.api_key) as reading:
            run = await reading.run(f"{project}/r1")
            (one,) = await run.media("scene")
            (same,) = await reading.media(project, "scene", ["r1"])
            path = await same.download(tmp_path)
            steps = await reading.media_steps(project, "scene", ["r1"])
            await run.summary_media()
            thumbnail = await one.renditions["thumbnail"].read()
            keys = [key.key for key in await run.media_keys()]
            return await one.masks["truth"].read(), path.read_bytes(), thumbnail, steps.steps[0], keys

    mask, whole, thumbnail, step, keys = asyncio.run(read())
    assert mask.startswith(b"\x89PNG")
    assert whole == scene(1).content
    assert thumbnail
    assert (step, keys) == (0, ["scene"])
