"""What a client's summary says that was not logged; pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runhue_shared.db.client_summaries import Snapshot, is_client_key, same_value
from runhue_shared.db.logged_summaries import UNREAD, LoggedLeaf
from runhue_shared.db.run_documents import Document, Edit
from runhue_shared.events import flatten
from runhue_shared.series.columns import folded
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import NUMBER, value_type

_ABSENT = object()


@dataclass(frozen=True)
class ClientView:
    """One client's summary, the one before it (None: this is the first), and what is logged now.

    `clients`: the run's writers that are clients, number -> client.
    """

    now: Snapshot
    before: Snapshot | None
    logged: Mapping[str, LoggedLeaf]
    clients: Mapping[int, str]

    @property
    def keys(self) -> Set[str]:
        """The user's top-level keys of now and before."""
        return self.now.values.keys() | (self.before.values.keys() if self.before else set())

    def changed(self, key: str) -> bool:
        """Whether the client says something else of the key than before."""
        old = _ABSENT if self.before is None else self.before.values.get(key, _ABSENT)
        new = self.now.values.get(key, _ABSENT)
        if old is _ABSENT or new is _ABSENT:
            return old is not new
        return not same_value(old, new)

    def differs(self, key: str) -> bool:
        """Whether the client's value of a top-level key is not what was logged."""
        if key not in self.now.values:
            return False
        return any(
            not self._is_logged(path, value)
            for path, value in flatten({key: self.now.values[key]}).items()
            if self._leaves.get(path, _ABSENT) is value  # else another key gives the leaf of that name
        )

    @cached_property
    def _leaves(self) -> Mapping[str, Any]:  # any JSON values
        return flatten(self.now.values)

    @cached_property
    def _step(self) -> int | float:
        step = self.now.values.get("_step")
        return step if isinstance(step, int | float) else float("inf")

    @cached_property
    def _shared(self) -> bool:
        return len(set(self.clients.values())) > 1

    def _is_logged(self, path: str, value: Any) -> bool:  # any JSON value
        """Whether the logged value stands: the same one, or one that the client does not know of yet.

        That is a value logged after the summary's own step, or by another client of the run. A mean or a
        first value is taken for the logged one, as it would have every point of the series read.
        """
        leaf = self.logged.get(folded(path))
        if leaf is None:
            return False
        if leaf.last_step > self._step:
            return True
        if self._shared and self.clients.get(leaf.writer_no) != self.now.client:
            return True
        if leaf.value is UNREAD:
            return value_type(value) == NUMBER
        return same_value(leaf.value, value)


def edit_of(view: ClientView, manual: Document) -> Edit | None:
    """What the manual summary must set and remove to agree with the client; None for nothing.

    A value that another client set later stays, and one set through the API until this client changes it.
    """
    values: dict[str, Any] = {}
    removed: list[str] = []
    for key in view.keys:
        if is_client_key(key) or _is_anothers(view, key, manual):
            continue
        held = key in manual.values
        if view.differs(key):
            if not held or not same_value(manual.values[key], view.now.values[key]):
                values[key] = view.now.values[key]
        elif held or (view.changed(key) and manual.ords.get(key, view.now.ord) != view.now.ord):
            removed.append(key)
    return Edit(view.now.ord, values, sorted(removed)) if values or removed else None


def _is_anothers(view: ClientView, key: str, manual: Document) -> bool:
    """Whether somebody else set or removed the value, and this client has nothing to say to it."""
    ord_ = manual.ords.get(key)
    if ord_ is None:
        return False
    owner = view.clients.get(ord_ >> SEQ_BITS)
    if owner is not None and ord_ > view.now.ord:
        return True
    return owner != view.now.client and not view.changed(key)
