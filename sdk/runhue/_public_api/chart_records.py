"""What the API answers about custom charts and their presets, typed. Routes: docs/media.md, "The API"."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

ChartKind = Literal["chart", "legacy_chart"]
Library = Literal["vega", "vega-lite"]
Json = dict[str, Any]
"""What JSON has: specs, rows and fields are the users'."""


class ChartInfo(Struct, frozen=True):
    """A chart that a run logged: the key of its table, and how it is drawn, by the preset `panel_def_id`."""

    key: str
    kind: ChartKind
    table_key: str
    panel_def_id: str
    fields: Json = {}
    strings: Json = {}
    value: Json = {}


class ChartData(Struct, frozen=True):
    """The rows of a chart, and the name of the data source in its spec that they belong to."""

    name: str
    values: list[Json]


class Chart(Struct, frozen=True):
    """A chart, ready to be drawn: `spec` is None where `code` and `reason` say why.

    `rows` counts those of the table; `data` has fewer when `truncated`. `step` is the table's, None in the
    summary.
    """

    key: str
    kind: ChartKind
    preset: str
    library: Library | None
    spec: Json | None
    code: str | None
    reason: str | None
    data: ChartData
    rows: int
    truncated: bool
    step: int | None = None


class RunOfChart(Struct, frozen=True):
    """A run among several in a chart, and the state of its table; "missing": it has logged none."""

    run_id: str
    name: str
    state: str
    code: str | None
    reason: str | None
    step: int | None
    rows: int


class RunColumns(Struct, frozen=True):
    """The columns that say of which run a row is."""

    id: str
    name: str


class RunsChart(Chart, frozen=True, kw_only=True):
    """A chart of several runs: their rows behind one another."""

    runs: tuple[RunOfChart, ...]
    run_columns: RunColumns


class PresetRefusal(Struct, frozen=True):
    """Why a preset cannot be drawn; `field` is the place in its spec."""

    code: str
    field: str
    reason: str
    fix: str


class ChartPreset(Struct, frozen=True):
    """A preset that charts name by `id`: `fields` are the columns that it asks for, `strings` the texts.

    `library` is None for one that is refused; `spec` is empty in a list.
    """

    id: str
    title: str
    description: str
    built_in: bool
    library: Library | None
    fields: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    refused: PresetRefusal | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    spec: Json = {}


class ChartList(Struct, frozen=True):
    charts: Sequence[ChartInfo]


class PresetList(Struct, frozen=True):
    presets: list[ChartPreset]


class PresetEdit(Struct, frozen=True):
    """What a preset is to be; a title of "" is its name."""

    spec: Mapping[str, Any]
    title: str = ""
    description: str = ""
