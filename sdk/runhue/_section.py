"""A dict that tells its owner of every change; nested dicts in it do so too."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


class Section(dict[str, Any]):  # values are the user's
    """A dict with attribute access. `changed(key)` is called after each change of a key.

    A nested dict is itself a section, whose changes are changes of the key it is under.
    """

    def __init__(self, values: Mapping[str, Any], changed: Callable[[str], None]) -> None:
        super().__init__()
        object.__setattr__(self, "_changed", changed)
        for key, value in values.items():
            super().__setitem__(key, self._within(key, value))

    def _within(self, key: str, value: Any) -> Any:  # values are the user's
        if isinstance(value, Mapping) and "_type" not in value:
            return Section(value, lambda _: self._changed(key))
        return value

    def _changed(self, key: str) -> None:
        """Replaced in each instance."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, self._within(key, value))
        self._changed(key)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._changed(key)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no key {name!r}; there are {', '.join(sorted(self)) or 'none'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"no key {name!r}") from None

    def update(self, *others: Mapping[str, Any] | Iterable[tuple[str, Any]], **values: Any) -> None:  # type: ignore[override]  # one signature for dict's overloads
        for key, value in dict(*others, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def __ior__(self, other: Any) -> "Section":  # type: ignore[override,misc]  # one signature for dict's overloads
        self.update(other)
        return self
