"""Pages of media: items by step, then by run in the order asked for, then by index."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runhue_server.api.cursors import cursor_of, invalid_cursor, place_of
from runhue_server.api.media_items import Item, items_of
from runhue_shared.db import Transaction
from runhue_shared.db.history import MAX_STEP
from runhue_shared.db.media_index import KeyReading
from runhue_shared.series.points import Points

WINDOW_POINTS = 500
"""Points of each run are read so many at a time, if a page does not need more: most may be no media."""


class Found(NamedTuple):
    """A medium and where it was logged; `step` is None in a summary."""

    run: str
    run_id: int
    key: str
    step: int | None
    item: Item


class Place(NamedTuple):
    """Of an item: its step, its run's position in the list, its own in a list of media."""

    step: int
    run: int
    at: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Which media are asked for; `runs` are internal ids by id."""

    runs: Mapping[str, int]
    key: str
    first: int
    last: int
    index: int | None = None

    @property
    def listing(self) -> str:
        """What a cursor belongs to: the same runs in the same order."""
        text = "\0".join([self.key.casefold(), str(self.index), *self.runs])
        return f"media:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def page_of(tx: Transaction, asked: Asked, limit: int, after: str | None) -> tuple[list[Found], str | None]:
    """(up to `limit` items behind the cursor, the cursor behind them; None on the last page).

    A page begins behind the last item of the one before, wherever further items were logged meanwhile.

    Raises:
        InvalidCursor: `after` is none of this list.
    """
    behind = _behind(after, asked.listing)
    found: list[tuple[Place, Found]] = []
    for placed in _items(tx, asked, behind, limit):
        found.append(placed)
        if len(found) > limit:
            break
    page = found[:limit]
    following = None
    if len(found) > limit:
        following = cursor_of(asked.listing, [str(part) for part in page[-1][0]])
    return [one for _, one in page], following


def _behind(after: str | None, listing: str) -> Place | None:
    place = place_of(after, listing, 3, "after")
    if place is None:
        return None
    try:
        return Place(*(int(part) for part in place))
    except ValueError as error:
        raise invalid_cursor("is none that this server made", "after") from error


def _items(tx: Transaction, asked: Asked, behind: Place | None, limit: int) -> Iterator[tuple[Place, Found]]:
    first = asked.first if behind is None else max(asked.first, behind.step)
    ids = list(asked.runs.values())
    reading = KeyReading(tx, ids, asked.key, first, asked.last)
    while first <= asked.last:
        until = min(reading.window_end(first, max(WINDOW_POINTS, limit // len(ids) + 1)), asked.last)
        for step, run in _rows(reading.read(first, until), ids):
            for placed in _items_at(asked, step, run):
                if behind is None or placed[0] > behind:
                    yield placed
        first = until + 1


class _Row(NamedTuple):
    run: int
    value: object


def _rows(points: Mapping[int, Points], ids: Sequence[int]) -> list[tuple[int, _Row]]:
    """(step, logged value) of all runs, by step and then by run."""
    rows = [
        (step, _Row(at, value))
        for at, run_id in enumerate(ids)
        for step, value in zip(points[run_id].steps.tolist(), points[run_id].plain(), strict=True)
    ]
    rows.sort(key=lambda row: (row[0], row[1].run))
    return rows


def _items_at(asked: Asked, step: int, row: _Row) -> Iterator[tuple[Place, Found]]:
    name, run_id = list(asked.runs.items())[row.run]
    for item in items_of(row.value, asked.key, step):
        if asked.index is None or item.index == asked.index:
            yield Place(step, row.run, item.index), Found(name, run_id, asked.key, step, item)


class Steps(NamedTuple):
    """Steps at which media were logged, ascending; `more` come behind. Per run how many of them it has."""

    steps: list[int]
    more: bool
    of_runs: dict[str, int]


def steps_of(tx: Transaction, asked: Asked, limit: int) -> Steps:
    """Up to `limit` steps at which some of the runs logged media."""
    by_step: dict[int, set[str]] = {}
    places = ((place, found) for place, found in _items(tx, asked, None, limit))
    for place, found in places:
        if place.step not in by_step and len(by_step) == limit:
            return Steps(list(by_step), True, _counts(by_step, asked.runs))
        by_step.setdefault(place.step, set()).add(found.run)
    return Steps(list(by_step), False, _counts(by_step, asked.runs))


def _counts(by_step: Mapping[int, set[str]], names: Mapping[str, int]) -> dict[str, int]:
    return {name: sum(name in runs for runs in by_step.values()) for name in names}


EVER = MAX_STEP
"""The last step there can be."""
