"""Recoloring: from marked runs to new versions, in one transaction (docs/color.md G1 to G5).

Locks are taken in this order: a workspace, scales by id, colorings by workspace. A flush holds no workspace.
"""

from collections.abc import Mapping, Sequence

from runhue_shared.coloring.values import resolved_type
from runhue_shared.db import Transaction
from runhue_shared.db.coloring_versions import (
    MOST_CHANGES,
    Cause,
    NewVersion,
    hold_colorings,
    publish_versions,
)
from runhue_shared.db.colors import mark_legends, take_marks
from runhue_shared.db.legends import QUANTILE_SECONDS, build_legend, read_ends
from runhue_shared.db.run_values import types_of_runs
from runhue_shared.db.scale_groups import look_at_all_groups, look_at_marked_groups
from runhue_shared.db.scale_values import (
    ScaleChange,
    bound_statements,
    forget_empty_categories,
    look_at_all,
    look_at_marked,
    plan_for_few_runs,
)
from runhue_shared.db.scales import (
    Question,
    Scale,
    create_scale,
    lock_free_scales,
    save_scales,
    save_type,
    take_scale,
)

MOST_MARKED = 20_000
"""With more marked runs in a scale, looking at all of its runs at once is cheaper."""


def flush_scales(tx: Transaction, scale_ids: Sequence[int]) -> int:
    """Bring the values, legends and versions of scales up to date with their marks.

    Scales that another transaction holds are left to it. Returns how many new versions there are.
    """
    plan_for_few_runs(tx)
    scales = lock_free_scales(tx, scale_ids)
    marks = take_marks(tx, [scale.id for scale in scales])
    marked = [scale for scale in scales if scale.id in marks]
    changes = _look(tx, marked, marks) if marked else {}
    return _store(tx, marked, changes) if marked else 0


def recheck_scale(tx: Transaction, scale_id: int) -> int:
    """Look at every run of a scale once more: a change that began before the scale was there left no mark.

    Returns how many new versions there are.
    """
    changes = {}
    scales = [scale for scale in lock_free_scales(tx, [scale_id]) if not scale.rechecked]
    for scale in scales:
        changes[scale.id] = _look_at_all(tx, scale, listed=scale.population <= MOST_CHANGES)
        _settle_type(tx, scale, changes[scale.id])
        scale.rechecked = True
    return _store(tx, scales, changes, cause="rebuild")


def open_scale(tx: Transaction, team_id: int, project_id: int, question: Question) -> Scale:
    """The scale that answers the question, locked; a new one is filled from every run of the project."""
    while True:
        scale = create_scale(tx, team_id, project_id, question)
        if scale is not None:
            _fill(tx, scale)
            return scale
        scale = take_scale(tx, project_id, question)
        if scale is not None:
            return scale


def _fill(tx: Transaction, scale: Scale) -> None:
    if scale.type is None and scale.source != "none":
        scale.resolved_type = resolved_type(types_of_runs(tx, scale))
        save_type(tx, scale)
    scale.version = 1
    _count(scale, _look_at_all(tx, scale, listed=False))
    save_scales(tx, [scale])


def _look(tx: Transaction, scales: Sequence[Scale], marks: Mapping[int, set[int]]) -> dict[int, ScaleChange]:
    changes: dict[int, ScaleChange] = {}
    plain = [scale for scale in scales if not (scale.is_filtered or scale.is_grouped)]
    together = [scale for scale in plain if len(marks[scale.id]) <= MOST_MARKED]
    pairs = [(scale.id, run_id) for scale in together for run_id in sorted(marks[scale.id])]
    if pairs:
        changes |= look_at_marked(tx, together, pairs)
    for scale in scales:
        if scale not in together and marks[scale.id]:
            changes[scale.id] = _look_alone(tx, scale, sorted(marks[scale.id]))
    for scale in scales:
        if scale.id in changes:
            _settle_type(tx, scale, changes[scale.id])
    return changes


def _look_alone(tx: Transaction, scale: Scale, run_ids: Sequence[int]) -> ScaleChange:
    if len(run_ids) > MOST_MARKED:
        return _look_at_all(tx, scale, listed=scale.population <= MOST_CHANGES)
    if scale.is_filtered:
        bound_statements(tx)
    if scale.is_grouped:
        found = look_at_marked_groups(tx, scale, run_ids)
    else:
        found = look_at_marked(tx, [scale], [(scale.id, run_id) for run_id in run_ids])
    return found.get(scale.id, ScaleChange())


def _look_at_all(tx: Transaction, scale: Scale, *, listed: bool) -> ScaleChange:
    look = look_at_all_groups if scale.is_grouped else look_at_all
    return look(tx, scale, listed=listed).get(scale.id) or ScaleChange()


def _settle_type(tx: Transaction, scale: Scale, change: ScaleChange) -> None:
    """Count what changed; when most runs now have another type, look at all of them as being of that one."""
    _count(scale, change)
    if scale.type is not None or scale.source == "none":
        return
    most_have = resolved_type(
        {"number": scale.number_runs, "string": scale.string_runs, "bool": scale.bool_runs}
    )
    if most_have != scale.resolved_type:
        scale.resolved_type = most_have
        save_type(tx, scale)
        again = _look_at_all(tx, scale, listed=scale.population <= MOST_CHANGES)
        _count(scale, again)
        change.follow(again)


def _count(scale: Scale, change: ScaleChange) -> None:
    scale.population += change.population
    scale.valued += change.valued
    scale.number_runs += change.number_runs
    scale.string_runs += change.string_runs
    scale.bool_runs += change.bool_runs


def _store(
    tx: Transaction, scales: Sequence[Scale], changes: Mapping[int, ScaleChange], cause: Cause | None = None
) -> int:
    for scale in scales:
        if scale.id in changes and changes[scale.id].moved:
            scale.version += 1
    versions = _next_versions(tx, scales, changes, cause)
    save_scales(tx, scales)
    forget_empty_categories(tx, [scale.id for scale in scales if scale.resolved_type == "string"])
    publish_versions(tx, versions)
    return len(versions)


def _next_versions(
    tx: Transaction, scales: Sequence[Scale], changes: Mapping[int, ScaleChange], cause: Cause | None
) -> list[NewVersion]:
    by_id = {scale.id: scale for scale in scales}
    ends = read_ends(tx, scales)
    late = set()
    versions = []
    for held in hold_colorings(tx, list(by_id)):
        scale = by_id[held.scale_id]
        built = build_legend(tx, scale, ends[scale.id], held.settings, held.previous)
        if built.is_late:
            late.add(scale.id)
        change = changes.get(scale.id) or ScaleChange()
        if change.moved or built.legend.legend_id != held.legend.legend_id:
            versions.append(
                NewVersion(
                    workspace_id=held.workspace_id,
                    version=held.version + 1,
                    settings_rev=held.settings_rev,
                    scale=scale,
                    built=built,
                    cause=cause or _cause_of(change),
                    changes=change.runs,
                    has_new_legend=built.legend.legend_id != held.legend.legend_id,
                )
            )
    for scale_id in late:
        mark_legends(tx, scale_id, by_id[scale_id].team_id, QUANTILE_SECONDS)
    return versions


def _cause_of(change: ScaleChange) -> Cause:
    left = change.runs is not None and any(not run.is_member for run in change.runs)
    return "membership" if change.population or left or not change.moved else "run_values"
