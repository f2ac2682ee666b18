"""Who is signed in: a cookie that names a session, which stands for a key.

Sessions are kept in the memory of the service: one that is restarted asks everyone to sign in
again. The key is checked anew with every request, so a revoked one ends its sessions at once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from hashlib import blake2b

COOKIE = "conversation_analytics_session"
SECONDS = 12 * 3600
_MOST = 1_000


class Sessions:
    """The sessions there are; the oldest is ended when there are too many."""

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, key: str) -> str:
        """A new session for a key that was proved; gives the token for the cookie."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._keys[_name(token)] = (time.monotonic() + SECONDS, key)
            while len(self._keys) > _MOST:
                self._keys.popitem(last=False)
        return token

    def key(self, token: str) -> str | None:
        """The key of a session; null if there is no such session, or it is over."""
        with self._lock:
            found = self._keys.get(_name(token))
            if found is None or found[0] > time.monotonic():
                return found[1] if found else None
            del self._keys[_name(token)]
            return None

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._keys.pop(_name(token), None)


def _name(token: str) -> bytes:
    """Under what a session is kept, which does not let its token be guessed by timing."""
    return blake2b(token.encode(errors="surrogateescape"), digest_size=32).digest()
