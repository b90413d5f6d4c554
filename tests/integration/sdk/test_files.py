"""Files of a run on their way from a training process to the blob store."""

from pathlib import Path

import pytest

import runhue
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.ingest_server import IngestServer
from tests.integration.sdk.stored_files import StoredFile, stored_files


def test_saved_files_keep_their_relative_paths(
    run_settings: RunSettings, ingest: IngestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern below the working directory is saved under the same paths, byte for byte."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "deep").mkdir(parents=True)
    contents = {"out/a.txt": b"alpha", "out/deep/b.bin": bytes(range(256)) * 999, "out/empty.txt": b""}
    for path, content in contents.items():
        (tmp_path / path).write_bytes(content)
    with runhue.init(project="files", id="relative", settings=run_settings()) as run:
        saved = run.save("out/**", policy="now")
    assert sorted(saved) == sorted(contents)
    assert stored_files("relative") == {path: StoredFile.of(content) for path, content in contents.items()}
