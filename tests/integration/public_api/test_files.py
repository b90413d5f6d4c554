"""Files of stored runs through `Api()`, with a real stack."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

import runhue
from runhue import errors
from runhue._public_api import Api, AsyncApi, Run
from tests.integration.public_api.running import Lab

CONTENTS = {
    "empty.txt": b"",
    "model/weights.bin": bytes(range(256)) * 9000,
    "odd name #1?.txt": b"odd",
    "plots/a.svg": b"<svg/>",
}


def saved(lab: Lab, project: str, contents: Mapping[str, bytes], folder: Path) -> Run:
    """A run with these files by path."""
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    with runhue.init(project=project, id="r", settings=lab.settings()) as run:
        run.save(folder / "**", base_path=folder, policy="now")
    return lab.api.run(f"{project}/r")


def test_listed_files_say_what_they_are(lab: Lab, project: str, tmp_path: Path) -> None:
    """Files come in order of their paths with size, hash and type; a prefix leaves the others out."""
    stored = saved(lab, project, CONTENTS, tmp_path / "out")

    files = stored.files()

    assert [file.path for file in files] == sorted(CONTENTS)
    assert {file.path: file.size for file in files} == {
        path: len(content) for path, content in CONTENTS.items()
    }
    assert all(file.sha256 == hashlib.sha256(CONTENTS[file.path]).hexdigest() for file in files)
    assert stored.file("plots/a.svg").mimetype == "image/svg+xml"
    assert [file.path for file in stored.files("model/")] == ["model/weights.bin"]


def test_bytes_come_back_as_they_were(lab: Lab, project: str, tmp_path: Path) -> None:
    """Reading, downloading and the file's own address give the same bytes that were saved."""
    stored = saved(lab, project, CONTENTS, tmp_path / "out")

    for file in stored.files():
        assert file.read() == CONTENTS[file.path]
        written = file.download(tmp_path / "down")
        assert written == tmp_path / "down" / file.path
        assert written.read_bytes() == CONTENTS[file.path]
        assert httpx.get(file.url, follow_redirects=True).content == CONTENTS[file.path]
    assert not list((tmp_path / "down").rglob("*.part"))


def test_a_download_replaces_only_when_told(lab: Lab, project: str, tmp_path: Path) -> None:
    """A file that is there is kept, unless `replace` is given."""
    file = saved(lab, project, {"a.txt": b"stored"}, tmp_path / "out").file("a.txt")
    (tmp_path / "a.txt").write_bytes(b"mine")

    with pytest.raises(FileExistsError, match="replace=True"):
        file.download(tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == b"mine"
    file.download(tmp_path, replace=True)
    assert (tmp_path / "a.txt").read_bytes() == b"stored"


def test_upload_replace_and_delete(lab: Lab, project: str, tmp_path: Path) -> None:
    """A file is added to a finished run, replaced by its path, and deleted, each of it twice."""
    lab.log(project, "r", [{"loss": 1.0}])
    stored = lab.api.run(f"{project}/r")
    (tmp_path / "deep").mkdir()
    source = tmp_path / "deep" / "note.md"
    for content in (b"first", b"second", b"second"):
        source.write_bytes(content)
        assert stored.upload_file("deep/note.md", root=tmp_path).path == "deep/note.md"
        assert stored.file("deep/note.md").read() == content

    for _ in range(2):
        stored.upload_file(source, root=tmp_path).delete()
        assert stored.files() == []
    with pytest.raises(errors.ServerRefused) as refused:
        stored.file("deep/note.md")
    assert refused.value.code == "file_not_found"


def test_a_path_outside_its_root_is_not_uploaded(lab: Lab, project: str, tmp_path: Path) -> None:
    """Only what is below `root` has a path in the run."""
    lab.log(project, "r", [{"loss": 1.0}])
    (tmp_path / "root").mkdir()
    (tmp_path / "other.txt").write_text("x")

    with pytest.raises(ValueError, match="not within"):
        lab.api.run(f"{project}/r").upload_file("../other.txt", root=tmp_path / "root")


def test_files_with_asyncio(lab: Lab, project: str, tmp_path: Path) -> None:
    """AsyncApi lists, uploads, reads, downloads and deletes the same."""
    saved(lab, project, CONTENTS, tmp_path / "out")
    (tmp_path / "more.bin").write_bytes(b"more" * 1_000_000)

    async def use() -> None:
        async with AsyncApi(lab.stack.api_url, lab.stack.api_key) as api:
            run = await api.run(f"{project}/r")
            uploaded = await run.upload_file("more.bin", root=tmp_path)
            assert (await (await run.file("more.bin")).read()) == b"more" * 1_000_000
            assert (await uploaded.download(tmp_path / "down")).read_bytes() == b"more" * 1_000_000
            await uploaded.delete()
            assert [file.path for file in await run.files()] == sorted(CONTENTS)

    asyncio.run(use())


def test_more_files_than_one_page(api: Api, lab: Lab, project: str, tmp_path: Path) -> None:
    """Every file is listed however many pages that takes."""
    contents = {f"many/{number:04}.txt": str(number).encode() for number in range(1_100)}

    stored = saved(lab, project, contents, tmp_path / "out")

    assert [file.path for file in stored.files()] == sorted(contents)
