"""`run.save()` while the run ends: nothing hangs, nothing is left out."""

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from runhue import _saved_files
from runhue._saved_files import SavedFiles
from tests.waiting import eventually


def warned(sentence: str) -> None:
    raise AssertionError(sentence)


def test_a_run_may_end_within_save(tmp_path: Path) -> None:
    """A signal handler that finishes the run while a file is copied waits for nobody: the copy is its own."""
    (tmp_path / "now.txt").write_text("now")
    (tmp_path / "end.txt").write_text("end")
    kept: list[str] = []

    def keep(files: Iterable[tuple[Path, str]]) -> None:
        for _, name in files:
            if name == "now.txt":
                saved.finish()
            kept.append(name)

    saved = SavedFiles(None, keep, warned)
    saved.save(tmp_path / "end.txt", tmp_path, "end", expand=False)

    saving = threading.Thread(
        target=saved.save, args=(tmp_path / "now.txt", tmp_path, "now", False), daemon=True
    )
    saving.start()
    saving.join(30)

    assert kept == ["end.txt", "now.txt"]


def test_a_copy_under_way_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`finish()` comes back once the watcher has kept the content that it was copying."""
    monkeypatch.setattr(_saved_files, "LOOK_SECONDS", 0.01)
    file = tmp_path / "live.txt"
    file.write_text("first")
    kept: list[str] = []
    copying, may_end = threading.Event(), threading.Event()

    def keep(files: Iterable[tuple[Path, str]]) -> None:
        content = [source.read_text() for source, _ in files]
        if content != ["first"]:
            copying.set()
            assert may_end.wait(60)
        kept.extend(content)

    saved = SavedFiles(None, keep, warned)
    saved.save(file, tmp_path, "live", expand=False)
    file.write_text("second, longer")
    assert copying.wait(60)
    ending = threading.Thread(target=saved.finish)
    ending.start()
    assert eventually(saved._stopping.is_set)
    ending.join(0.2)
    was_waiting = ending.is_alive()
    may_end.set()
    ending.join(60)

    assert was_waiting
    assert kept == ["first", "second, longer"]
