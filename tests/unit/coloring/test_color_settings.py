"""What color settings are accepted, and which field a refusal names: S2."""

import json

import pytest

from runhue_shared.coloring.settings import (
    ClipRange,
    ColorKey,
    ColorSettings,
    InvalidSettings,
    parse_settings,
    settings_as_json,
)

ACC = {"source": "metric", "name": "acc"}


def test_documented_settings() -> None:
    """The settings of the documented example: metric acc, Y value Max, six buckets (seed 000)."""
    assert parse_settings({"key": ACC, "y": "max", "buckets": 6, "palette": "default"}) == ColorSettings(
        key=ColorKey("metric", "acc"), y="max", buckets=6, palette="default"
    )


@pytest.mark.parametrize("obj", [{}, {"key": None}])
def test_without_a_key_runs_keep_their_own_colors(obj: object) -> None:
    """Key-based coloring is off until a key is chosen."""
    assert parse_settings(obj) == ColorSettings()


@pytest.mark.parametrize("buckets", range(2, 9))
def test_two_to_eight_buckets(buckets: int) -> None:
    """ "Set the number of buckets to a value from 2 to 8" (seed 001)."""
    assert parse_settings({"buckets": buckets}).buckets == buckets


@pytest.mark.parametrize("name", ["relative_time_process", "relative_time_wall", "wall_time", "step"])
def test_default_metrics(name: str) -> None:
    """The four metrics that every run has (seed 001)."""
    key = {"source": "default", "name": name, "type": "number"}

    assert parse_settings({"key": key}).key == ColorKey("default", name, "number")


@pytest.mark.parametrize(
    "obj",
    [
        {
            "key": {"source": "config", "name": "optimizer", "type": "string"},
            "y": "min",
            "palette": "cvd-other",
        },
        {"key": ACC, "scale": "custom", "buckets": 3, "boundaries": [0.5, 0.9]},
        {"key": ACC, "scale": "log", "range": {"min": 1e-5}, "stability": "stable"},
        {"key": ACC, "range": {}, "per_group": True, "population": "visible"},
        {"key": ACC, "midpoint": 0, "reverse": True, "overrides": {"3k9xq2aa": "#1a2b3c"}},
        {"key": ACC, "scale": "quantile", "coerce_numeric_strings": True, "stability": "pinned"},
    ],
)
def test_settings_survive_json(obj: object) -> None:
    """What is stored is what was asked for."""
    settings = parse_settings(obj)

    assert parse_settings(json.loads(json.dumps(settings_as_json(settings)))) == settings


def test_settings_as_json_shows_every_field() -> None:
    """A reader sees the defaults too."""
    assert settings_as_json(parse_settings({"key": ACC, "range": {"max": 2}})) == {
        "key": {"source": "metric", "name": "acc", "type": None},
        "y": "latest",
        "buckets": 6,
        "palette": "default",
        "scale": "linear",
        "boundaries": None,
        "range": {"min": None, "max": 2.0},
        "midpoint": None,
        "reverse": False,
        "overrides": {},
        "per_group": False,
        "population": "workspace",
        "coerce_numeric_strings": False,
        "stability": "live",
    }


def test_numbers_become_doubles() -> None:
    """Integers are accepted as numbers, and -0.0 as zero (S4, S4b)."""
    settings = parse_settings({"range": {"min": 2**53 + 1, "max": -0.0}})

    assert settings.range == ClipRange(9007199254740992.0, 0.0)


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (None, "settings"),
        ([], "settings"),
        ({1: 2}, "settings"),
        ({"bucket": 6}, "bucket"),
        ({"buckets": 1}, "buckets"),
        ({"buckets": 9}, "buckets"),
        ({"buckets": True}, "buckets"),
        ({"buckets": 6.0}, "buckets"),
        ({"buckets": "6"}, "buckets"),
        ({"buckets": None}, "buckets"),
        ({"y": "mean"}, "y"),
        ({"y": None}, "y"),
        ({"y": ["max"]}, "y"),
        ({"palette": "viridis"}, "palette"),
        ({"key": "acc"}, "key"),
        ({"key": {}}, "key"),
        ({"key": {"source": "metric"}}, "key"),
        ({"key": {"name": "acc"}}, "key"),
        ({"key": {"source": "summary", "name": "acc"}}, "key"),
        ({"key": {"source": "metric", "name": ""}}, "key"),
        ({"key": {"source": "metric", "name": 3}}, "key"),
        ({"key": {**ACC, "kind": "number"}}, "key"),
        ({"key": {**ACC, "type": "other"}}, "key.type"),
        ({"key": {**ACC, "type": 1}}, "key.type"),
        ({"key": {"source": "default", "name": "acc"}}, "key"),
        ({"key": {"source": "default", "name": "step", "type": "string"}}, "key.type"),
        ({"scale": "sqrt"}, "scale"),
        ({"scale": None}, "scale"),
        ({"scale": "custom"}, "boundaries"),
        ({"boundaries": [1, 2, 3, 4, 5]}, "boundaries"),
        ({"scale": "custom", "boundaries": 0.5}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [1]}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [1, 1]}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [2, 1]}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [1, float("inf")]}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [1, "2"]}, "boundaries"),
        ({"scale": "custom", "buckets": 3, "boundaries": [False, True]}, "boundaries"),
        ({"range": 3}, "range"),
        ({"range": {"low": 3}}, "range"),
        ({"range": {"min": "3"}}, "range"),
        ({"range": {"min": float("nan")}}, "range"),
        ({"range": {"max": 10**400}}, "range"),
        ({"scale": "log", "range": {"min": 0}}, "range"),
        ({"scale": "quantile", "range": {"min": 0}}, "range"),
        ({"midpoint": "0"}, "midpoint"),
        ({"midpoint": 1e308}, "midpoint"),
        ({"midpoint": 0, "scale": "log"}, "midpoint"),
        ({"midpoint": 0, "range": {"min": -1}}, "midpoint"),
        ({"overrides": []}, "overrides"),
        ({"overrides": {"r1": "red"}}, "overrides"),
        ({"overrides": {"r1": "#12345"}}, "overrides"),
        ({"overrides": {"r1": "#123456\n"}}, "overrides"),
        ({"overrides": {"r1": None}}, "overrides"),
        ({"reverse": 1}, "reverse"),
        ({"per_group": "yes"}, "per_group"),
        ({"per_group": True, "key": {**ACC, "type": "string"}}, "per_group"),
        ({"population": "all"}, "population"),
        ({"coerce_numeric_strings": 0}, "coerce_numeric_strings"),
        ({"stability": "frozen"}, "stability"),
    ],
)
def test_refusal_names_the_field(obj: object, field: str) -> None:
    """Anything else is refused with the field at fault (S2)."""
    with pytest.raises(InvalidSettings) as refused:
        parse_settings(obj)

    assert (refused.value.code, refused.value.field) == ("invalid_settings", field)
    assert str(refused.value) == f"{field}: {refused.value.message}"
