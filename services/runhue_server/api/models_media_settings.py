"""What answers about custom charts and class labels look like."""

from typing import Any, Literal

from pydantic import Field

from runhue_server.api.models_runs import Answer


class Chart(Answer):
    """A custom chart: a logged table and the preset that draws it."""

    key: str
    kind: Literal["chart", "legacy_chart"]
    table_key: str = Field(description="the history key of its table", examples=["pr_table"])
    panel_def_id: str = Field(description="the preset, '' for none", examples=["wandb/line/v0"])
    fields: dict[str, Any] = Field(
        description="what the preset draws, by its own names: columns of the table"
    )
    strings: dict[str, Any] = Field(description="the preset's texts, such as title")
    value: dict[str, Any] = Field(description="the whole setting as it was sent")


class Charts(Answer):
    """The run's custom charts, by kind and key."""

    charts: list[Chart]


class ClassLabels(Answer):
    """Names of the classes in one mask or group of boxes of a media key."""

    kind: Literal["mask", "box"]
    key: str = Field(description="the media's history key")
    name: str = Field(description="the mask's or the group's name", examples=["predictions"])
    labels: dict[str, Any] = Field(
        description="names by class id", examples=[{"0": "background", "1": "car"}]
    )


class RunClassLabels(Answer):
    """Boxes before masks, then by key."""

    class_labels: list[ClassLabels]
