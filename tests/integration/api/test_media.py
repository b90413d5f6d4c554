"""Media over the API: what was logged, joined with files and what is known of them."""

import random
from typing import Any

import httpx
import pytest
from psycopg import Cursor

from runhue_server.api import routes_media
from runhue_server.api.models_media import Media, MediaKeys, MediaSteps, Medium, SummaryMedia
from runhue_shared import db
from runhue_shared.db import documents, inspections
from runhue_shared.db.media_index import KeyReading
from runhue_shared.events import MediaSetting
from tests.integration.api.media_logs import RunMedia
from tests.integration.api.stored import Stored

IMAGES = "media/images"


def image(path: str, **more: Any) -> dict[str, Any]:
    """A picture as both clients log it."""
    return {"_type": "image-file", "path": path, "sha256": "ab" * 32, "size": 3, "format": "png", **more}


def file(type_: str, path: str) -> dict[str, Any]:
    """A logged value that names a file."""
    return {"_type": type_, "path": path}


def media(api: httpx.Client, project: Stored, key: str, runs: str = "r1", **asked: Any) -> list[Medium]:
    """The items of one page."""
    answer = api.get(f"{project.url}/media", params={"key": key, "runs": runs, **asked})
    assert answer.status_code == 200, answer.text
    return Media.model_validate(answer.json()).media


def test_an_item_is_what_was_logged_and_what_is_known(api: httpx.Client, project: Stored) -> None:
    """An image has its facts, its thumbnail, its masks and boxes with labels, and addresses that work."""
    mask = file("mask", f"{IMAGES}/mask/m.mask.png")
    boxes = file("boxes2D", "media/metadata/boxes2D/b.boxes2D.json")
    value = image(f"{IMAGES}/a_0.png", caption="a cat", masks={"gt": mask}, boxes={"found": boxes})
    settings = [
        MediaSetting(5, "mask_classes", "a_wandb_delimeter_gt", {"value": {"0": "road"}}),
        MediaSetting(6, "box_classes", "a_wandb_delimeter_found", {"value": {"1": "car"}}),
    ]
    project.log("r1", [{"a": value}], media=settings)
    files = RunMedia(api, project, "r1")
    sha256 = files.put(f"{IMAGES}/a_0.png", b"image")
    files.put(mask["path"], b"mask")
    files.put(boxes["path"], b"{}")
    files.found(b"image", "image", {"width": 300}, thumbnail=("image/webp", b"small"))
    files.found(b"mask", "mask", {"classes": [{"id": 0, "pixels": 4}]})

    (item,) = media(api, project, "a")

    assert (item.run_id, item.key, item.step, item.index) == ("r1", "a", 0, 0)
    assert (item.type, item.kind, item.caption, item.state) == ("image-file", "image", "a cat", "ready")
    assert (item.path, item.sha256, item.size, item.facts) == (value["path"], sha256, 5, {"width": 300})
    assert item.value == value
    assert item.url is not None
    assert "/content/" in item.url
    assert api.get(item.url).content == b"image"
    thumbnail = item.renditions["thumbnail"]
    assert (thumbnail.mimetype, thumbnail.size) == ("image/webp", 5)
    assert api.get(thumbnail.url).content == b"small"
    layer, group = item.masks["gt"], item.boxes["found"]
    assert (layer.state, layer.facts, layer.labels) == (
        "ready", {"classes": [{"id": 0, "pixels": 4}]}, {"0": "road"},
    )  # fmt: skip
    assert (group.state, group.path, group.labels) == ("waiting", boxes["path"], {"1": "car"})


def test_states(api: httpx.Client, project: Stored) -> None:
    """Bytes may not have come, not be looked at yet, be refused or expired; each says so."""
    names = ["awaited", "waiting", "refused", "expired"]
    rows: list[dict[str, Any]] = [{"a": image(f"{IMAGES}/{name}.png")} for name in names]
    rows += [
        {"a": {"_type": "image-file", "path": 7}},
        {"a": {"_type": "histogram", "values": [1], "bins": [0, 1]}},
    ]
    run_id = project.log("r1", rows)
    files = RunMedia(api, project, "r1")
    for name in names[1:]:
        files.put(f"{IMAGES}/{name}.png", name.encode())
    files.refused(b"refused", "image", "too_large", "70,000 x 70,000 pixels, at most 2**28 are shown")
    with db.transaction() as tx:
        tx.execute(
            "UPDATE run_file SET sha256 = NULL, expired_at = now() WHERE run_id = %s AND path = %s",
            (run_id, f"{IMAGES}/expired.png"),
        )

    found = media(api, project, "a")

    assert [item.state for item in found] == [*names, "refused", "ready"]
    assert [item.url is not None for item in found] == [False, True, True, False, False, False]
    assert (found[2].code, found[2].reason) == (
        "too_large",
        "70,000 x 70,000 pixels, at most 2**28 are shown",
    )
    assert (found[3].size, found[4].code) == (7, "no_path")
    assert (found[0].sha256, found[3].facts) == ("ab" * 32, None)
    assert (found[5].kind, found[5].value["values"]) == ("histogram", [1])


def test_bytes_that_nobody_looked_at_get_looked_at(api: httpx.Client, project: Stored) -> None:
    """An item whose bytes have no inspection asks for one; asked twice it stays one."""
    project.log("r1", [{"a": image(f"{IMAGES}/a.png")}])
    RunMedia(api, project, "r1").put(f"{IMAGES}/a.png", b"image")
    with db.transaction() as tx:
        tx.execute("DELETE FROM inspection")

    assert [media(api, project, "a")[0].state for _ in range(2)] == ["waiting", "waiting"]

    with db.transaction() as tx:
        jobs = inspections.take(tx, 9, 60)
    assert [(job.kind, job.format) for job in jobs] == [("image", "png")]


LISTS: list[tuple[dict[str, Any] | list[Any], list[tuple[Any, ...]]]] = [
    (
        {
            "_type": "images/separated", "count": 2, "format": "png", "width": 4, "height": 5,
            "filenames": [f"{IMAGES}/x.png", f"{IMAGES}/y.png"], "captions": ["one", "two"],
            "all_masks": [None, {"gt": {"_type": "mask", "path": "media/images/mask/m.mask.png"}}],
        },
        [(0, f"{IMAGES}/x.png", "one", "image", []), (1, f"{IMAGES}/y.png", "two", "image", ["gt"])],
    ),
    (
        {"_type": "images/separated", "count": 2, "format": "jpg", "captions": False},
        [(0, f"{IMAGES}/k_0_0.jpg", None, "image", []), (1, f"{IMAGES}/k_0_1.jpg", None, "image", [])],
    ),
    (
        {
            "_type": "audio", "count": 2, "sampleRates": [8000, 16000], "durations": [1.0, 2.0],
            "captions": ["hm"],
            "audio": [file("audio-file", "media/audio/a.wav"), file("audio-file", "b")],
        },
        [(0, "media/audio/a.wav", "hm", "audio", []), (1, "b", None, "audio", [])],
    ),
    (
        {"_type": "videos", "count": 1, "videos": [file("video-file", "media/videos/v.mp4")]},
        [(0, "media/videos/v.mp4", None, "video", [])],
    ),
    (
        {"_type": "html", "count": 1, "html": [{"path": "media/html/h.html"}]},
        [(0, "media/html/h.html", None, "html", [])],
    ),
    (
        {"_type": "molecule", "count": 1, "filenames": ["m.pdb"]},
        [(0, "media/molecule/m.pdb", None, "molecule", [])],
    ),
    (
        {"_type": "object3D", "objects": [file("object3D-file", "media/object3D/p.pts.json")]},
        [(0, "media/object3D/p.pts.json", None, "points", [])],
    ),
    (
        [file("plotly-file", "media/plotly/p.plotly.json"), 3, {"_type": "odd"}, file("html-file", "h")],
        [(0, "media/plotly/p.plotly.json", None, "plotly", []), (3, "h", None, "html", [])],
    ),
    ({"_type": "images/separated", "count": "many", "filenames": 3}, []),
    ({"_type": "audio", "audio": [3]}, [(0, None, None, "audio", [])]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LISTS)
def test_lists_are_items(
    api: httpx.Client, project: Stored, value: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    """Of a list each medium is an item, with what the list says of it; `index` takes one of them."""
    project.log("r1", [{"k": value}])

    found = media(api, project, "k")

    assert [(i.index, i.path, i.caption, i.kind, list(i.masks)) for i in found] == expected
    if expected:
        last = media(api, project, "k", index=expected[-1][0])
        assert [item.path for item in last] == [expected[-1][1]]
    if isinstance(value, dict) and "sampleRates" in value:
        assert [(i.value["sampleRate"], i.value["duration"]) for i in found] == [(8000, 1.0), (16000, 2.0)]


@pytest.mark.parametrize("limit", [1, 3, 7, 500])
def test_pages_are_the_whole_in_order(api: httpx.Client, project: Stored, limit: int) -> None:
    """Pages give every item once, by step, then run in the order asked for, then index; as a model has it."""
    chance = random.Random(7)
    expected: list[tuple[int, int, int]] = []
    for at, run in enumerate(["r2", "r1", "r3"]):
        rows: list[dict[str, Any]] = []
        for step in sorted(chance.sample(range(40), 9 if run != "r3" else 0)):
            names = [f"{IMAGES}/{run}_{step}_{index}.png" for index in range(chance.randint(0, 3))]
            rows.append({"_step": step, "k": {"_type": "images/separated", "filenames": names}, "loss": 1})
            expected += [(step, at, index) for index in range(len(names))]
        project.log(run, rows) if rows else project.add_run(run)
    expected = sorted(one for one in expected if 3 <= one[0] <= 35)

    found: list[tuple[int, int, int]] = []
    after: str | None = None
    while True:
        asked: dict[str, Any] = {
            "key": "K",
            "runs": "r2,r1,r3",
            "from_step": 3,
            "to_step": 35,
            "limit": limit,
        }
        page = Media.model_validate(
            api.get(f"{project.url}/media", params=asked | ({"after": after} if after else {})).json()
        )
        assert len(page.media) <= limit
        found += [(item.step or 0, ["r2", "r1", "r3"].index(item.run_id), item.index) for item in page.media]
        after = page.next
        if after is None:
            break

    assert found == expected
    steps = MediaSteps.model_validate(
        api.get(
            f"{project.url}/media/steps",
            params={"key": "k", "runs": "r2,r1,r3", "from_step": 3, "to_step": 35},
        ).json()
    )
    assert steps.steps == sorted({step for step, _, _ in expected})
    assert not steps.more
    counts = [len({step for step, run, _ in expected if run == at}) for at in range(3)]
    assert [(run.run_id, run.count) for run in steps.runs] == list(
        zip(["r2", "r1", "r3"], counts, strict=True)
    )


def test_pages_stay_while_runs_grow(api: httpx.Client, project: Stored) -> None:
    """What comes behind the last item of a page is on the next one, whatever was logged meanwhile."""
    rows = [{"k": image(f"{IMAGES}/{step}.png")} for step in range(4)]
    project.log("r1", rows)
    first = api.get(f"{project.url}/media", params={"key": "k", "runs": "r1", "limit": 3}).json()
    project.log("r2", rows)
    with db.transaction() as tx:
        tx.execute("UPDATE tail SET run_id = (SELECT id FROM run WHERE public_id = 'r1'), writer_no = 2 WHERE run_id = (SELECT id FROM run WHERE public_id = 'r2')")  # fmt: skip  # noqa: E501

    asked = {"key": "k", "runs": "r1", "limit": 3, "after": first["next"]}
    rest = Media.model_validate(api.get(f"{project.url}/media", params=asked).json())
    other = api.get(f"{project.url}/media", params=asked | {"runs": "r2"})

    assert [item.step for item in rest.media] == [3]
    assert (other.status_code, other.json()["code"]) == (422, "invalid_cursor")


def test_steps_are_bounded(api: httpx.Client, project: Stored) -> None:
    """A list of steps that was cut says so, and goes on behind its last."""
    project.log("r1", [{"_step": 2 * at, "k": image("a.png")} for at in range(30)])
    url = f"{project.url}/media/steps"

    first = MediaSteps.model_validate(api.get(url, params={"key": "k", "runs": "r1", "limit": 10}).json())
    rest = MediaSteps.model_validate(
        api.get(url, params={"key": "k", "runs": "r1", "from_step": first.steps[-1] + 1}).json()
    )

    assert (first.steps, first.more, first.runs[0].count) == (list(range(0, 20, 2)), True, 10)
    assert (rest.steps, rest.more) == (list(range(20, 60, 2)), False)


def test_keys_of_a_run(api: httpx.Client, project: Stored) -> None:
    """The keys that hold media, with their types, kinds and steps; numbers and plain lists are none."""
    histogram = {"_type": "histogram", "values": [1], "bins": [0, 1]}
    project.log(
        "r1",
        [
            {"loss": 1.0, "img": image("a.png"), "plain": [1, 2], "note": "x"},
            {"hist": histogram, "cloud": {"_type": "object3D-file", "path": "media/object3D/a.pts.json"}},
            {"img": {"_type": "images/separated", "count": 1, "filenames": ["a"]}, "figs": [image("b.png")]},
            {"hist": histogram, "own": {"_type": "odd"}, "nest.img": image("c.png")},
        ],
    )

    found = MediaKeys.model_validate(api.get(f"{project.url}/runs/r1/media/keys").json()).keys

    assert [(key.key, key.kind, key.types, key.count, key.first_step, key.last_step) for key in found] == [
        ("cloud", "points", ["object3D-file"], 1, 1, 1),
        ("figs", "image", ["list"], 1, 2, 2),
        ("hist", "histogram", ["histogram"], 2, 1, 3),
        ("img", "image", ["image-file", "images/separated"], 2, 0, 2),
        ("nest.img", "image", ["image-file"], 1, 3, 3),
    ]


def test_media_in_the_summary(api: httpx.Client, project: Stored) -> None:
    """The summary's media are listed with dotted keys: the last logged, and what was set by hand."""
    run_id = project.log("r1", [{"img": image(f"{IMAGES}/0.png")}, {"img": image(f"{IMAGES}/1.png"), "n": 1}])
    RunMedia(api, project, "r1").put(f"{IMAGES}/best.png", b"best")
    with db.transaction() as tx:
        documents.edit_summary(tx, run_id, {"best": {"deep": {"img": image(f"{IMAGES}/best.png")}}, "x": 3})

    found = SummaryMedia.model_validate(api.get(f"{project.url}/runs/r1/summary-media").json()).media

    items = {item.key: (item.path, item.step, item.state) for item in found}
    assert items == {
        "img": (f"{IMAGES}/1.png", None, "awaited"),
        "best.deep.img": (f"{IMAGES}/best.png", None, "waiting"),
    }


def test_a_summary_of_too_many_media_says_so(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that does not hold all media of a summary is marked as cut."""
    names = [f"{IMAGES}/{at}.png" for at in range(3)]
    project.log("r1", [{"img": {"_type": "images/separated", "filenames": names}}])
    url = f"{project.url}/runs/r1/summary-media"
    whole = SummaryMedia.model_validate(api.get(url).json())
    monkeypatch.setattr(routes_media, "MAX_IN_SUMMARY", 2)

    cut = SummaryMedia.model_validate(api.get(url).json())

    assert (len(whole.media), whole.truncated, len(cut.media), cut.truncated) == (3, False, 2, True)


def test_a_page_takes_as_many_statements_as_an_item(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred items of several runs are read with the statements that one takes."""
    for run in ("r1", "r2", "r3"):
        project.log(run, [{"k": image(f"{IMAGES}/{step}.png")} for step in range(40)])
        RunMedia(api, project, run).put(f"{IMAGES}/3.png", run.encode())
    media(api, project, "k")
    counted: list[object] = []
    plain = Cursor.execute

    def counting(cursor: Any, *given: Any, **named: Any) -> Any:
        counted.append(given[0])
        return plain(cursor, *given, **named)

    monkeypatch.setattr(Cursor, "execute", counting)
    assert len(media(api, project, "k", limit=1)) == 1
    one = len(counted)
    assert len(media(api, project, "k", "r1,r2,r3", limit=100)) == 100

    assert len(counted) - one <= one + 2


def test_a_page_without_items_reads_the_points_in_few_windows(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small page of a long run whose values have no such item is answered in few steps, not one a point."""
    project.log("r1", [{"k": image(f"{IMAGES}/{step}.png")} for step in range(1_200)])
    windows: list[int] = []
    plain = KeyReading.read

    def counting(reading: KeyReading, from_step: int, to_step: int) -> Any:
        windows.append(from_step)
        return plain(reading, from_step, to_step)

    monkeypatch.setattr(KeyReading, "read", counting)

    assert media(api, project, "k", limit=1, index=7) == []
    assert len(windows) <= 3


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"runs": "r1"}, "invalid_request", "key"),
        ({"key": "k"}, "invalid_request", "runs"),
        ({"key": "k", "runs": ","}, "invalid_request", "runs"),
        ({"key": "k", "runs": "r1,none"}, "run_not_found", "runs"),
        ({"key": "k", "runs": ",".join(map(str, range(51)))}, "invalid_request", "runs"),
        ({"key": "k", "runs": "r1", "after": "x"}, "invalid_cursor", "after"),
        ({"key": "k", "runs": "r1", "limit": 501}, "invalid_request", "limit"),
        ({"key": "k", "runs": "r1", "from": 1}, "unknown_parameter", "from"),
    ],
)
def test_refusals(api: httpx.Client, project: Stored, asked: dict[str, Any], code: str, field: str) -> None:
    """What cannot be answered is refused by name."""
    project.add_run("r1")

    refused = api.get(f"{project.url}/media", params=asked).json()

    assert (refused["code"], refused["field"]) == (code, field)


def test_other_teams_see_nothing(them: httpx.Client, api: httpx.Client, project: Stored) -> None:
    """Media of another team are not there, and a run without any has none."""
    project.add_run("r1")
    asked = {"key": "k", "runs": "r1"}

    assert media(api, project, "k") == []
    assert api.get(f"{project.url}/runs/r1/media/keys").json() == {"keys": []}
    for path in ("media", "media/steps"):
        assert them.get(f"{project.url}/{path}", params=asked).status_code == 404
    for path in ("media/keys", "summary-media"):
        assert them.get(f"{project.url}/runs/r1/{path}").status_code == 404
