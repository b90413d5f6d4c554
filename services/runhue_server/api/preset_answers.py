"""Chart presets: the built-in ones and a team's own, by id."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from runhue_server.api.answers import seconds
from runhue_server.api.run_answers import JsonObject
from runhue_server.web.problems import Invalid
from runhue_shared.charts.contents import Library
from runhue_shared.charts.placeholders import asked
from runhue_shared.charts.presets import BuiltIn, check_preset
from runhue_shared.charts.refusals import PresetRefused
from runhue_shared.db import Transaction, custom_charts
from runhue_shared.db.custom_charts import Preset

CHECKED_SPECS = 2 * custom_charts.MOST
"""More than one team has, so that its list is checked once."""


class InvalidPreset(Invalid):
    """A spec that cannot be a preset; `field` is the place in it."""

    def __init__(self, refused: PresetRefused) -> None:
        super().__init__(str(refused), field=refused.path, limit=refused.limit, fix=refused.fix)
        self.code = refused.code


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a stored spec says: its library, or why it cannot be drawn."""

    spec: Mapping[str, Any]
    library: Library | None
    refused: PresetRefused | None


@lru_cache(maxsize=CHECKED_SPECS)
def checked(text: str) -> Checked:
    """A stored spec, checked: the wandb client's may be any JSON object."""
    spec: Mapping[str, Any] = json.loads(text)
    try:
        return Checked(spec, check_preset(spec), None)
    except PresetRefused as refused:
        return Checked(spec, None, refused)


def team_preset(tx: Transaction, team_id: int, team: str, preset_id: str) -> Preset | None:
    """The team's own preset of that id, `team/name`."""
    owner, _, name = preset_id.partition("/")
    return custom_charts.find(tx, team_id, name) if owner == team else None


def built_in_answer(preset: BuiltIn) -> JsonObject:
    """A built-in preset."""
    needs = asked(preset.spec)
    return {
        "id": preset.id,
        "title": preset.title,
        "description": preset.description,
        "built_in": True,
        "library": "vega-lite",
        "fields": needs.fields,
        "strings": needs.strings,
        "refused": None,
        "created_at": None,
        "updated_at": None,
    }


def preset_answer(team: str, preset: Preset) -> JsonObject:
    """A team's own."""
    found = checked(preset.spec)
    needs = asked(found.spec)
    return {
        "id": f"{team}/{preset.name}",
        "title": preset.title,
        "description": preset.description,
        "built_in": False,
        "library": found.library,
        "fields": needs.fields,
        "strings": needs.strings,
        "refused": None if found.refused is None else refusal_answer(found.refused),
        "created_at": seconds(preset.created_at),
        "updated_at": seconds(preset.updated_at),
    }


def refusal_answer(refused: PresetRefused) -> JsonObject:
    """Why a stored preset cannot be drawn."""
    return {"code": refused.code, "field": refused.path, "reason": str(refused), "fix": refused.fix}
