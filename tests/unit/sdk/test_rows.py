"""What rows a sequence of log() calls makes: the documented semantics, and a model of them."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue import errors
from tests.unit.sdk.spooled import batch_of, offline_run, rows_of


def test_each_call_is_a_step_from_0(tmp_path: Path) -> None:
    """Without `step`, calls count up from 0."""
    with offline_run(tmp_path) as run:
        run.log({"loss": 0.5})
        run.log({"loss": 0.25, "epoch": 1})

    assert rows_of(run.dir) == [(0, {"loss": 0.5}), (1, {"loss": 0.25, "epoch": 1})]


def test_same_step_merges_into_one_row(tmp_path: Path) -> None:
    """Calls that name the same step collect in one row, which another step completes."""
    with offline_run(tmp_path) as run:
        run.log({"a": 1}, step=3)
        run.log({"b": 2}, step=3)
        run.log({"a": 5}, step=4)

    assert rows_of(run.dir) == [(3, {"a": 1, "b": 2}), (4, {"a": 5})]


def test_commit_false_accumulates(tmp_path: Path) -> None:
    """`commit=False` fills the open row, and the next call without a step completes it."""
    with offline_run(tmp_path) as run:
        run.log({"loss": 0.2}, commit=False)
        run.log({"accuracy": 0.8})
        run.log({"loss": 0.1})

    assert rows_of(run.dir) == [(0, {"loss": 0.2, "accuracy": 0.8}), (1, {"loss": 0.1})]


def test_lower_step_is_kept(tmp_path: Path) -> None:
    """A lower step than before makes a row there; counting goes on behind the highest."""
    with offline_run(tmp_path) as run:
        run.log({"a": 1}, step=10)
        run.log({"late": 2}, step=4)
        run.log({"later": 3}, step=5, commit=True)
        run.log({"b": 4})

    assert rows_of(run.dir) == [(10, {"a": 1}), (4, {"late": 2}), (5, {"later": 3}), (11, {"b": 4})]


def test_strict_steps_raise(tmp_path: Path) -> None:
    """Under strict steps a lower step raises and logs nothing."""
    with offline_run(tmp_path, strict_steps=True) as run:
        run.log({"a": 1}, step=10)
        with pytest.raises(errors.StepWentBack, match="step 4 comes after step 10"):
            run.log({"late": 2}, step=4)

    assert rows_of(run.dir) == [(10, {"a": 1})]


def test_finish_writes_the_open_row(tmp_path: Path) -> None:
    """A row that is open at the end is kept."""
    with offline_run(tmp_path) as run:
        run.log({"a": 1}, commit=False)

    assert rows_of(run.dir) == [(0, {"a": 1})]


def test_history_row_and_add(tmp_path: Path) -> None:
    """`history.row` is the open row, to be changed by hand; `add` completes it."""
    with offline_run(tmp_path) as run:
        run.history.row["loss"] = 1.0
        run.history.row["typo"] = 2
        del run.history.row["typo"]
        run.history.row.update({"lr": 0.1})
        assert dict(run.history.row) == {"loss": 1.0, "lr": 0.1}
        run.history.add({"accuracy": 0.5})
        assert dict(run.history.row) == {}
        run.history.add({"accuracy": 0.75})

    assert rows_of(run.dir) == [(0, {"loss": 1.0, "lr": 0.1, "accuracy": 0.5}), (1, {"accuracy": 0.75})]


def test_rows_carry_their_times(tmp_path: Path) -> None:
    """Each row has its wall time and the seconds the run has run; times given by hand win."""
    before = time.time()
    with offline_run(tmp_path) as run:
        run.log({"a": 1})
        run.log({"a": 2, "_timestamp": 5.0})

    first, second = (values for _, _, values in batch_of(run.dir).rows)
    assert before <= first["_timestamp"] <= time.time()
    assert 0 <= first["_runtime"] <= second["_runtime"] < 60
    assert second["_timestamp"] == 5.0


def test_nested_values_are_flattened(tmp_path: Path) -> None:
    """Nested dicts become dotted keys; media values stay whole."""
    with offline_run(tmp_path) as run:
        run.log({"val": {"loss": 1.0, "by_class": {0: 0.5}}, "image": {"_type": "image-file", "path": "x"}})

    image = {"_type": "image-file", "path": "x"}
    assert rows_of(run.dir) == [(0, {"val.loss": 1.0, "val.by_class.0": 0.5, "image": image})]


def test_last_step_there_is(tmp_path: Path) -> None:
    """Steps go up to 2**63 - 1; beyond it nothing is logged without naming a step."""
    with offline_run(tmp_path) as run:
        run.log({"a": 1}, step=2**63 - 1, commit=True)
        with pytest.raises(errors.UsageError, match="last there is"):
            run.log({"a": 2})
        with pytest.raises(errors.UsageError, match="step must be 0 to"):
            run.log({"a": 2}, step=-1)
        with pytest.raises(errors.UsageError, match="step must be 0 to"):
            run.log({"a": 2}, step=2**63)
        with pytest.raises(TypeError, match="step must be an int"):
            run.log({"a": 2}, step=1.5)  # type: ignore[arg-type]  # what a careless script passes

    assert rows_of(run.dir) == [(2**63 - 1, {"a": 1})]


def test_log_after_finish_raises(tmp_path: Path) -> None:
    """A finished run takes no more data, and says so."""
    with offline_run(tmp_path) as run:
        pass

    with pytest.raises(errors.RunFinished):
        run.log({"a": 1})


def test_step_metric_is_filled_in(tmp_path: Path) -> None:
    """A metric with a step metric always has its last value beside it."""
    with offline_run(tmp_path) as run:
        run.define_metric("epoch")
        run.define_metric("val/*", step_metric="epoch")
        run.log({"epoch": 1, "loss": 0.5})
        run.log({"val/loss": 0.4})
        run.log({"loss": 0.3})
        run.log({"val/loss": 0.2, "epoch": 7})

    assert rows_of(run.dir) == [
        (0, {"epoch": 1, "loss": 0.5}),
        (1, {"val/loss": 0.4, "epoch": 1}),
        (2, {"loss": 0.3}),
        (3, {"val/loss": 0.2, "epoch": 7}),
    ]


class ModelRun:
    """The semantics of log() in a few lines, row by row."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.row: dict[str, Any] = {}
        self.row_step: int | None = None
        self.next_step = 0

    def log(self, values: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        wanted = step if step is not None else self.next_step if self.row_step is None else self.row_step
        if self.row_step is not None and self.row_step != wanted:
            self.write()
        self.row_step = wanted
        self.next_step = max(self.next_step, wanted + 1)
        self.row.update(values)
        if commit or (commit is None and step is None):
            self.write()

    def write(self) -> None:
        if self.row_step is not None and self.row:
            self.rows.append((self.row_step, self.row))
        self.row, self.row_step = {}, None


values = st.dictionaries(
    st.sampled_from("abc"), st.one_of(st.integers(), st.floats(allow_nan=False)), max_size=3
)
steps = st.one_of(st.none(), st.integers(0, 6))
commits = st.sampled_from([None, True, False])
calls = st.one_of(
    st.tuples(st.just("log"), values, steps, commits),
    st.tuples(st.just("row"), st.sampled_from("abc"), st.integers()),
    st.tuples(st.just("drop"), st.sampled_from("abc")),
    st.tuples(st.just("add"), values),
    st.tuples(st.just("config")),
)


@given(script=st.lists(calls, max_size=25))
def test_any_script_makes_the_rows_of_the_model(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[Any, ...]]
) -> None:
    """Whatever is called in whatever order, rows are those of the model."""
    model = ModelRun()
    with offline_run(tmp_path_factory.mktemp("run"), segment_bytes=200) as run:
        for number, (call, *arguments) in enumerate(script):
            if call == "log":
                run.log(*arguments)
                model.log(*arguments)
            elif call == "row":
                run.history.row[arguments[0]] = arguments[1]
                model.log({arguments[0]: arguments[1]}, commit=False)
            elif call == "drop" and arguments[0] in run.history.row:
                del run.history.row[arguments[0]]
                del model.row[arguments[0]]
            elif call == "add":
                run.history.add(arguments[0])
                model.log(arguments[0], commit=True)
            elif call == "config":
                run.config[f"key{number}"] = number
            assert dict(run.history.row) == model.row
    model.write()

    assert rows_of(run.dir) == model.rows
