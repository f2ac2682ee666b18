"""Cuts connections whose answer does not end, whatever their timeouts say."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class CutOff:
    """Shuts connections down that are watched for too long; safe to use from several threads.

    A request's timeouts are fixed when it is sent, and one who waits for its bytes cannot be told
    to stop. A thread does it for all of them, and is there only while any is watched.

    Args:
        seconds: how long a connection is watched at most.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._ends: dict[socket.socket, float] = {}  # the next to end first
        self._is_running = False

    @contextlib.contextmanager
    def watching(self, connection: socket.socket) -> Iterator[None]:
        """Shut a connection down if the block lasts too long, and never after it."""
        with self._lock:
            self._ends[connection] = time.monotonic() + self._seconds
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._watch, name="dify-cutoff", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._ends.pop(connection, None)

    def _watch(self) -> None:
        while (pause := self._cut()) is not None:
            time.sleep(pause)

    def _cut(self) -> float | None:
        """Shut down what is due; seconds until the next one is, null if there is none."""
        with self._lock:
            now = time.monotonic()
            for connection, end in list(self._ends.items()):
                if end > now:
                    return end - now
                del self._ends[connection]
                # Not the method of a TLS socket, which takes its state from under a reader.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            self._is_running = False
            return None
