"""The colors of a workspace at one version, and the next version made from an event.

Nothing here talks to a server. Source: docs/color.md, "Publication"; docs/api.md, "Workspaces and colors".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from runhue_shared.coloring.legend import Legend, legend_bucket, legend_colors, legend_from_json
from runhue_shared.coloring.palettes import ColorPair, run_colors
from runhue_shared.coloring.settings import ColorSettings, parse_settings
from runhue_shared.coloring.values import Reason, RunValue

FORMAT = 1
Cause = Literal["fetched", "run_values", "settings", "membership", "rebuild"]


class RunColor(msgspec.Struct, frozen=True):
    """How one run is drawn.

    `value` is its group's when groups are colored. Either `bucket` (from 1) or `reason` says why the colors
    are what they are; both are None when the workspace has no key and every run its own color.
    """

    run_id: str
    name: str
    colors: ColorPair
    value: RunValue | None = None
    bucket: int | None = None
    reason: Reason | None = None
    overridden: bool = False


class Coloring(msgspec.Struct, frozen=True, kw_only=True):
    """Legend and runs of a workspace, all of one version.

    `cause` says what made this version: "fetched" when it was read whole, else the event's.
    """

    workspace_id: int
    version: int
    settings: ColorSettings
    settings_rev: int
    legend: Legend
    runs: Mapping[str, RunColor]
    cause: Cause = "fetched"

    @property
    def counts(self) -> tuple[int, ...]:
        """Runs in each bucket of the legend."""
        used = Counter(run.bucket for run in self.runs.values())
        return tuple(used[bucket.index] for bucket in self.legend.buckets)

    @property
    def valued(self) -> int:
        """Runs that have a value."""
        return sum(run.value is not None for run in self.runs.values())


class ColoringPage(msgspec.Struct, frozen=True):
    """One page of `GET .../coloring`."""

    workspace_id: int
    version: int
    settings: dict[str, object]
    settings_rev: int
    legend: dict[str, object]
    runs: tuple[RunColor, ...]
    next: str | None = None


class RunValueChanged(msgspec.Struct, frozen=True):
    """One entry of an event's `changed`; the bucket is what the server found under the event's legend."""

    run_id: str
    value: RunValue | None = None
    bucket: int | None = None
    reason: Reason | None = None


class ColoringUpdated(msgspec.Struct, frozen=True):
    """Event `coloring.updated`: a new legend, if it changed, and the runs whose value or membership did."""

    spec: int
    workspace_id: int
    version: int
    prev_version: int
    cause: Cause
    legend_id: str
    legend: dict[str, object] | None = None
    changed: tuple[RunValueChanged, ...] = ()
    removed: tuple[str, ...] = ()
    resync: bool = False


class Repeated(msgspec.Struct, frozen=True):
    """The event tells nothing new."""


class FetchNeeded(msgspec.Struct, frozen=True):
    """The event cannot be applied to what is held; `why` goes to the log."""

    why: str


def parse_event(data: str) -> ColoringUpdated:
    """The event in an SSE data field.

    Raises:
        msgspec.DecodeError: it is no `coloring.updated` event.
    """
    # Strict: "NaN" in a string key's value must stay a string.
    return msgspec.json.decode(data.encode(), type=ColoringUpdated)


def whole_coloring(pages: Sequence[ColoringPage]) -> Coloring:
    """The coloring that all pages of one version make, at least one."""
    first = pages[0]
    return Coloring(
        workspace_id=first.workspace_id,
        version=first.version,
        settings=parse_settings(first.settings),
        settings_rev=first.settings_rev,
        legend=legend_from_json(first.legend),
        runs={run.run_id: run for page in pages for run in page.runs},
    )


def next_coloring(held: Coloring, event: ColoringUpdated) -> Coloring | Repeated | FetchNeeded:
    """The coloring after `event`, or why there is none.

    A legend alone can move every run, so each run held is put into its bucket again by the one comparison
    rule. New settings are fetched: an event does not carry them.
    """
    if event.workspace_id != held.workspace_id or event.version <= held.version:
        return Repeated()
    why = _obstacle(held, event)
    if why is not None:
        return FetchNeeded(why)
    legend = held.legend if event.legend is None else legend_from_json(event.legend)
    moved = legend.legend_id != held.legend.legend_id
    runs = dict(held.runs)
    if moved:
        runs = {run_id: _placed(run, legend) for run_id, run in runs.items()}
    for run_id in event.removed:
        runs.pop(run_id, None)
    for change in event.changed:
        runs[change.run_id] = _placed(_with_value(runs.get(change.run_id), change, held.settings), legend)
    return msgspec.structs.replace(held, version=event.version, legend=legend, runs=runs, cause=event.cause)


def unnamed_runs(coloring: Coloring) -> list[str]:
    """Ids of the runs that an event brought: events carry no names."""
    return [run.run_id for run in coloring.runs.values() if not run.name]


def with_names(coloring: Coloring, names: Mapping[str, str]) -> Coloring:
    """The coloring with names for its unnamed runs; a run that has none in `names` goes by its id."""
    runs = dict(coloring.runs)
    for run_id in unnamed_runs(coloring):
        runs[run_id] = msgspec.structs.replace(runs[run_id], name=names.get(run_id) or run_id)
    return msgspec.structs.replace(coloring, runs=runs)


def by_value(coloring: Coloring) -> list[RunColor]:
    """The runs, highest bucket and value first, those without a value last; ties by name and id."""
    return sorted(coloring.runs.values(), key=_rank)


def _obstacle(held: Coloring, event: ColoringUpdated) -> str | None:
    """Why the event cannot be applied, or None."""
    if event.spec != FORMAT:
        return f"event format {event.spec} is unknown"
    if event.resync:
        return "the server asks for it"
    if event.prev_version != held.version:
        return f"version {held.version} is held, the event follows {event.prev_version}"
    if event.cause == "settings":
        return "settings changed"
    announced = held.legend.legend_id if event.legend is None else event.legend.get("legend_id")
    if announced != event.legend_id:
        return "the event's legend is not the one it names"
    return None


def _with_value(known: RunColor | None, change: RunValueChanged, settings: ColorSettings) -> RunColor:
    if known is not None:
        return msgspec.structs.replace(known, value=change.value, bucket=change.bucket, reason=change.reason)
    override = settings.overrides.get(change.run_id)
    colors = run_colors(change.run_id) if override is None else ColorPair(override, override)
    return RunColor(
        change.run_id, "", colors, change.value, change.bucket, change.reason, override is not None
    )


def _placed(run: RunColor, legend: Legend) -> RunColor:
    """The run under `legend`: an override and, without a key, the run's own color stay."""
    if legend.key is None:
        return run
    bucket = None if run.value is None else legend_bucket(legend, run.value)
    colors = run.colors if run.overridden else legend_colors(legend, bucket)
    if bucket == run.bucket and colors == run.colors:
        return run
    return msgspec.structs.replace(run, bucket=bucket, colors=colors)


def _rank(run: RunColor) -> tuple[bool, int, float, str, str]:
    number = run.value if isinstance(run.value, float) else 0.0
    return (run.bucket is None, -(run.bucket or 0), -number, run.name, run.run_id)
