"""What answers about histograms over steps look like."""

from pydantic import Field

from runhue_server.api.models_runs import Answer, Number


class HistogramColumn(Answer):
    """Histograms of a bucket of steps, added up."""

    step: int = Field(description="the bucket's first step")
    last_step: int = Field(description="the last step of it that has a histogram")
    n: int = Field(description="histograms in it")


class RunHistograms(Answer):
    """The histograms of a run; empty when it has none."""

    run_id: str
    bucket: int = Field(description="steps that a column has, a power of two, aligned at step 0")
    n: int = Field(description="histograms in all columns")
    skipped: int = Field(description="values that are no histogram: edges or counts that are not finite")
    columns: list[HistogramColumn]
    counts: list[list[Number]] = Field(description="rows x columns, the lowest values first; [] as binary")


class Histograms(Answer):
    """Histograms over steps, of all runs on one grid of values."""

    key: str
    edges: list[float] = Field(description="rows + 1 ascending values: cell i lies between i and i + 1")
    runs: list[RunHistograms] = Field(description="in the order asked for")
