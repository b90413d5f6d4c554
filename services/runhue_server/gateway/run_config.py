"""The config that the wandb client sends: `{"lr": {"value": 0.1}, "_wandb": {"value": {...}}}`."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from runhue_server.gateway.lines import Unreadable, object_of
from runhue_server.web.problems import Invalid

OWN_KEY = "_wandb"
SUMMARIES = {1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 7: "copy", 8: "first"}
GOALS = {1: "minimize", 2: "maximize"}
HIDDEN = 2
"""Numbers by which the client's `m` names options of `define_metric`."""

MEDIA_KINDS = {
    "visualize": "chart",
    "viz": "legacy_chart",
    "mask/class_labels": "mask_classes",
    "bounding_box/class_labels": "box_classes",
}
MERGED = ("e", "t", *MEDIA_KINDS)
"""Parts of the client's own value that later sessions add to; of the others the last one counts."""

MERGED_LISTS = "m"


class Said(NamedTuple):
    """A config: the user's values by key, and what is under the client's own key."""

    values: dict[str, Any]
    own: dict[str, Any]


def config_of(text: str) -> Said:
    """Raises Invalid: the text is no JSON object."""
    try:
        entries = object_of(text)
    except Unreadable as unreadable:
        raise Invalid(f"config is {unreadable}", field="config", fix="send a JSON object") from None
    values = {key: _value(entry) for key, entry in entries.items()}
    own = values.pop(OWN_KEY, None)
    return Said(values, own if isinstance(own, dict) else {})


def _value(entry: Any) -> Any:  # JSON
    return entry["value"] if isinstance(entry, dict) and "value" in entry else entry


def merged_own(held: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept under the client's own key after a further session said its part."""
    merged = {**held, **said}
    for part in MERGED:
        before, now = held.get(part), said.get(part)
        if isinstance(before, dict) and isinstance(now, dict):
            merged[part] = {**before, **now}
    if not said.get(MERGED_LISTS) and held.get(MERGED_LISTS):
        merged[MERGED_LISTS] = held[MERGED_LISTS]
    return merged


class Definition(NamedTuple):
    """A `define_metric` call: the name, which may end in `*`, and JSON of the rest."""

    name: str
    text: str


def definitions(own: Mapping[str, Any]) -> list[Definition]:
    """The metrics that the client defined, in its order.

    Each is an object keyed by numbers as text: 1 name, 2 glob, 4 or 5 step metric (its name, or its place in
    the list from 1 on), 6 options, 7 summaries, 8 goal.
    """
    listed = own.get(MERGED_LISTS)
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [
        Definition(name, _definition(entry, entries))
        for entry in entries
        if isinstance(name := entry.get("1") or entry.get("2"), str)
    ]


def _definition(entry: Mapping[str, Any], entries: list[dict[str, Any]]) -> str:
    options = _numbers(entry.get("6"))
    return msgspec.json.encode(
        {
            "step_metric": _step_metric(entry, entries),
            "summary": [SUMMARIES[number] for number in _numbers(entry.get("7")) if number in SUMMARIES],
            "goal": GOALS.get(goal) if isinstance(goal := entry.get("8"), int) else None,
            "hidden": HIDDEN in options,
        }
    ).decode()


def _step_metric(entry: Mapping[str, Any], entries: list[dict[str, Any]]) -> str | None:
    named, place = entry.get("4"), entry.get("5")
    if isinstance(named, str) and named:
        return named
    if isinstance(place, int) and 1 <= place <= len(entries):
        name = entries[place - 1].get("1")
        return name if isinstance(name, str) else None
    return None


def _numbers(value: Any) -> list[int]:  # JSON
    return [number for number in value if isinstance(number, int)] if isinstance(value, list) else []


def media_settings(own: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, key, value) of custom charts and class labels, see `events.MediaSetting`."""
    for part, kind in MEDIA_KINDS.items():
        settings = own.get(part)
        if isinstance(settings, dict):
            for key, value in settings.items():
                if isinstance(value, dict):
                    yield kind, key, value


class BranchPoint(NamedTuple):
    """Where a forked run left its parent: the parent's id, and the last step that is taken over."""

    run: str
    step: int


def branch_point(own: Mapping[str, Any]) -> BranchPoint | None:
    """None for a run that is no fork."""
    told = own.get("branch_point")
    if not isinstance(told, dict):
        return None
    run, step = told.get("run_id"), told.get("step")
    if not isinstance(run, str) or not isinstance(step, int | float) or not math.isfinite(step):
        return None
    return BranchPoint(run, int(step))
