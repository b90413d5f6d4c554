"""Bytes that nothing names go: `db/blob_upkeep.py` says why none is lost. Everything here blocks.

Several processes may do all of it at once, and each may die at any point: what is half done is done again.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.store import ListedBlob
from runhue_shared.db import blob_upkeep
from runhue_shared.db.blob_upkeep import Bytes, Place

LOOKED_AT_ONCE = 1_000
REMOVED_AT_ONCE = 50
"""Whoever stores one of these at that moment waits for all of them."""

FILES_AT_ONCE = 1_000
REMEMBERED_SECONDS = 24 * 3600.0
"""Nobody needs so long from storing bytes until they are noted."""

SETTLED_SECONDS = 3600.0
"""Bytes of this age are not about to be noted, whatever `RUNHUE_BLOB_GRACE` says."""


class Count(NamedTuple):
    """How many blobs, and how many bytes they have."""

    blobs: int
    bytes: int


class Collector:
    """Looks through all blobs, a bounded number each time, and begins again at the end."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._after: Place | None = None

    def collect(self, most: int) -> Count:
        """Look at the next `most` blobs at least, and remove those of them that nothing names; how many went.

        Raises:
            StoreAway: the store cannot remove bytes right now; it is tried again with the next call.
        """
        gone: list[Bytes] = []
        for _ in range(-(-most // LOOKED_AT_ONCE)):
            gone += self._look()
            if self._after is None:
                break
        remove_bytes()
        return _count(gone)

    @property
    def at_the_end(self) -> bool:
        """Whether the next call begins with the longest untouched blob."""
        return self._after is None

    def _look(self) -> list[Bytes]:
        with db.transaction() as tx:
            found, self._after = blob_upkeep.look(tx, self._grace, LOOKED_AT_ONCE, self._after)
            return blob_upkeep.forget(tx, found, self._grace) if found else []


def remove_bytes() -> int:
    """Remove what no row knows any more from the store; how many that were.

    Raises:
        StoreAway: the store cannot remove bytes right now.
    """
    store, total = blob_store(), 0
    while True:
        with db.transaction() as tx:
            found = blob_upkeep.take_removable(tx, REMOVED_AT_ONCE)
            for team_id, sha256 in found:
                store.delete(team_id, sha256)
            blob_upkeep.note_removed(tx, found)
        total += len(found)
        if len(found) < REMOVED_AT_ONCE:
            break
    with db.transaction() as tx:
        blob_upkeep.forget_removed(tx, REMEMBERED_SECONDS)
    return total


def unnamed(grace: float) -> Count:
    """What a whole look through all blobs would remove; nothing is."""
    total, after = Count(0, 0), None
    while True:
        with db.transaction() as tx:
            found, after = blob_upkeep.look(tx, grace, LOOKED_AT_ONCE, after)
        total = _sum(total, _count(found))
        if after is None:
            return total


def collect_all(grace: float) -> Count:
    """Remove every blob that nothing names.

    What only such blobs named goes the next time.

    Raises:
        StoreAway: the store cannot remove bytes right now.
    """
    collector, total = Collector(grace), Count(0, 0)
    while True:
        total = _sum(total, collector.collect(LOOKED_AT_ONCE))
        if collector.at_the_end:
            return total


def remove_nameless(grace: float) -> Count:
    """Go through the store and remove bytes without a row: a crash came between storing and noting them.

    Raises:
        StoreAway: the store is not reachable.
    """
    total = Count(0, 0)
    for found in _pages(_old(grace)):
        with db.transaction() as tx:
            nameless = blob_upkeep.unknown(tx, found)
            gone = blob_upkeep.forget_nameless(tx, nameless) if nameless else []
        total = _sum(total, _count(gone))
    remove_bytes()
    return total


def nameless(grace: float) -> Count:
    """What `remove_nameless` would remove; nothing is."""
    total = Count(0, 0)
    for found in _pages(_old(grace)):
        with db.transaction() as tx:
            total = _sum(total, _count(blob_upkeep.unknown(tx, found)))
    return total


def remove_files_of_deleted_runs(grace: float) -> int:
    """Take files from runs that were deleted so many seconds ago; how many, a bounded number."""
    with db.transaction() as tx:
        return blob_upkeep.remove_files_of_deleted_runs(tx, grace, FILES_AT_ONCE)


def _old(grace: float) -> Iterator[Bytes]:
    age = max(grace, SETTLED_SECONDS)
    return (_bytes(one) for one in blob_store().listing() if one.age >= age)


def _bytes(listed: ListedBlob) -> Bytes:
    return Bytes(listed.team_id, listed.sha256, listed.size)


def _pages(found: Iterator[Bytes]) -> Iterator[list[Bytes]]:
    while page := list(itertools.islice(found, LOOKED_AT_ONCE)):
        yield page


def _count(found: Iterable[Bytes]) -> Count:
    sizes = [one.size for one in found]
    return Count(len(sizes), sum(sizes))


def _sum(one: Count, other: Count) -> Count:
    return Count(one.blobs + other.blobs, one.bytes + other.bytes)
