"""Real clients log artifacts and tables, read them back, edit, link and delete them."""

import json
from typing import Any

import pytest

from tests.acceptance.wandb.conftest import AtOnce, Doors

pytestmark = pytest.mark.stack

HEAD = """
import json, pathlib, sys, tempfile
import numpy as np
import wandb
project = sys.argv[1]
root = pathlib.Path(tempfile.mkdtemp())
out = {}

def api():
    return wandb.Api(timeout=60)

entity = api().default_entity

def artifact(name):
    return api().artifact(f"{entity}/{project}/{name}")

def files_below(folder):
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

def logged(run, made, aliases=None):
    run.log_artifact(made, aliases=aliases)
    made.wait()
    return made

def with_files(name, files, **more):
    made = wandb.Artifact(name, type="dataset", **more)
    for path, text in files.items():
        with made.new_file(path) as file:
            file.write(text)
    return made
"""

LOG_AND_USE = (
    HEAD
    + """
folder = root / "d"
(folder / "sub").mkdir(parents=True)
(folder / "a.txt").write_bytes(b"alpha" * 1000)
(folder / "sub" / "b \\u00e4.bin").write_bytes(bytes(range(256)) * 200)
(folder / "empty").write_bytes(b"")
run = wandb.init(project=project, id="writer")
image = lambda shade: wandb.Image(np.full((8, 8, 3), shade, np.uint8))
run.log({"table": wandb.Table(columns=["a", "b", "img"], data=[[1, "x", image(0)], [2, "y", image(200)]])})
plain = wandb.Table(columns=["n", "s"], data=[[i, f"r{i}"] for i in range(50)])
run.log({"plain": plain})

def dataset(**more):
    made = wandb.Artifact("ds", type="dataset", **more)
    made.add_dir(str(folder))
    made.add(wandb.Table(columns=["n", "s"], data=[[i, f"r{i}"] for i in range(50)]), "tab")
    return made

first = logged(run, dataset(description="first", metadata={"k": 1, "nested": {"x": [1, 2]}}), ["best"])
out["first"] = [first.version, sorted(first.aliases), first.state, first.type]
again = logged(run, dataset(), ["again"])
out["again"] = [again.version, sorted(again.aliases), again.digest == first.digest]
(folder / "c.txt").write_text("new")
second = logged(run, dataset())
out["second"] = [second.version, sorted(second.aliases)]
run.finish()

run = wandb.init(project=project, id="reader")
used = run.use_artifact("ds:latest")
got = used.download(root=str(root / "out"))
down = files_below(got)
assert {name: down.get(name) for name in files_below(folder)} == files_below(folder), sorted(down)
used.verify(root=got)
old = run.use_artifact("ds:v0")
table = old.get("tab")
assert (table.columns, table.data) == (plain.columns, plain.data)
assert pathlib.Path(old.get_entry("a.txt").download()).read_bytes() == b"alpha" * 1000
shown = run.use_artifact("run-writer-table:latest").get("table")
out["table"] = [row[:2] for row in shown.data]
assert [row[2].image.getpixel((0, 0)) for row in shown.data] == [(0, 0, 0), (200, 200, 200)]
run.finish()

found = artifact("ds:best")
out["best"] = [found.version, found.description, found.metadata, sorted(found.aliases)]
out["versions"] = [one.version for one in api().artifacts("dataset", f"{entity}/{project}/ds")]
out["types"] = sorted(one.name for one in api().artifact_types(f"{entity}/{project}"))
out["logged"] = sorted(one.name for one in api().run(f"{entity}/{project}/writer").logged_artifacts())
out["used"] = sorted(one.name for one in api().run(f"{entity}/{project}/reader").used_artifacts())
out["files"] = {file.name: file.size for file in found.files()}
out["by"] = [found.logged_by().id, [user.id for user in found.used_by()]]
(one,) = found.files(["a.txt"])
one.download(root=str(root / "one"), replace=True)
assert (root / "one" / "a.txt").read_bytes() == b"alpha" * 1000
out["there"] = [api().artifact_exists(f"{entity}/{project}/ds:{alias}") for alias in ("best", "v1", "none")]
print("OUT" + json.dumps(out))
"""
)

EDIT = (
    HEAD
    + """
import datetime
run = wandb.init(project=project, id="maker")
for number in range(3):
    logged(run, with_files("model", {"w.txt": f"weights {number}"}), [f"a{number}", "shared"])
run.finish()
edited = artifact("model:v0")
edited.aliases.append("extra")
edited.aliases.remove("a0")
edited.description = "changed"
edited.metadata["new"] = [1, {"z": None}]
edited.tags = ["t1", "t 2"]
edited.ttl = datetime.timedelta(days=3)
edited.save()
now = artifact("model:v0")
out["edited"] = [sorted(now.aliases), now.description, now.metadata, sorted(now.tags), now.ttl.days]
edited.tags = ["t 2"]
edited.ttl = None
edited.save()
now = artifact("model:v0")
out["again"] = [now.tags, now.ttl]

run = wandb.init(project=project, id="linker")
run.link_artifact(run.use_artifact("model:v1"), f"{entity}/{project}/portfolio", aliases=["prod"])
run.finish()
linked = artifact("portfolio:prod")
out["linked"] = [linked.version, sorted(linked.aliases), linked.source_name]
artifact("model:v1").link(f"{entity}/{project}/portfolio", aliases=["more"])
linked = artifact("portfolio:more")
out["relinked"] = [linked.version, sorted(linked.aliases)]
assert files_below(linked.download(root=str(root / "p"))) == {"w.txt": b"weights 1"}
linked.unlink()
out["unlinked"] = api().artifact_exists(f"{entity}/{project}/portfolio:v0")

def collection(name):
    return api().artifact_collection("dataset", f"{entity}/{project}/{name}")

changed = collection("model")
changed.description = "about"
changed.tags = ["ct"]
changed.save()
changed = collection("model")
out["collection"] = [changed.description, changed.tags, changed.is_sequence()]
changed.name = "renamed"
changed.tags = []
changed.save()
out["renamed"] = [collection("renamed").tags, [one.version for one in collection("renamed").artifacts()]]

last = artifact("renamed:v2")
try:
    last.delete()
except Exception as error:
    out["refused"] = str(error)
last.delete(delete_aliases=True)
out["latest"] = artifact("renamed:latest").version
collection("renamed").delete()
out["left"] = api().artifact_collection_exists(f"{entity}/{project}/renamed", "dataset")
print("OUT" + json.dumps(out))
"""
)

COMBINE = (
    HEAD
    + """
run = wandb.init(project=project, id="combiner")
(root / "ref.txt").write_text("by reference")
refs = wandb.Artifact("refs", type="dataset")
refs.add_reference(f"file://{root}/ref.txt", name="r/ref.txt")
logged(run, refs)
numbers = wandb.Table(columns=["id", "a"], data=[[i, i * 2] for i in range(5)])
shades = [[i, wandb.Image(np.full((4, 4, 3), i * 40, np.uint8))] for i in range(5)]
joined = wandb.Artifact("joined", type="dataset")
joined.add(wandb.JoinedTable(numbers, wandb.Table(columns=["id", "img"], data=shades), "id"), "join")
logged(run, joined)
parts = wandb.Artifact("parts", type="dataset")
for number in range(3):
    parts.add(wandb.Table(columns=["n"], data=[[number]]), f"parts/p{number}")
parts.add(wandb.data_types.PartitionedTable("parts"), "pt")
logged(run, parts)
logged(run, with_files("src", {"inner.txt": "inner"}))
source = artifact("src:v0")
pointing = wandb.Artifact("dst", type="dataset")
pointing.add_reference(source.get_entry("inner.txt"), name="copy.txt")
logged(run, pointing)
draft = source.new_draft()
with draft.new_file("added.txt") as file:
    file.write("added")
logged(run, draft)
for number in range(2):
    run.upsert_artifact(with_files("dist", {f"part{number}.txt": str(number)}), distributed_id="job")
run.finish_artifact(with_files("dist", {"last.txt": "last"}), distributed_id="job").wait()
logged(run, with_files("inc", {"one.txt": "1"}))
logged(run, with_files("inc", {"two.txt": "2"}, incremental=True))
newer = tuple(map(int, wandb.__version__.split("."))) >= (0, 21)
if newer:
    growing = wandb.Table(columns=["step", "v"], log_mode="INCREMENTAL")
    changing = wandb.Table(columns=["step"], log_mode="MUTABLE")
    for step in range(3):
        growing.add_data(step, step * step)
        changing.add_data(step)
        run.log({"growing": growing, "changing": changing})
run.finish()

for name in ("refs", "dst", "src", "dist", "inc"):
    got = artifact(f"{name}:latest")
    folder = got.download(root=str(root / name))
    got.verify(root=folder)
    out[name] = {path: content.decode() for path, content in files_below(folder).items()}
read = artifact("joined:latest").get("join")
assert read._table2.data[2][1].image.getpixel((0, 0)) == (80, 80, 80)
out["joined"] = read._table1.data
out["partitioned"] = sorted(row[0] for _, row in artifact("parts:latest").get("pt").iterrows())
if newer:
    grown = artifact("run-combiner-incr-growing:latest")
    assert len(grown.manifest.entries) == 3, sorted(grown.manifest.entries)
    assert artifact("run-combiner-changing:latest").get("changing").data == [[0], [1], [2]]
print("OUT" + json.dumps(out))
"""
)


def told(at_once: AtOnce, version: str, script: str, project: str) -> dict[str, Any]:
    """What the script found out."""
    shown = at_once(version, script, project).stdout
    (line,) = (line for line in shown.splitlines() if line.startswith("OUT"))
    found: dict[str, Any] = json.loads(line.removeprefix("OUT"))
    return found


def test_log_and_use(at_once: AtOnce, version: str, doors: Doors) -> None:
    """What one run logs another reads byte for byte, under the names and versions that were given."""
    found = told(at_once, version, LOG_AND_USE, "artifacts-use")

    assert found["first"] == ["v0", ["best", "latest"], "COMMITTED", "dataset"]
    assert found["again"] == ["v0", ["again", "best", "latest"], True]
    assert found["second"] == ["v1", ["latest"]]
    assert found["table"] == [[1, "x"], [2, "y"]]
    assert found["best"] == ["v0", "first", {"k": 1, "nested": {"x": [1, 2]}}, ["again", "best"]]
    assert found["versions"] == ["v1", "v0"]
    assert found["types"] == ["dataset", "run_table"]
    assert found["logged"] == ["ds:v0", "ds:v1", "run-writer-plain:v0", "run-writer-table:v0"]
    assert found["used"] == ["ds:v0", "ds:v1", "run-writer-table:v0"]
    assert (found["files"]["a.txt"], found["files"]["empty"]) == (5000, 0)
    assert found["by"] == ["writer", ["reader"]]
    assert found["there"] == [True, True, False]

    place = f"/api/v1/projects/{doors.team}/artifacts-use-{version}"
    ours = doors.http.get(f"{place}/artifacts/ds/versions").json()["versions"]
    assert [(one["version"], one["aliases"]) for one in ours] == [(1, ["latest"]), (0, ["again", "best"])]
    content = doors.http.get(f"{place}/artifacts/ds/versions/best/files/a.txt").content
    assert content == b"alpha" * 1000
    listed = doors.http.get(f"{place}/runs/writer/artifacts").json()["versions"]
    assert sorted(one["collection"] for one in listed) == ["ds", "ds", "run-writer-plain", "run-writer-table"]


def test_edit(at_once: AtOnce, version: str) -> None:
    """Attributes, aliases, tags, links and collections change as the client says."""
    found = told(at_once, version, EDIT, "artifacts-edit")

    assert found["edited"] == [["extra"], "changed", {"new": [1, {"z": None}]}, ["t 2", "t1"], 3]
    assert found["again"] == [["t 2"], None]
    assert found["linked"] == ["v0", ["latest", "prod"], "model:v1"]
    assert found["relinked"] == ["v0", ["latest", "more", "prod"]]
    assert found["unlinked"] is False
    assert found["collection"] == ["about", ["ct"], True]
    assert found["renamed"] == [[], ["v2", "v1", "v0"]]
    assert "the artifact has aliases: a2, latest, shared" in found["refused"]
    assert found["latest"] == "v1"
    assert found["left"] is False


def test_combine(at_once: AtOnce, version: str) -> None:
    """References, drafts, parts of several processes, increments and tables of tables read back."""
    found = told(at_once, version, COMBINE, "artifacts-combine")

    assert found["refs"] == {"r/ref.txt": "by reference"}
    assert found["dst"] == {"copy.txt": "inner"}
    assert found["src"] == {"inner.txt": "inner", "added.txt": "added"}
    assert found["dist"] == {"part0.txt": "0", "part1.txt": "1", "last.txt": "last"}
    assert found["inc"] == {"one.txt": "1", "two.txt": "2"}
    assert found["joined"] == [[number, number * 2] for number in range(5)]
    assert found["partitioned"] == [0, 1, 2]
