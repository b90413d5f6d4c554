"""What the demo's colors must be: computed from what the runs log, without any server."""

import math
from collections.abc import Iterable

from runhue._public_api import Coloring, RunColor
from runhue_server.demo.trials import logged, trials
from runhue_shared.coloring import assign
from runhue_shared.coloring.buckets import bucket_of
from runhue_shared.coloring.legend import legend_as_json, legend_from_json
from runhue_shared.coloring.settings import ColorKey, ColorSettings
from runhue_shared.coloring.values import stats_of_points

KEY, BUCKETS = "acc", 6
SETTINGS = ColorSettings(key=ColorKey("metric", KEY), y="max", buckets=BUCKETS)
SHOWN_DIFFERENCES = 5


def differences(found: Coloring) -> list[str]:
    """What of the published colors is not as computed from scratch; nothing when all is."""
    stats = {trial.run_id: stats_of_points(row[KEY] for row in logged(trial)) for trial in trials()}
    wanted = assign.color_runs(stats, SETTINGS)
    problems = []
    if found.legend != legend_from_json(legend_as_json(wanted.legend)):
        problems.append(f"the legend is {found.legend.legend_id}, computed {wanted.legend.legend_id}")
    for run_id in sorted(wanted.runs.keys() | found.runs.keys()):
        computed, published = wanted.runs.get(run_id), found.runs.get(run_id)
        if computed is None or published is None:
            problems.append(f"{run_id} is {'missing' if published is None else 'unknown'}")
        elif _drawn(published) != _drawn(computed):
            problems.append(f"{run_id} is {_drawn(published)}, computed {_drawn(computed)}")
    return problems


def misplaced(coloring: Coloring) -> Iterable[str]:
    """Runs of one version that are not where that version's own legend puts them."""
    for run in coloring.runs.values():
        number = isinstance(run.value, float) and math.isfinite(run.value)
        bucket = bucket_of(float(run.value or 0), coloring.legend.thresholds) if number else None
        if coloring.legend.key is not None and run.bucket != bucket:
            yield f"version {coloring.version}: {run.run_id} is in {run.bucket}, its legend says {bucket}"


def _drawn(run: RunColor | assign.RunColor) -> tuple[object, ...]:
    return (run.value, run.bucket, run.reason, run.colors.light, run.colors.dark, run.overridden)
