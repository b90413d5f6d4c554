"""What requests and answers about chart presets and custom charts look like."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from runhue_server.api.models_runs import Answer, Body, Name, Seconds, Storable

Library = Literal["vega", "vega-lite"]
Title = Annotated[str, StringConstraints(max_length=500), Storable]
Description = Annotated[str, StringConstraints(max_length=5_000), Storable]


class PresetEdit(Body):
    """What a preset is, but for its name."""

    title: Title = ""
    description: Description = ""
    spec: dict[str, Any] = Field(
        description="Vega or Vega-Lite, 5 or later, with the rows of the chart as its data source `wandb`;"
        " ${field:x} is a column that charts name, ${string:title} a text",
        examples=[
            {
                "data": {"name": "wandb"},
                "mark": "bar",
                "encoding": {"x": {"field": "${field:x}", "type": "quantitative"}},
            }
        ],
    )


class NewPreset(PresetEdit):
    """A preset to make; its id will be `team/name`."""

    name: Name = Field(examples=["calibration"])


class PresetRefusal(Answer):
    """Why a preset that a wandb client made cannot be drawn."""

    code: str
    field: str = Field(description="the place in the spec", examples=["spec.encoding.x.type"])
    reason: str
    fix: str


class PresetInfo(Answer):
    """A preset without its spec."""

    id: str = Field(description="what charts name it by", examples=["wandb/line/v0"])
    title: str
    description: str
    built_in: bool
    library: Library | None = Field(description="null when it is refused")
    fields: list[str] = Field(description="the columns it asks for")
    strings: list[str] = Field(description="the texts it asks for")
    refused: PresetRefusal | None
    created_at: Seconds | None
    updated_at: Seconds | None


class Preset(PresetInfo):
    """A preset."""

    spec: dict[str, Any] = Field(description="with its placeholders")


class Presets(Answer):
    """The built-in presets, then the team's own by name."""

    presets: list[PresetInfo]


class ChartRows(Answer):
    """The rows of a chart, and the name under which the spec asks for them."""

    name: str = Field(examples=["wandb"])
    values: list[dict[str, Any]]


class DrawnChart(Answer):
    """A chart, ready to be drawn: put `data.values` where the spec's data source `data.name` is."""

    key: str
    kind: Literal["chart", "legacy_chart"]
    preset: str = Field(description="id of the preset, '' for none")
    library: Library | None
    spec: dict[str, Any] | None = Field(description="null when `code` says why there is none")
    code: str | None = Field(description="preset_unknown, or that of a refused preset")
    reason: str | None
    data: ChartRows
    rows: int = Field(description="rows of the table, or of all runs' tables")
    truncated: bool = Field(description="`data` has fewer rows, evenly spread")


class RunChart(DrawnChart):
    """A chart of one run; `step` is its table's, null when that was set in the summary."""

    step: int | None


class RunOfChart(Answer):
    """A run among several in a chart."""

    run_id: str
    name: str = Field(description="as `run_name` has it: with the id where several have one name")
    state: Literal["ready", "waiting", "awaited", "expired", "refused", "missing"] = Field(
        description="of its table; missing: it has not logged one"
    )
    code: str | None
    reason: str | None
    step: int | None
    rows: int


class RunColumns(Answer):
    """Columns of the rows that say which run a row is of; named so that no column of a table is hidden."""

    id: str = Field(examples=["run_id"])
    name: str = Field(examples=["run_name"])


class RunsChart(DrawnChart):
    """A chart of several runs: their rows behind one another, as the first run that has it draws it."""

    runs: list[RunOfChart]
    run_columns: RunColumns
