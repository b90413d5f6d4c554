"""Presets: what is refused and how it is said, what is filled, and that every built-in one draws."""

import json
import time
from typing import Any

import pytest
import vl_convert

from runhue_shared.charts.placeholders import Asked, Filling, asked, filled
from runhue_shared.charts.presets import Drawing, built_in, check_preset, drawn, merged
from runhue_shared.charts.refusals import PresetRefused
from tests.unit.charts.samples import SAMPLES

BARS: dict[str, Any] = {
    "data": {"name": "wandb"},
    "mark": "bar",
    "encoding": {"x": {"field": "${field:x}", "type": "quantitative", "title": "${string:title}"}},
}
POINTS: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega/v5.json",
    "data": [{"name": "wandb"}, {"name": "few", "source": "wandb", "transform": []}],
    "marks": [
        {"type": "symbol", "from": {"data": "few"}, "encode": {"enter": {"x": {"field": "${field:x}"}}}}
    ],
}


def at(spec: dict[str, Any], *path: str | int, put: Any) -> dict[str, Any]:
    """A copy of the spec with another value at a place."""
    copy: Any = json.loads(json.dumps(spec))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = put
    done: dict[str, Any] = copy
    return done


@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_presets_pass_their_own_check(name: str) -> None:
    """A built-in preset is one that a team could have made, for one run and for several."""
    preset = built_in()[name]

    assert check_preset(preset.spec) == "vega-lite"
    assert check_preset(merged(preset.spec, preset.several_runs)) == "vega-lite"
    assert preset.title
    assert preset.description


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_presets_draw(name: str, several: bool) -> None:
    """Every built-in preset compiles and draws its sample: its texts and one legend entry for each run."""
    preset, sample = built_in()[name], SAMPLES[name]
    run = {"name": "run_name", "id": "run_id"} if several else {}
    rows = [{**row, "run_name": each, "run_id": each} for each in ("red-1", "blue-2") for row in sample.rows]
    columns = set(sample.rows[0])

    spec = drawn(preset.spec, Drawing(sample.fields, sample.strings, columns, run), preset)

    assert "${" not in json.dumps(spec)
    shown = {**spec, "width": 300, "datasets": {"wandb": rows if several else sample.rows}}
    svg = vl_convert.vegalite_to_svg(shown, vl_version="6.4")
    assert all(text in svg for text in sample.strings.values())
    assert svg.count("mark-") > 2
    assert "NaN" not in svg
    assert "undefined" not in svg
    xs_of_runs = "xOffset" in json.dumps(preset.several_runs) and "color" not in json.dumps(
        preset.several_runs
    )
    if several and not xs_of_runs:
        assert ">red-1<" in svg
        assert ">blue-2<" in svg


def test_a_field_that_is_not_given_takes_its_channel_along() -> None:
    """A line without stroke has no color; a field without a word of the chart is the column of its name."""
    line = built_in()["wandb/line/v0"]
    plain = drawn(
        line.spec, Drawing({"x": "a", "y": "b", "stroke": None}, {}, {"a", "b", "stroke"}, {}), line
    )
    matrix = built_in()["wandb/confusion_matrix/v1"]
    legacy = drawn(matrix.spec, Drawing({}, {}, {"Predicted", "Actual", "Count"}, {}), matrix)

    assert set(plain["encoding"]) == {"x", "y"}
    assert "title" not in plain
    assert legacy["transform"][0]["calculate"] == "toNumber(datum['Count'])"
    assert legacy["encoding"]["x"]["field"] == "Predicted"


def test_names_are_put_in_as_their_place_needs_them() -> None:
    """A column with dots stays one field, one with quotes stays inside its quotes, a title is as it is."""
    spec = {
        "a": {"field": "${field:x}", "title": "${field:x}"},
        "b": "datum['${field:x}'] > 1",
        "c": ["${field:y}", "${field:x}", {"field": "${field:y}"}],
        "d": "${string:t}",
        "e": "at ${string:t}!",
        "text": "of ${field:x}",
        "f": "${string:none:default}",
        "g": {"name": "${history-table:rows:x-axis,key}"},
    }

    done = filled(spec, Filling({"x": "it's a.b[0]"}, {"t": "T"}, {}))

    assert done == {
        "a": {"field": "it\\'s a\\.b\\[0\\]", "title": "it's a.b[0]"},
        "b": "datum['it\\'s a.b[0]'] > 1",
        "c": ["it\\'s a\\.b\\[0\\]"],
        "d": "T",
        "e": "at T!",
        "text": "of it's a.b[0]",
        "f": "default",
        "g": {"name": "wandb"},
    }


def test_what_a_preset_asks_for() -> None:
    """Fields and strings are told in the order of the spec, each once."""
    assert asked([BARS, BARS, {"a": "${field:z} ${field:a}"}]) == Asked(("x", "z", "a"), ("title",))


@pytest.mark.parametrize(
    ("spec", "library"),
    [
        (BARS, "vega-lite"),
        (POINTS, "vega"),
        ({**BARS, "$schema": "https://vega.github.io/schema/vega-lite/v5.8.0.json"}, "vega-lite"),
        ({**BARS, "$schema": "https://vega.github.io/schema/vega-lite/v4.json"}, "vega-lite"),
        ({name: part for name, part in POINTS.items() if name != "$schema"}, "vega"),
        (at(BARS, "data", "name", put="runhue"), "vega-lite"),
        (at(BARS, "data", "name", put="${history-table:rows:x-axis,key}"), "vega-lite"),
        ({**BARS, "datasets": {"more": [{"url": "http://a", "href": "b"}]}}, "vega-lite"),
        ({**BARS, "mark": "image", "encoding": {"url": {"field": "${field:picture}"}}}, "vega-lite"),
        (at(POINTS, "data", 1, put={"name": "t", "values": [{"url": "http://a"}]}), "vega"),
        (at(BARS, "encoding", "x", "bin", put={"maxbins": 10}), "vega-lite"),
    ],
)
def test_presets_that_pass(spec: dict[str, Any], library: str) -> None:
    """Vega and Vega-Lite of any version from 5 on pass, with our rows under either name."""
    assert check_preset(spec) == library


@pytest.mark.parametrize(
    ("spec", "path", "says"),
    [
        ({}, "spec", "neither"),
        ({**BARS, "$schema": "https://json-schema.org/draft-07/schema"}, "spec.$schema", "vega"),
        ({**BARS, "$schema": 7}, "spec.$schema", "vega"),
        (at(BARS, "data", put={"url": "http://evil/a.csv"}), "spec.data.url", "loads"),
        (at(BARS, "data", put={"name": "other"}), "spec.data", "'wandb' or 'runhue'"),
        (at(BARS, "mark", put={"type": "image", "url": "http://evil/a.png"}), "spec.mark.url", "loads"),
        (at(BARS, "encoding", "url", put={"value": "http://evil"}), "spec.encoding.url", "loads"),
        (at(BARS, "encoding", "url", put={"field": "a", "value": "b"}), "spec.encoding.url", "loads"),
        (at(BARS, "encoding", "href", put={"field": "a"}), "spec.encoding.href", "address"),
        ({**BARS, "usermeta": {"embedOptions": {}}}, "spec.usermeta.embedOptions", "viewer"),
        (at(BARS, "mark", put={"type": "bar", "cursor": "URL( http://evil)"}), "spec.mark.cursor", "loads"),
        (at(POINTS, "data", 1, put={"name": "b", "url": "x.json"}), "spec.data[1].url", "loads"),
        (at(POINTS, "marks", 0, "encode", put={"enter": {"url": {"signal": "a"}}}),
            "spec.marks[0].encode.enter.url", "loads"),
        (at(BARS, "mark", put="lin"), "spec.mark", '"line"'),
        (at(BARS, "encoding", "x", "feild", put="a"), "spec.encoding.x.feild", "field"),
        (at(BARS, "encoding", "x", "type", put="quant"), "spec.encoding.x.type", '"quantitative"'),
        (at(BARS, "encoding", "x", "axis", put={"format": 3}), "spec.encoding.x.axis.format", "string"),
        ({**BARS, "surprise": 1}, "spec.surprise", "no such member"),
        (at(POINTS, "data", 1, "transform", put=[{"type": "filtre"}]),
            "spec.data[1].transform[0].type", '"filter"'),
        ({**BARS, "datasets": {"more": ["x" * 300_000]}}, "spec", "262144"),
    ],
)  # fmt: skip
def test_presets_that_are_refused(spec: dict[str, Any], path: str, says: str) -> None:
    """A refusal names the place and says what is wrong there or what is allowed."""
    with pytest.raises(PresetRefused) as refused:
        check_preset(spec)

    assert refused.value.path == path
    assert says in f"{refused.value.why} {refused.value.fix}"


def test_deep_presets_are_refused_in_time() -> None:
    """Whatever is nested in a preset, it is answered in seconds."""
    deep: dict[str, Any] = {"mark": "bar", "encoding": {"x": {"feild": 1}}}
    logic: dict[str, Any] = {"oops": 1}
    for _ in range(13):
        deep = {"vconcat": [deep], "resolve": {"scale": {"x": "odd"}}}
        logic = {"and": [logic, {"or": [logic]}]} if len(json.dumps(logic)) < 50_000 else {"not": logic}
    began = time.monotonic()

    for spec in ({**BARS, **deep}, {**BARS, "transform": [{"filter": logic}]}):
        with pytest.raises(PresetRefused):
            check_preset(spec)

    too_deep: dict[str, Any] = {}
    for _ in range(5_000):
        too_deep = {"a": too_deep}
    with pytest.raises(PresetRefused, match="32 levels"):
        check_preset(too_deep)
    assert time.monotonic() - began < 20
