"""What a client's summary says that was not logged; pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from runhue_shared.db.client_summaries import Snapshot, is_client_key, same_value
from runhue_shared.db.logged_summaries import UNREAD, LoggedLeaf
from runhue_shared.db.run_documents import Document, Edit
from runhue_shared.events import TIMESTAMP_KEY, MetricSummary, flatten
from runhue_shared.series.columns import folded
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import NUMBER, value_type

_ABSENT = object()
_STATISTICS = frozenset(get_args(MetricSummary))


@dataclass(frozen=True)
class ClientView:
    """One client's summary, the one before it (None: this is the first), and what is logged now.

    `clients`: the run's writers that are clients, number -> client. `ended`: no more rows will come.
    """

    now: Snapshot
    before: Snapshot | None
    logged: Mapping[str, LoggedLeaf]
    clients: Mapping[int, str]
    ended: bool = False

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

    def differs(self, key: str) -> bool | None:
        """Whether the client's value of a top-level key is not what was logged.

        None while that cannot be told: the summary is ahead of the rows, and the metric was logged before,
        or nothing was; or it holds a statistic of a metric whose definition may be on its way.
        """
        if key not in self.now.values:
            return False
        logged = [
            self._is_logged(path, value)
            for path, value in flatten({key: self.now.values[key]}).items()
            if self._leaves.get(path, _ABSENT) is value  # else another key gives the leaf of that name
        ]
        return True if False in logged else None if None in logged else False

    @cached_property
    def _leaves(self) -> Mapping[str, Any]:  # any JSON values
        return flatten(self.now.values)

    @cached_property
    def _step(self) -> float | None:
        """The summary's own step; of the first row clients tell only the time."""
        step = self.now.values.get("_step", 0 if TIMESTAMP_KEY in self.now.values else None)
        return step if isinstance(step, int | float) else None

    @cached_property
    def _is_ahead(self) -> bool:
        """Whether rows that the summary knows are still on their way."""
        return not self.ended and self._step is not None and self._step > self._reached

    @cached_property
    def _reached(self) -> int:
        """The last step of the run as far as rows came; -1 before the first."""
        return max((one.last_step for one in self.logged.values()), default=-1)

    @cached_property
    def _shared(self) -> bool:
        return len(set(self.clients.values())) > 1

    def _is_logged(self, path: str, value: Any) -> bool | None:  # any JSON value
        """Whether the logged value stands: the same one, or one that the client does not know of yet.

        That is a value logged after the summary's own step, or by another client of the run. A mean or a
        first value is taken for the logged one, as it would have every point of the series read. None: the
        row that tells may be on its way.
        """
        leaf = self.logged.get(folded(path))
        if leaf is None:
            return None if self._may_come(path) else False
        if self._step is not None and leaf.last_step > self._step:
            return True
        if self._shared and self.clients.get(leaf.writer_no) != self.now.client:
            return True
        same = value_type(value) == NUMBER if leaf.value is UNREAD else same_value(leaf.value, value)
        if not same and self._is_said_in_other_letters(path, leaf):
            return True
        return None if not same and self._is_ahead else same

    def _is_said_in_other_letters(self, path: str, leaf: LoggedLeaf) -> bool:
        """Whether the metric's last value stands in the summary under another spelling.

        The client keeps each spelling of a metric with the value that was logged under it.
        """
        spellings = self._spellings[folded(path)]
        return len(spellings) > 1 and any(same_value(leaf.value, value) for value in spellings)

    @cached_property
    def _spellings(self) -> Mapping[str, list[Any]]:  # any JSON values
        by_metric: dict[str, list[Any]] = {}
        for path, value in self._leaves.items():
            by_metric.setdefault(folded(path), []).append(value)
        return by_metric

    def _may_come(self, path: str) -> bool:
        """Whether the first rows, or the definition of a metric, are on their way; clients send it later."""
        metric, _, statistic = path.rpartition(".")
        is_statistic = statistic in _STATISTICS and folded(metric) in self.logged
        return not self.ended and (is_statistic or (self._is_ahead and self._reached < 0))


def edit_of(view: ClientView, manual: Document) -> Edit | None:
    """What the manual summary must set and remove to agree with the client; None for nothing.

    A value that another client set later stays, and one set through the API until this client changes it.
    """
    values: dict[str, Any] = {}
    removed: list[str] = []
    for key in view.keys:
        if is_client_key(key) or _is_anothers(view, key, manual):
            continue
        differs = view.differs(key)
        if differs is None and _is_clients(view, key, manual):
            continue
        held = key in manual.values
        if differs is not False:
            if not held or not same_value(manual.values[key], view.now.values[key]):
                values[key] = view.now.values[key]
        elif held or (view.changed(key) and manual.ords.get(key, view.now.ord) != view.now.ord):
            removed.append(key)
    return Edit(view.now.ord, values, sorted(removed)) if values or removed else None


def _is_clients(view: ClientView, key: str, manual: Document) -> bool:
    """Whether nobody but clients set or removed the value, so that a look at it later finds the same."""
    return key not in manual.ords or manual.ords[key] >> SEQ_BITS in view.clients


def _is_anothers(view: ClientView, key: str, manual: Document) -> bool:
    """Whether somebody else set or removed the value, and this client has nothing to say to it."""
    ord_ = manual.ords.get(key)
    if ord_ is None:
        return False
    owner = view.clients.get(ord_ >> SEQ_BITS)
    if owner is not None and ord_ > view.now.ord:
        return True
    return owner != view.now.client and not view.changed(key)
