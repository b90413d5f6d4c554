"""Colors as JSON."""

import re

from runhue_server.api.cursors import invalid_cursor
from runhue_server.api.run_answers import JsonObject
from runhue_shared.coloring.legend import legend_as_json
from runhue_shared.coloring.palettes import Theme
from runhue_shared.coloring.settings import settings_as_json
from runhue_shared.db.colorings import ColoredRun, ColoringPage

_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


def head_answer(page: ColoringPage, theme: Theme) -> JsonObject:
    """What all pages of a version share."""
    return {
        "workspace_id": page.head.workspace_id,
        "version": page.head.version,
        "settings": settings_as_json(page.settings),
        "settings_rev": page.head.settings_rev,
        "legend": legend_answer(page, theme),
        "population": page.population,
        "valued": page.valued,
        "pending": page.pending,
    }


def legend_answer(page: ColoringPage, theme: Theme) -> JsonObject:
    """The legend with its counts, where they are known."""
    legend: JsonObject = legend_as_json(page.legend, theme)
    if page.counts is not None:
        for bucket, count in zip(legend["buckets"], page.counts, strict=True):
            bucket["count"] = count
    if page.counts_as_of is not None:
        legend["counts_as_of"] = page.counts_as_of
    return legend


def run_color_answer(run: ColoredRun, theme: Theme) -> JsonObject:
    """How a run is drawn."""
    content: JsonObject = {
        "run_id": run.run_id,
        "name": run.name,
        "value": run.value,
        "bucket": run.bucket,
        "color": run.colors.light if theme == "light" else run.colors.dark,
        "colors": {"light": run.colors.light, "dark": run.colors.dark},
    }
    if run.reason is not None:
        content["reason"] = run.reason
    if run.is_overridden:
        content["overridden"] = True
    return content


def next_place(page: ColoringPage) -> str | None:
    """`after` of the next page; it carries the version."""
    return None if page.next is None else f"{page.head.version}.{page.next}"


def place_after(after: str | None, version: int | None) -> tuple[int | None, int | None]:
    """(version, place) that a page is read at.

    Raises:
        InvalidCursor: `after` is no `next` of a page, or of another version than asked for.
    """
    if after is None:
        return version, None
    found = _PLACE.fullmatch(after)
    if found is None or version not in (None, int(found[1])):
        raise invalid_cursor("is no `next` of a page of this version", "after")
    return int(found[1]), int(found[2])
