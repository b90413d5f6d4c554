"""What requests about the same tables share: the most recently used, up to so many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")

ENTRY_BYTES = 1_024
"""What holding a value takes beside the value: however small they are, there are not too many."""


class Recent(Generic[Value]):
    """Values that never change, by key; safe for threads. What is larger than all together is not kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], tuple[Value, int]]) -> Value:
        """The value; `make` gives it, with its bytes, when it is not held. Two threads may both make it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key][0]
        value, size = make()
        size += ENTRY_BYTES
        with self._lock:
            if key not in self._held and size <= self._limit:
                self._held[key] = value, size
                self._bytes += size
            while self._bytes > self._limit:
                _, (_, dropped) = self._held.popitem(last=False)
                self._bytes -= dropped
        return value
