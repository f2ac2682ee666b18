"""What was read and may be read again soon, within a number of bytes or seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

Value = TypeVar("Value")


class Sized(Protocol):
    """What knows how many bytes it takes, such as an Arrow table."""

    @property
    def nbytes(self) -> int: ...  # noqa: D102


Held = TypeVar("Held", bound=Sized)


class Memory:
    """Tables and such under keys that name their content; the least recently used ones go first.

    Args:
        most_bytes: bytes of all of them together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], Held]) -> Held:
        """What is under a key, read if it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                found: Held = self._held[key]
                return found
        value = read()
        with self._lock:
            if key not in self._held and value.nbytes <= self._most:
                self._held[key] = value
                self._bytes += value.nbytes
            while self._bytes > self._most:
                self._bytes -= self._held.popitem(last=False)[1].nbytes
        return value


class Recent(Generic[Value]):
    """A value that is read again, by one thread, when it is older than some seconds.

    Meanwhile the others have the old one. If there is none yet they wait, and what goes wrong then
    goes wrong for all of them.

    Args:
        read: reads it.
        seconds: how old it may be.
    """

    def __init__(self, read: Callable[[], Value], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._found: tuple[float, Value] | None = None
        self._failure: Exception | None = None
        self._lock = threading.Lock()

    def get(self) -> Value:
        """The value."""
        found, failure = self._found, self._failure
        if found is not None and time.monotonic() < found[0]:
            return found[1]
        if not self._lock.acquire(blocking=found is None) and found is not None:
            return found[1]
        try:
            if self._found is None or time.monotonic() >= self._found[0]:
                if self._failure is not None and self._failure is not failure:
                    raise self._failure
                self._found = (time.monotonic() + self._seconds, self._read())
            return self._found[1]
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._lock.release()
