"""Calls about custom charts and their presets."""

from collections.abc import Sequence

import msgspec

from runhue._public_api.chart_records import (
    Chart,
    ChartInfo,
    ChartList,
    ChartPreset,
    PresetEdit,
    PresetList,
    RunsChart,
)
from runhue._public_api.coloring_calls import project_url
from runhue._public_api.exchange import Call, decode, exchange, fetch, get, quoted, submit
from runhue._public_api.run_calls import RunPath, listed, viewer_call


def charts_call(run: RunPath) -> Call[Sequence[ChartInfo]]:
    """The charts that a run logged."""
    return (yield from fetch(ChartList, get(f"{run.url}/charts"))).charts


def chart_call(run: RunPath, key: str, step: int | None) -> Call[Chart]:
    """A chart of a run, of a step's table or of the last.

    Raises:
        ServerRefused: `chart_not_found`, or its table is not there: `table_awaited`, `table_expired`, ...
        ServerBusy: the server has not looked at the table yet.
    """
    return (yield from fetch(Chart, get(f"{run.url}/charts/{_in_path(key)}", step=step)))


def runs_chart_call(
    team: str, project: str, key: str, runs: Sequence[str], step: int | None
) -> Call[RunsChart]:
    """A chart of several runs in one.

    Raises:
        ServerRefused: `run_not_found`, or `chart_not_found` when none of them has it.
    """
    request = get(f"{project_url(team, project)}/charts", key=key, runs=listed(runs), step=step)
    return (yield from fetch(RunsChart, request))


def presets_call(team: str | None) -> Call[list[ChartPreset]]:
    """The presets that every server has, and the team's own, without their specs."""
    return (yield from fetch(PresetList, get((yield from _url(team))))).presets


def preset_call(preset: str) -> Call[ChartPreset]:
    """One preset, with its spec.

    Raises:
        ServerRefused: `preset_not_found`.
    """
    url = yield from _url(None)
    return (yield from fetch(ChartPreset, get(f"{url}/{_in_path(preset)}")))


def create_preset_call(team: str | None, name: str, edit: PresetEdit) -> Call[ChartPreset]:
    """Make a preset of the team.

    Raises:
        ServerRefused: `preset_exists`, or the spec cannot be one; `field` is the place in it.
    """
    url = yield from _url(team)
    response = yield from exchange(submit("POST", url, {"name": name, **msgspec.structs.asdict(edit)}))
    return decode(response.body, ChartPreset)


def replace_preset_call(preset: str, edit: PresetEdit) -> Call[ChartPreset]:
    """Change a preset of the team.

    Raises:
        ServerRefused: `preset_not_found`, `preset_built_in`, or the spec cannot be one.
    """
    url = yield from _url(None)
    response = yield from exchange(submit("PUT", f"{url}/{_in_path(preset)}", msgspec.structs.asdict(edit)))
    return decode(response.body, ChartPreset)


def delete_preset_call(preset: str) -> Call[None]:
    """Delete a preset of the team; one that is gone stays so.

    Raises:
        ServerRefused: `preset_built_in`.
    """
    url = yield from _url(None)
    yield from exchange(submit("DELETE", f"{url}/{_in_path(preset)}", {}))


def _url(team: str | None) -> Call[str]:
    """Where a team's presets are; those of the key's team without one."""
    owner = team or (yield from viewer_call()).team
    return f"/api/v1/teams/{quoted(owner)}/chart-presets"


def _in_path(name: str) -> str:
    return "/".join(map(quoted, name.split("/")))
