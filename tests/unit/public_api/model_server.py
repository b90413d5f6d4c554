"""A workspace's colors as a server publishes them, computed from scratch at every version."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from runhue._public_api.coloring import Coloring, ColoringUpdated, RunColor, RunValueChanged
from runhue_shared.coloring import assign
from runhue_shared.coloring.legend import legend_as_json, legend_from_json
from runhue_shared.coloring.settings import ColorKey, ColorSettings, settings_as_json
from runhue_shared.coloring.values import RunStats, stats_of_value

WORKSPACE = 7
SETTINGS = ColorSettings(key=ColorKey("metric", "acc"), y="max", buckets=6)


class ModelServer:
    """Versions rise by one with each change; `events` are what was published for them, in order."""

    def __init__(self, settings: ColorSettings = SETTINGS) -> None:
        self.settings = settings
        self.settings_rev = 1
        self.version = 1
        self.values: dict[str, Any] = {}
        self.events: list[ColoringUpdated] = []
        self.history: dict[int, Coloring] = {1: self.coloring()}

    def change(self, values: Mapping[str, object], removed: tuple[str, ...] = ()) -> ColoringUpdated:
        """Set values, remove runs, publish."""
        self.values.update(values)
        gone = tuple(run for run in removed if self.values.pop(run, self) is not self)
        return self._publish("run_values", gone)

    def set_settings(self, settings: ColorSettings) -> ColoringUpdated:
        """Replace the settings, publish."""
        self.settings = settings
        self.settings_rev += 1
        return self._publish("settings", ())

    def coloring(self) -> Coloring:
        """The present version from scratch."""
        scratch = self._scratch()
        runs = {
            run: RunColor(run, f"run {run}", one.colors, one.value, one.bucket, one.reason, one.overridden)
            for run, one in scratch.runs.items()
        }
        return Coloring(
            workspace_id=WORKSPACE,
            version=self.version,
            settings=self.settings,
            settings_rev=self.settings_rev,
            legend=legend_from_json(legend_as_json(scratch.legend)),
            runs=runs,
        )

    def page(self) -> bytes:
        """The present version as `GET .../coloring` answers it."""
        whole = self.coloring()
        return json.dumps(
            {
                "workspace_id": WORKSPACE,
                "version": self.version,
                "settings": settings_as_json(self.settings),
                "settings_rev": self.settings_rev,
                "legend": legend_as_json(whole.legend, "light"),
                "runs": [
                    {**msgspec.to_builtins(run), "color": run.colors.light} for run in whole.runs.values()
                ],
                "next": None,
            }
        ).encode()

    def _scratch(self) -> assign.Coloring:
        stats: dict[str, RunStats] = {run: stats_of_value(value) for run, value in self.values.items()}
        return assign.color_runs(stats, self.settings)

    def _publish(self, cause: Any, removed: tuple[str, ...]) -> ColoringUpdated:
        before = self.history[self.version]
        self.version += 1
        now = self.history[self.version] = self.coloring()
        moved = before.legend.legend_id != now.legend.legend_id
        entries = tuple(
            RunValueChanged(run.run_id, run.value, run.bucket, run.reason)
            for run in now.runs.values()
            if _content(run) != _content(before.runs.get(run.run_id))
        )
        event = ColoringUpdated(
            spec=1,
            workspace_id=WORKSPACE,
            version=self.version,
            prev_version=self.version - 1,
            cause=cause,
            legend_id=now.legend.legend_id,
            legend=legend_as_json(now.legend) if moved else None,
            changed=entries,
            removed=removed,
        )
        self.events.append(event)
        return event


def _content(run: RunColor | None) -> tuple[object, ...] | None:
    """What an event tells of a run, or None for a run that is not there. Types count: True is not 1.0."""
    return None if run is None else (type(run.value), run.value, run.reason)


def as_sse(event: ColoringUpdated) -> bytes:
    """The event as the stream has it."""
    data = json.dumps({"type": "coloring.updated", **msgspec.to_builtins(event)})
    return f"id: {event.version}-0\nevent: coloring.updated\ndata: {data}\n\n".encode()


def drawn(coloring: Coloring) -> tuple[object, ...]:
    """What of a coloring shows, without names and cause."""
    runs = {
        run.run_id: (run.value, run.bucket, run.colors, run.reason, run.overridden)
        for run in coloring.runs.values()
    }
    return (coloring.version, coloring.settings_rev, coloring.settings, coloring.legend, runs)
