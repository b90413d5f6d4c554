"""Real clients save files with a run, and read, put and delete them by their public API."""

import hashlib
import json

import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

SAVE = """
import os, sys, pathlib, numpy, wandb
project = sys.argv[1]
run = wandb.init(project=project, id="r1", config={"a": 1})
folder = pathlib.Path(run.dir)
(folder / "sub dir").mkdir()
(folder / "sub dir" / "gr\\u00fc\\u00dfe.txt").write_text("hello", encoding="utf-8")
(folder / "empty.txt").write_bytes(b"")
(folder / "big.bin").write_bytes(bytes(range(256)) * 40_000)
run.save(str(folder / "sub dir" / "gr\\u00fc\\u00dfe.txt"), base_path=str(folder))
run.save(str(folder / "empty.txt"), base_path=str(folder))
run.save(str(folder / "big.bin"), base_path=str(folder), policy="end")
image = wandb.Image(numpy.full((8, 8, 3), 200, dtype=numpy.uint8))
run.log({"loss": 1.0, "picture": image, "page": wandb.Html("<b>hi</b>")})
run.finish()
"""

READ = """
import hashlib, json, pathlib, sys, wandb
project = sys.argv[1]
api = wandb.Api()
run = api.run(f"{api.default_entity}/{project}/r1")
files = list(run.files(per_page=3))
out = {"names": [file.name for file in files], "count": len(run.files())}
for file in files:
    if file.name.startswith("wandb-metadata"):
        continue
    file.download(root="got", replace=True).close()
    content = pathlib.Path("got", file.name).read_bytes()
    assert len(content) == file.size, file.name
out["big"] = hashlib.sha256(pathlib.Path("got/big.bin").read_bytes()).hexdigest()
out["text"] = pathlib.Path("got/sub dir/gr\\u00fc\\u00dfe.txt").read_text(encoding="utf-8")
out["md5"] = run.file("big.bin").md5
out["missing"] = run.file("none.txt").md5
pathlib.Path("up").mkdir(exist_ok=True)
pathlib.Path("up/later one.txt").write_text("later")
uploaded = run.upload_file("up/later one.txt")
out["uploaded"] = [uploaded.name, uploaded.size]
out["restored"] = wandb.restore("up/later one.txt", run_path="/".join(run.path), root="again").read()
uploaded.delete()
run.file("empty.txt").delete()
out["left"] = [file.name for file in run.files(["up/later one.txt", "empty.txt"]) if file.md5 != "0"]
out["state"] = api.run(f"{api.default_entity}/{project}/r1").state
print(json.dumps(out))
"""

BY_PATTERN = """
import json, sys, wandb
api = wandb.Api()
run = api.run(f"{api.default_entity}/{sys.argv[1]}/r1")
print(json.dumps([file.name for file in run.files(pattern="media/images/%.png")]))
"""

MANY = """
import pathlib, sys, wandb
run = wandb.init(project=sys.argv[1], id="many")
folder = pathlib.Path(run.dir, "many")
folder.mkdir()
for number in range(1000):
    (folder / f"{number:04}.txt").write_text(str(number))
run.save(str(folder / "*"), base_path=run.dir)
run.finish()
"""


def test_files_of_a_run(client: WandbClient, doors: Doors, project: str) -> None:
    """Saved files and media arrive whole, and are read, put, restored and deleted by the public API."""
    client.run(SAVE, project)

    shown = client.run(READ, project).stdout.strip().splitlines()[-1]
    out = json.loads(shown)
    assert out["names"] == sorted(out["names"])
    assert out["count"] == len(out["names"])
    expected = {"sub dir/grüße.txt", "empty.txt", "big.bin", "config.yaml", "wandb-summary.json"}
    assert expected <= set(out["names"])
    assert [name for name in out["names"] if name.startswith("media/images/picture_0_")]
    assert [name for name in out["names"] if name.startswith("media/html/page_0_")]
    big = bytes(range(256)) * 40_000
    assert out["big"] == hashlib.sha256(big).hexdigest()
    assert out["text"] == "hello"
    assert out["missing"] == "0"
    assert out["uploaded"] == ["up/later one.txt", 5]
    assert out["restored"] == "later"
    assert out["left"] == []
    assert out["state"] == "finished"
    path = f"/api/v1/projects/{doors.team}/{project}/runs/r1/files"
    assert doors.http.get(f"{path}/big.bin").content == big


def test_pattern(newest: WandbClient, project: str) -> None:
    """Files are found by an SQL pattern."""
    newest.run(SAVE, project)

    names = json.loads(newest.run(BY_PATTERN, project).stdout.strip().splitlines()[-1])

    assert len(names) == 1
    assert names[0].startswith("media/images/picture_0_")


def test_a_thousand_files(newest: WandbClient, doors: Doors, project: str) -> None:
    """A thousand files of one run all arrive."""
    newest.run(MANY, project)

    path = f"/api/v1/projects/{doors.team}/{project}/runs/many/files"
    page = doors.http.get(path, params={"prefix": "many/", "limit": 1000}).json()
    assert [file["path"] for file in page["files"]] == [f"many/{number:04}.txt" for number in range(1000)]
    assert [file["size"] for file in page["files"]] == [len(str(number)) for number in range(1000)]
