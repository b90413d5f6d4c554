"""`run.define_metric()`: what a metric's x-axis, summary and goal are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from runhue._errors import UsageError
from runhue._records import MetricDefined
from runhue._values import check_key
from runhue_shared.events import MetricSummary

GOALS = {"minimize": "minimize", "maximize": "maximize", "min": "minimize", "max": "maximize"}


@dataclass(frozen=True)
class Metric:
    """A definition as it was recorded. `name` may end in `*`."""

    name: str
    step_metric: str | None
    step_sync: bool
    hidden: bool
    summary: tuple[str, ...]
    goal: str | None

    def record(self) -> MetricDefined:
        """The form that is spooled."""
        return MetricDefined(self.name, self.step_metric, list(self.summary), self.goal, self.hidden)

    def covers(self, key: str) -> bool:
        """True when the definition is about this key."""
        return key.startswith(self.name[:-1]) if self.name.endswith("*") else key == self.name


def metric_definition(
    name: str,
    step_metric: "str | Metric | None",
    step_sync: bool | None,
    hidden: bool | None,
    summary: str | None,
    goal: str | None,
) -> Metric:
    """A checked definition.

    Raises:
        UsageError: a summary or goal that does not exist, or `*` inside a name.
    """
    check_key(name)
    if "*" in name[:-1]:
        raise UsageError(f"define_metric: * is allowed at the end of a name only, got {name!r}")
    axis = step_metric.name if isinstance(step_metric, Metric) else step_metric
    if axis is not None:
        check_key(axis)
    sync = axis is not None if step_sync is None else step_sync
    return Metric(name, axis, sync, bool(hidden), _summaries(summary), _goal(goal))


def _summaries(summary: str | None) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in (summary or "").split(",") if part.strip())
    unknown = set(wanted) - set(get_args(MetricSummary))
    if unknown:
        raise UsageError(
            f"define_metric: summary {', '.join(sorted(unknown))!r} is none of"
            f" {', '.join(get_args(MetricSummary))}"
        )
    return wanted


def _goal(goal: str | None) -> str | None:
    if goal is not None and goal not in GOALS:
        raise UsageError(f"define_metric: goal must be minimize or maximize, got {goal!r}")
    return GOALS[goal] if goal else None


class StepSync:
    """Fills a row's x-axis: a metric with `step_sync` always has its `step_metric` beside it."""

    def __init__(self) -> None:
        self.active = False
        self._definitions: dict[str, Metric] = {}

    def add(self, metric: Metric) -> None:
        """Take a definition; a later one of the same name wins."""
        self._definitions.pop(metric.name, None)
        if metric.step_sync and metric.step_metric:
            self._definitions[metric.name] = metric
        self.active = bool(self._definitions)

    def missing(self, row: Mapping[str, Any], last_value: Callable[[str], Any]) -> dict[str, Any]:
        """The last values of the x-axes that `row` lacks."""
        if not self._definitions:
            return {}
        found = {}
        for key in row:
            axis = self._axis_of(key)
            if axis and axis not in row:
                value = last_value(axis)
                if value is not None:
                    found[axis] = value
        return found

    def _axis_of(self, key: str) -> str | None:
        exact = self._definitions.get(key)
        covering = [metric for metric in self._definitions.values() if metric.covers(key)]
        metric = exact or (covering[-1] if covering else None)
        return metric.step_metric if metric and metric.step_metric != key else None
