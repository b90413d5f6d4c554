"""`run.history`: the open row, to be filled by hand (as scripts of 2019 do)."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, SupportsIndex

from runhue._recorder import Recorder


class Row(MutableMapping[str, Any]):  # values are the user's
    """The row that is open now. What is put in is spooled at once, and stored when the row is complete."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __getitem__(self, key: str) -> Any:
        return self._recorder.open_row[key]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._recorder.open_row))

    def __len__(self) -> int:
        return len(self._recorder.open_row)

    def __setitem__(self, key: str, value: Any) -> None:
        self._recorder.log({key: value}, commit=False)

    def __delitem__(self, key: str) -> None:
        with self._recorder.lock:
            rest = dict(self._recorder.open_row)
            del rest[key]
            self._recorder.replace_open_row(rest)

    def update(self, *others: Any, **values: Any) -> None:
        """Put many keys in with one record."""
        self._recorder.log(dict(*others, **values), commit=False)

    def clear(self) -> None:
        """Take everything out."""
        self._recorder.replace_open_row({})

    def __repr__(self) -> str:
        return repr(self._recorder.open_row)


class History:
    """`history.row` is the open row; `history.add(values)` completes it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.row = Row(recorder)

    def add(self, values: Mapping[str, Any] | None = None, step: SupportsIndex | None = None) -> None:
        """Put `values` in the open row and complete it; the same as `log(values, step, commit=True)`."""
        self._recorder.log(values or {}, step=step, commit=True)
