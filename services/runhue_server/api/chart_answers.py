"""Custom charts, ready to be drawn: the preset filled in, and the rows."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runhue_server.api.chart_rows import ChartTable, Row, free_name, with_run
from runhue_server.api.media_setting_answers import chart_answer, is_labels
from runhue_server.api.preset_answers import checked, team_preset
from runhue_server.api.run_answers import JsonObject
from runhue_shared.charts.contents import Library, source_of
from runhue_shared.charts.placeholders import SOURCES
from runhue_shared.charts.presets import BuiltIn, Drawing, built_in, drawn
from runhue_shared.db import Transaction
from runhue_shared.db.keys import Principal
from runhue_shared.db.media_settings import StoredSetting

COLOR_INDEX = "_defaultColorIndex"
"""wandb's column for a run's place in the order of colors."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What a run says of one of its charts."""

    key: str
    kind: str
    table_key: str
    preset: str
    fields: Mapping[str, Any]
    strings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Design:
    """The spec that a chart names, with placeholders; `code` and `reason` when there is none."""

    spec: Mapping[str, Any] | None = None
    library: Library | None = None
    built_in: BuiltIn | None = None
    code: str | None = None
    reason: str | None = None


class RunRows(NamedTuple):
    """The table of one run; `name` tells it from all others."""

    run: str
    name: str
    table: ChartTable


def chart_named(settings: Sequence[StoredSetting], key: str) -> Chart | None:
    """The chart under a key, and else the legacy chart."""
    for setting in sorted(settings, key=lambda one: one.kind):
        if setting.key == key and not is_labels(setting):
            said = chart_answer(setting)
            fields = said["fields"] if said["kind"] == "chart" else {}
            return Chart(key, said["kind"], said["table_key"], said["panel_def_id"], fields, said["strings"])
    return None


def design_of(tx: Transaction, principal: Principal, preset: str) -> Design:
    """The preset of that id, of the key's team or built in."""
    known = built_in().get(preset)
    if known is not None:
        return Design(known.spec, "vega-lite", known)
    own = team_preset(tx, principal.team_id, principal.team_name, preset)
    if own is None:
        why = f"no preset {preset[:200]!r} is built in or of team {principal.team_name!r}"
        return Design(code="preset_unknown", reason=why)
    found = checked(own.spec)
    if found.refused is not None:
        return Design(code=found.refused.code, reason=f"{found.refused}; {found.refused.fix}")
    return Design(found.spec, found.library)


def run_chart(chart: Chart, design: Design, run: RunRows) -> JsonObject:
    """A chart of one run; its rows have wandb's `id` and `name` of the run, where the table has none."""
    said = _leaves(chart, run, 0)
    rows = with_run(run.table.rows, said)
    return {
        **_answer(chart, design, rows, _columns([run.table.rows]) | set(said), {}),
        "step": run.table.step,
        "rows": run.table.total,
        "truncated": len(rows) < run.table.total,
    }


def runs_chart(chart: Chart, design: Design, runs: Sequence[RunRows]) -> JsonObject:
    """A chart of several runs, whose rows say which run they are of."""
    tables = [run.table.rows for run in runs]
    columns = _columns(tables)
    of_run = {"id": free_name("run_id", columns), "name": free_name("run_name", columns)}
    said = [
        {of_run["id"]: run.run, of_run["name"]: run.name, **_leaves(chart, run, at)}
        for at, run in enumerate(runs)
    ]
    rows = list(itertools.chain(*(with_run(table, run) for table, run in zip(tables, said, strict=True))))
    known = columns.union(*said)
    count = sum(run.table.total for run in runs)
    return {
        **_answer(chart, design, rows, known, of_run if len(runs) > 1 else {}),
        "rows": count,
        "truncated": len(rows) < count,
        "runs": [_run_answer(run) for run in runs],
        "run_columns": of_run,
    }


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names of runs by id; those that several have are followed by the id."""
    counts = Counter(names.values())
    return {run: name if counts[name] == 1 else f"{name} ({run})" for run, name in names.items()}


def _answer(
    chart: Chart, design: Design, rows: Sequence[Row], columns: set[str], of_run: Mapping[str, str]
) -> JsonObject:
    spec = None
    if design.spec is not None:
        spec = drawn(design.spec, Drawing(chart.fields, chart.strings, columns, of_run), design.built_in)
    return {
        "key": chart.key,
        "kind": chart.kind,
        "preset": chart.preset,
        "library": design.library,
        "spec": spec,
        "code": design.code,
        "reason": design.reason,
        "data": {"name": (spec and source_of(spec)) or SOURCES[0], "values": rows},
    }


def _columns(tables: Sequence[Sequence[Row]]) -> set[str]:
    """All columns: the rows of a table have the same."""
    return set(itertools.chain(*(table[0] for table in tables if table)))


def _leaves(chart: Chart, run: RunRows, place: int) -> dict[str, Any]:
    """What wandb's page adds to each row, for presets and charts that draw by it."""
    said: dict[str, Any] = {"id": run.run, "name": run.name}
    if COLOR_INDEX in json.dumps(list(chart.fields.values())):
        said[COLOR_INDEX] = place
    return said


def _run_answer(run: RunRows) -> JsonObject:
    table = run.table
    return {
        "run_id": run.run,
        "name": run.name,
        "state": table.state,
        "code": table.code,
        "reason": table.reason,
        "step": table.step,
        "rows": table.total,
    }
