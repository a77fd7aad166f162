"""What can be made again, kept while there is room: one store, of a bounded size, for all runs of this process."""

import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

_Value = TypeVar("_Value")


class Kept(Generic[_Value]):
    """Keeps the values asked for last; those of an owner that is gone are gone, too.

    Parameters
    ----------
    room : the size of all values together, at most.
    size_of : the size of a value. One that is larger than the room is not kept.
    """

    def __init__(self, room: int, size_of: Callable[[_Value], int]) -> None:
        self._values: LRUCache[tuple[int, Hashable], _Value] = LRUCache(room, size_of)
        self._owners: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self._num_owners = 0
        self._lock = threading.RLock()  # taken again where the garbage collector finds an owner meanwhile

    def get(self, owner: object, key: Hashable) -> _Value | None:
        """Return a value, if it is kept."""
        with self._lock:
            number = self._owners.get(owner)
            return None if number is None else self._values.get((number, key))

    def put(self, owner: object, key: Hashable, value: _Value) -> None:
        """Keep a value, and let go of those not asked for longest."""
        with self._lock:
            if owner not in self._owners:
                self._num_owners += 1
                self._owners[owner] = self._num_owners
                weakref.finalize(owner, self._drop, self._num_owners).atexit = False
            if self._values.getsizeof(value) <= self._values.maxsize:
                self._values[self._owners[owner], key] = value

    def _drop(self, number: int) -> None:
        with self._lock:
            for place in [place for place in list(self._values) if place[0] == number]:
                self._values.pop(place, None)
