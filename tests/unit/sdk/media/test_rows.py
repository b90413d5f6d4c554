"""Media within rows: where they go, in which order, and that a failed call leaves nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import runhue
from runhue import errors
from runhue._files import FILES, SpoolFiles
from runhue._media.media import Expanded, MediaSetting, path_of_key
from tests.unit.sdk.media.logged import log, logging

IMAGE = runhue.Image(np.zeros((2, 2), dtype=np.uint8))


class Chart(Expanded):
    """A value that is logged as its table."""

    def expanded(self, key: str) -> dict[str, Any]:
        return {f"{key}_table": runhue.Table(columns=["x"], data=[[1]])}

    def settings(self, key: str) -> Sequence[MediaSetting]:
        return [MediaSetting("chart", key, {"panel_type": "Vega2"})]


def test_files_come_before_the_row_that_names_them(tmp_path: Path) -> None:
    """In the spool a file's record stands ahead of its row's, and so do the settings of media."""
    with logging(tmp_path) as (run, logged):
        run.log({"a": IMAGE, "roc": Chart()})

    assert logged.kinds[-5:] == ["FileSaved", "FileSaved", "MediaShown", "RowValues", "WriterFinished"]


@pytest.mark.parametrize("bad", [object(), {"deep": [object()]}, [IMAGE, object()]])
def test_a_failed_call_leaves_nothing(tmp_path: Path, bad: object) -> None:
    """When one value of a call is refused, no record and no bytes of the others are kept."""
    with logging(tmp_path) as (run, logged):
        folder = Path(run.dir)
        with pytest.raises(errors.BadValue):
            run.log({"good": IMAGE, "list": [IMAGE, IMAGE], "bad": bad})
        assert list((folder / FILES).iterdir()) == []
        run.log({"good": IMAGE})

    assert [list(row) for _, row in logged.rows] == [["good"]]
    assert len(logged.files) == 1


def test_a_disk_that_takes_no_files_ends_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where files cannot be written the rest of the row is logged, and what is left out is said once."""
    with logging(tmp_path, silent=False) as (run, logged):
        (Path(run.dir) / FILES).write_text("no folder")
        for loss in (0.5, 0.25):
            run.log({"loss": loss, "image": IMAGE, "deep": {"array": np.arange(40)}})
        run.summary.update({"array": np.arange(40), "best": 0.25})
        said = capsys.readouterr().err
        (Path(run.dir) / FILES).unlink()
        run.log({"image": IMAGE})

    assert [list(row) for _, row in logged.rows] == [["loss", "deep"], ["loss", "deep"], ["image"]]
    assert logged.rows[0][1]["deep"]["array"]["_type"] == "histogram"
    assert logged.summary == {"best": 0.25}
    assert len(logged.files) == 1
    assert said.count("image is not logged, its file cannot be written: File exists") == 1


def test_known_contents_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long training's files are not all remembered; forgotten or not, every one is kept whole."""
    monkeypatch.setattr("runhue._files.KNOWN_CONTENTS", 2)
    contents = [bytes([number % 5]) for number in range(20)]
    files = SpoolFiles(tmp_path)

    names = [files.put(content)[0] for content in contents]

    assert [(tmp_path / FILES / name).read_bytes() for name in names] == contents
    assert len(files._names) == 2


def test_a_step_that_is_refused_keeps_no_file(tmp_path: Path) -> None:
    """Under strict steps a lower step is refused before anything is kept."""
    with logging(tmp_path, strict_steps=True) as (run, logged):
        run.log({"a": IMAGE}, step=3, commit=True)
        with pytest.raises(errors.StepWentBack):
            run.log({"a": IMAGE}, step=2)

    assert [path.split("_")[1] for path in logged.files] == ["3"]


def test_names_follow_key_and_step(tmp_path: Path) -> None:
    """A file has the innermost key and the row's step in its name; `/` makes folders."""
    values = {"val/scene": IMAGE, "outer": {"inner key": IMAGE}, "..": IMAGE}

    logged = log(tmp_path, values, step=7)

    sha256 = logged.rows[0][1]["val/scene"]["sha256"][:20]
    assert sorted(logged.files) == sorted(
        f"media/images/{name}_7_{sha256}.png" for name in ("val/scene", "inner key", "_")
    )


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "a/b"),
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/a//b/", "_/a/_/b/_"),
        ("a\\b\n", "a_b_"),
        ("über weird key!", "über weird key!"),
    ],
)
def test_no_key_leads_out_of_its_folder(key: str, path: str) -> None:
    """Parts of a key that a path must not have become underscores."""
    assert path_of_key(key) == path


def test_several_calls_of_one_step(tmp_path: Path) -> None:
    """Media of calls that fill one row have that row's step."""
    with logging(tmp_path) as (run, logged):
        run.log({"loss": 1.0})
        run.log({"a": IMAGE}, commit=False)
        run.log({"b": IMAGE})
        run.history.row["c"] = IMAGE
        run.history.add({"d": IMAGE})

    assert sorted(path.rpartition("_")[0].rpartition("/")[2] for path in logged.files) == [
        "a_1",
        "b_1",
        "c_2",
        "d_2",
    ]


def test_mixed_lists_keep_each_value(tmp_path: Path) -> None:
    """A list of several types is a list of what each is by itself."""
    row = log(tmp_path, {"mixed": [IMAGE, runhue.Html("x"), 3, np.arange(40)]}).rows[0][1]

    kinds = [part["_type"] if isinstance(part, dict) else part for part in row["mixed"]]
    assert kinds == ["image-file", "html-file", 3, "histogram"]


def test_charts_become_other_keys(tmp_path: Path) -> None:
    """A chart is logged as its table beside its own key, nested ones too, with how it is shown said once."""
    with logging(tmp_path) as (run, logged):
        run.log({"roc": Chart(), "eval": {"pr": Chart()}})
        run.log({"roc": Chart()})

    first, second = (row for _, row in logged.rows)
    assert (list(first), list(first["eval"]), list(second)) == (
        ["roc_table", "eval", "eval.pr_table"],
        [],
        ["roc_table"],
    )
    assert first["eval.pr_table"]["path"].startswith("media/table/eval.pr_table_0_")
    assert list(logged.settings) == [("chart", "roc"), ("chart", "eval.pr")]
    assert logged.kinds.count("MediaShown") == 2


def test_class_names_are_said_again_when_they_change(tmp_path: Path) -> None:
    """Names of classes are recorded at their first use and at a change, also for a nested key."""
    masks = [{"m": {"mask_data": np.zeros((2, 2)), "class_labels": {0: name}}} for name in ("a", "a", "b")]
    with logging(tmp_path) as (run, logged):
        for mask in masks:
            run.log({"outer": {"img": runhue.Image(np.zeros((2, 2)), masks=mask)}})

    assert logged.kinds.count("MediaShown") == 4
    for key in ("img", "outer.img"):
        assert logged.settings["mask_classes", f"{key}_wandb_delimeter_m"]["value"] == {"0": "b"}


def test_config_takes_no_media(tmp_path: Path) -> None:
    """What has no plain form becomes its text in the config, as ever."""
    with logging(tmp_path) as (run, logged):
        run.config["image"] = IMAGE
        assert isinstance(run.config["image"], str)

    assert logged.files == {}


def test_a_disabled_run_checks_and_keeps_nothing(tmp_path: Path) -> None:
    """Mode disabled refuses the same values, and writes no file."""
    settings = runhue.Settings(mode="disabled", dir=tmp_path, silent=True, reinit="create_new")
    with runhue.init(project="p", settings=settings) as run:
        run.log({"image": IMAGE, "frame": pd.DataFrame({"a": [1]})})
        run.save(__file__)
        with pytest.raises(errors.BadValue):
            run.log({"image": IMAGE, "bad": object()})

    assert list(tmp_path.rglob("*")) == []


def test_summary_and_history_give_back_what_is_stored(tmp_path: Path) -> None:
    """The summary has the last stored form of a logged image, the open row that of one put into it."""
    with logging(tmp_path) as (run, logged):
        run.log({"image": IMAGE})
        assert run.summary["image"]["_type"] == "image-file"
        run.history.row["other"] = IMAGE
        assert run.history.row["other"]["_type"] == "image-file"
        run.log({})

    assert [sorted(row) for _, row in logged.rows if row] == [["image"], ["other"]]


def test_module_function_saves(tmp_path: Path) -> None:
    """`runhue.save` acts on the current run."""
    (tmp_path / "a.txt").write_text("x")
    with logging(tmp_path / "run") as (_, logged):
        assert runhue.save(tmp_path / "a.txt", base_path=tmp_path, policy="now") == ["a.txt"]

    assert logged.files == {"a.txt": b"x"}
