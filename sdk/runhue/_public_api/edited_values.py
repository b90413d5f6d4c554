"""A run's config and summary as they are edited here, until the edits are sent."""

import math
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from msgspec.msgpack import Ext

from runhue._media.media import LoggedRow
from runhue._public_api.held_files import HeldFiles
from runhue._values import check_key, from_wire, plain, plain_row

# Values are whatever training scripts log: numbers, strings, lists, nested mappings.
Values = dict[str, Any]


class EditedValues(MutableMapping[str, Any]):
    """Values by key as the server has them, with edits on top that are not sent yet.

    What can be assigned is what a training script can log, or, when `lenient`, put into its config. Of a
    large array the statistics are kept, and the array itself in a file; `files` are those to be sent first.

    Raises (on assignment):
        BadKey, BadValue: it cannot be stored.
    """

    def __init__(self, values: Mapping[str, Any], *, lenient: bool = False) -> None:
        self.files = HeldFiles()
        self._lenient = lenient
        self._values = {key: from_wire(value) for key, value in values.items()}
        self._removed: set[str] = set()
        self._set: set[str] = set()

    def __getitem__(self, key: str) -> Any:  # as logged
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:  # as logged
        for name, part in self._stored(check_key(key), value).items():
            self._values[name] = _with_integers(part)
            self._set.add(name)
            self._removed.discard(name)

    def _stored(self, key: str, value: Any) -> Values:  # as logged
        if self._lenient:
            return {key: plain(value, key, lenient=True)}
        return plain_row({key: value}, LoggedRow(None, self.files, {}))

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._removed.add(key)
        self._set.discard(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def edits(self, name: str) -> Values:
        """What `PATCH .../runs/{run}` wants for the edits since `sent`; nothing when there are none."""
        changes: Values = {}
        if self._set:
            changes[name] = {key: wire_value(self._values[key]) for key in sorted(self._set)}
        if self._removed:
            changes[f"remove_{name}"] = sorted(self._removed)
        return changes

    def sent(self) -> None:
        """Forget which values were edited: the server has them."""
        self._set.clear()
        self._removed.clear()
        self.files.contents.clear()


def wire_value(value: Any) -> Any:  # JSON-like
    """The value with the API's words for NaN and the infinities. Source: docs/api.md, "Numbers"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: wire_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [wire_value(part) for part in value]
    return value


def _with_integers(value: Any) -> Any:  # plain
    """The plain value with integers beyond 64 bits as such; the spool holds them as digits."""
    if isinstance(value, Ext):
        return int(bytes(value.data))
    if isinstance(value, dict):
        return {key: _with_integers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_integers(part) for part in value]
    return value
