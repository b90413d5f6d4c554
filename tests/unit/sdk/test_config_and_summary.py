"""run.config and run.summary: reading, changing, and what is recorded of it."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from runhue import errors
from tests.unit.sdk.spooled import log_batch_of, offline_run


@dataclasses.dataclass
class Model:
    depth: int = 3


@dataclasses.dataclass
class Options:
    lr: float = 0.1
    model: Model = dataclasses.field(default_factory=Model)


def config_edits(spool: str) -> list[tuple[dict[str, Any], list[str]]]:
    return [(edit.values, edit.removed) for edit in log_batch_of(spool).config]


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ({"lr": 0.1, "layers": (1, 2)}, {"lr": 0.1, "layers": [1, 2]}),
        (argparse.Namespace(lr=0.1, name="x"), {"lr": 0.1, "name": "x"}),
        (Options(), {"lr": 0.1, "model": {"depth": 3}}),
        ({"device": object}, {"device": "<class 'object'>"}),
        ({1: "one"}, {"1": "one"}),
    ],
)
def test_update_takes_many_sources(tmp_path: Path, source: object, values: dict[str, Any]) -> None:
    """Dicts, Namespaces and dataclasses become one edit; what is no JSON becomes its str."""
    with offline_run(tmp_path) as run:
        run.config.update(source)
        assert run.config == values

    assert config_edits(run.dir) == [(values, [])]


@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
def test_update_reads_files(tmp_path: Path, name: str) -> None:
    """JSON and YAML files count too, also in wandb's form with value and desc."""
    path = tmp_path / name
    path.write_text(json.dumps({"lr": 0.1, "depth": {"desc": None, "value": 3}, "wandb_version": 1}))
    with offline_run(tmp_path) as run:
        run.config.update(str(path))

        assert run.config.as_dict() == {"lr": 0.1, "depth": 3}


def test_attributes_items_and_nesting(tmp_path: Path) -> None:
    """Keys are read and set by item or attribute; a nested change records its top-level key."""
    with offline_run(tmp_path, allow_val_change=True) as run:
        run.config.lr = 0.1
        run.config["model"] = {"depth": 3}
        run.config.model.depth = 4
        del run.config["lr"]
        run.config.setdefaults({"model": None, "seed": 1})
        assert run.config == {"model": {"depth": 4}, "seed": 1}
        assert "seed" in run.config
        with pytest.raises(AttributeError, match="no key 'lr'"):
            _ = run.config.lr

    assert config_edits(run.dir) == [
        ({"lr": 0.1}, []),
        ({"model": {"depth": 3}}, []),
        ({"model": {"depth": 4}}, []),
        ({}, ["lr"]),
        ({"seed": 1}, []),
    ]


def test_a_value_changes_only_when_asked(tmp_path: Path) -> None:
    """Another value for a key raises, sets nothing, and says how to allow it."""
    with offline_run(tmp_path) as run:
        run.config["lr"] = 0.1
        run.config["lr"] = 0.1
        with pytest.raises(errors.ConfigChanged, match="allow_val_change=True"):
            run.config.update({"lr": 0.2, "seed": 1})
        assert run.config == {"lr": 0.1}
        run.config.update({"lr": 0.2}, allow_val_change=True)

    assert config_edits(run.dir) == [({"lr": 0.1}, []), ({"lr": 0.2}, [])]


def test_summary_reads_the_last_logged_values(tmp_path: Path) -> None:
    """Each key's last value is there at once, nested ones by dotted name or by parts."""
    with offline_run(tmp_path) as run:
        run.log({"loss": 0.5, "val": {"acc": 0.1}})
        run.log({"loss": 0.25})
        run.log({"late": 1, "loss": 9.0}, step=0, commit=True)

        assert run.summary["loss"] == 0.25
        assert run.summary["val.acc"] == 0.1
        assert run.summary["val"]["acc"] == 0.1
        assert run.summary.val.acc == 0.1
        assert run.summary.get("missing", 7) == 7
        assert dict(run.summary) == {"loss": 0.25, "val": {"acc": 0.1}, "late": 1}


def test_summary_set_by_hand_wins_over_logged(tmp_path: Path) -> None:
    """A manual value stays whatever is logged later; only the last one set is sent."""
    with offline_run(tmp_path) as run:
        for step in range(5):
            run.summary["best"] = step
        run.summary.update({"note": "x", "nested": {"a": 1}})
        run.summary.best_epoch = 3
        run.summary["nested"]["a"] = 2
        run.log({"best": 100})
        assert run.summary["best"] == 4
        del run.summary["note"]

    edits = log_batch_of(run.dir).summary
    assert [(edit.values, edit.removed) for edit in edits] == [
        ({"best": 4, "nested.a": 2, "best_epoch": 3}, ["note"])
    ]


def test_summary_of_many_key_sets(tmp_path: Path) -> None:
    """Any number of different key sets is remembered."""
    with offline_run(tmp_path) as run:
        for number in range(1500):
            run.log({f"key{number}": number, "shared": number})

        assert (run.summary["key0"], run.summary["key1499"], run.summary["shared"]) == (0, 1499, 1499)


def test_definitions_are_checked(tmp_path: Path) -> None:
    """An unknown summary or goal, or a * inside a name, is an error that lists what there is."""
    with offline_run(tmp_path) as run:
        run.define_metric("acc", summary="max, last", goal="maximize", hidden=True)
        with pytest.raises(errors.UsageError, match="'median' is none of min, max"):
            run.define_metric("acc", summary="min,median")
        with pytest.raises(errors.UsageError, match="goal must be"):
            run.define_metric("acc", goal="up")
        with pytest.raises(errors.UsageError, match="at the end"):
            run.define_metric("a*b")

    (definition,) = log_batch_of(run.dir).metrics
    assert (definition.name, definition.summary, definition.goal, definition.hidden) == (
        "acc", ["max", "last"], "maximize", True,
    )  # fmt: skip


def test_alerts_of_one_title_keep_their_distance(tmp_path: Path) -> None:
    """The same title within `wait_duration` is sent once; levels are checked."""
    with offline_run(tmp_path) as run:
        for _ in range(3):
            run.alert("hot", "it burns", level="WARN")
        run.alert("hot", "again", wait_duration=0)
        with pytest.raises(errors.UsageError, match="info, warn or error"):
            run.alert("x", "y", level="fatal")

    assert [(alert.text, alert.level) for alert in log_batch_of(run.dir).alerts] == [
        ("it burns", "warn"),
        ("again", "info"),
    ]
