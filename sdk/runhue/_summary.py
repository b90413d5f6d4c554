"""`run.summary`: the last value of each metric, and what was set by hand, which wins."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runhue._section import Section
from runhue_shared.events import flatten

Edit = Callable[[Mapping[str, Any], list[str]], dict[str, Any]]
"""Records keys set by hand, and keys removed; returns what was set, flat and plain."""


class Summary(Mapping[str, Any]):  # values are the user's
    """Reads the last logged values; writes win over them from then on (only the last one set is kept)."""

    def __init__(self, latest: Callable[[], Mapping[str, Any]], record: Edit) -> None:
        self.__dict__["_latest"] = latest
        self.__dict__["_record"] = record
        self.__dict__["_set"] = {}

    def _values(self) -> dict[str, Any]:
        return {**self._latest(), **self._set}

    def __getitem__(self, key: str) -> Any:
        value = self._find(key)
        if isinstance(value, dict) and "_type" not in value:
            section = Section(value, lambda _: self.update({key: section}))
            return section
        return value

    def _find(self, key: str) -> Any:
        values = self._values()
        if key in values:
            return values[key]
        flat = flatten(values)
        if key in flat:
            return flat[key]
        nested = {name[len(key) + 1 :]: value for name, value in flat.items() if name.startswith(f"{key}.")}
        if not nested:
            raise KeyError(key)
        return nested

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        self._set.pop(key, None)
        self._record({}, [key])

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set many keys with one record; media and large arrays are kept as files.

        Raises:
            BadKey, BadValue: nothing is set.
        """
        given = {**(values or {}), **more}
        self._set.update(self._record(given, []))
