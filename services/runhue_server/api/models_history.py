"""What answers about metrics and history look like."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runhue_server.api.models_runs import Answer, Number


class MetricType(Answer):
    """A type of a metric, and how many runs have it."""

    type: str = Field(examples=["number"])
    runs: int


class ProjectMetric(Answer):
    """A metric of a project; `name` as it was first spelled."""

    name: str
    types: list[MetricType]


class ProjectMetrics(Answer):
    """A page of metrics by name; `next` is the cursor of the next page."""

    metrics: list[ProjectMetric]
    next: str | None


class RunMetric(Answer):
    """One metric of a run, of one type, exact over all its points. `min` and `max` are over finite points."""

    name: str
    type: str
    n: int
    first_step: int
    last_step: int
    last: Any  # as it was logged
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    nan_count: int
    inf_count: int
    definition: dict[str, Any] | None = Field(None, description="what `define_metric` said")


class RunMetrics(Answer):
    """By name and type."""

    metrics: list[RunMetric]


class Point(Answer):
    """A bucket, or one point. `min` and `max` are over finite points, null when there is none."""

    step: int = Field(description="the bucket's first step")
    last: Number
    min: float | None
    max: float | None
    count: int
    non_finite: int = Field(description="points that are NaN or infinite")
    x: Number | None = Field(None, description="value of the key `x` where the bucket ends")


class Series(Answer):
    """One metric in buckets of `bucket` steps, aligned at step 0; `n` points are in them."""

    key: str
    type: Literal["number"]
    reduced: bool
    bucket: int
    n: int
    points: list[Point]


class RunSeries(Series):
    """The same of one of many runs."""

    run_id: str


class History(Answer):
    series: list[Series]


class ProjectHistory(Answer):
    series: list[RunSeries]


class Row(BaseModel):
    """All that was logged at one step."""

    model_config = ConfigDict(extra="allow")

    step: int = Field(alias="_step")


class Rows(Answer):
    """A page of rows by step; `next` is the `after` of the next page."""

    rows: list[Row]
    next: int | None
