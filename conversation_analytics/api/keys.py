"""API keys: who may ask, and for what. The file holds hashes only.

A key is ``ca_<id>_<secret>``; the id finds its entry, the secret proves it. Hashing is slow on
purpose (argon2id), so a key that was proved once is remembered by a keyed digest of its text for
as long as its entry stays as it is.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, ValidationError

from conversation_analytics.errors import KeysUnusable, SettingsError

HOW_TO_MAKE_ONE = "`conversation-analytics api keys create --name NAME --scope read:reports`"

_KEY = re.compile(r"ca_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The parameters OWASP names for argon2id; the secret has 256 random bits.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NAME = re.compile(r"[\w. @-]{1,60}")


class Scope(StrEnum):
    """What a key may do."""

    REPORTS = "read:reports"
    """Figures of many people: reports, series, metrics, models, what the lake holds."""
    CONVERSATIONS = "read:conversations"
    """What single people said and did: conversations, exports, users."""
    ADMIN = "admin"
    """Everything, and what concerns running the service."""


class KeyEntry(BaseModel):
    """A key as the file has it.

    Attributes:
        id: its public part.
        name: whose it is, or what for.
        scopes: what it may do.
        hash: argon2id hash of its secret.
        created_at: when it was made.
        revoked_at: since when it is not valid any more, null if it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    scopes: tuple[Scope, ...]
    hash: str
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it may do something."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    keys: tuple[KeyEntry, ...] = ()


class KeyFile:
    """The file of keys: read by the service, written by the command line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[KeyEntry, ...] | None:
        """The keys, null if there is no file.

        Raises:
            KeysUnusable: others may read it, or it is damaged.
        """
        try:
            with self.path.open("rb") as file:
                mode, data = os.fstat(file.fileno()).st_mode, file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeysUnusable(f"API_KEYS_FILE={self.path}: {error.strerror}") from error
        if mode & _FOR_OTHERS:
            raise KeysUnusable(
                f"API_KEYS_FILE={self.path}: other users may read it: chmod 600 {self.path}"
            )
        try:
            return _File.model_validate_json(data).keys
        except ValidationError as error:
            # Without pydantic's words, which quote the file.
            raise KeysUnusable(
                f"API_KEYS_FILE={self.path}: it is damaged ({error.error_count()} mistakes): "
                "restore it, or delete it and create keys anew"
            ) from None

    def create(self, name: str, scopes: Sequence[Scope]) -> tuple[KeyEntry, str]:
        """Add a key; returns its entry, and the key itself, which is kept nowhere.

        Raises:
            SettingsError: the name is none, or a valid key has it.
            KeysUnusable: the file cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise SettingsError(f"--name {name!r}: give up to 60 letters, digits, spaces, . _ @ -")
        id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        entry = KeyEntry(
            id=id_,
            name=name,
            scopes=tuple(dict.fromkeys(scopes)),
            hash=_HASHER.hash(secret),
            created_at=datetime.now(UTC),
        )
        with self._locked():
            keys = self.read() or ()
            if any(key.name == name and key.revoked_at is None for key in keys):
                raise SettingsError(f"--name {name!r}: a key has it: revoke that one, or name it")
            self._write((*keys, entry))
        return entry, f"ca_{id_}_{secret}"

    def revoke(self, id_: str) -> KeyEntry:
        """Make a key invalid.

        Raises:
            SettingsError: there is no such key.
            KeysUnusable: the file cannot be used.
        """
        with self._locked():
            keys = {key.id: key for key in self.read() or ()}
            if id_ not in keys:
                raise SettingsError(f"there is no key {id_!r}: `api keys list` shows the ids")
            if keys[id_].revoked_at is None:
                keys[id_] = keys[id_].model_copy(update={"revoked_at": datetime.now(UTC)})
                self._write(tuple(keys.values()))
        return keys[id_]

    def _write(self, keys: tuple[KeyEntry, ...]) -> None:
        """Put a new file in the place of the old one; temporary files are for their user only."""
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_File(keys=keys).model_dump_json(indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.parent / f".{self.path.name}.lock"
            with lock.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise KeysUnusable(f"API_KEYS_FILE={self.path}: {error.strerror}") from error


class KeyRing:
    """The keys as the service knows them: read again when the file changes."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._seen: object = None
        self._keys: tuple[KeyEntry, ...] | None = None
        self._proved: dict[bytes, str] = {}
        self._pepper = secrets.token_bytes(32)
        self._nobody = _HASHER.hash(secrets.token_urlsafe(32))
        self._lock = threading.Lock()

    def entries(self) -> tuple[KeyEntry, ...] | None:
        """The keys, null if there is no file.

        Raises:
            KeysUnusable: others may read it, or it is damaged.
        """
        with self._lock:
            seen = _looks_of(self._file.path)
            if seen is None or seen != self._seen:
                self._keys, self._seen = self._file.read(), seen
            return self._keys

    def remembered(self, key: str) -> KeyEntry | None:
        """The entry of a key that was proved before and is still valid; quick."""
        proved = self._proved.get(self._digest(key))
        found = _KEY.fullmatch(key)
        entry = self._valid(found.group(1)) if found and proved else None
        return entry if entry is not None and entry.hash == proved else None

    def prove(self, key: str) -> KeyEntry | None:
        """The entry of a key, null if it is none or not valid any more; slow on purpose.

        It takes as long for an id that nobody has as for a wrong secret.
        """
        found = _KEY.fullmatch(key)
        entry = self._valid(found.group(1)) if found else None
        hash_ = entry.hash if entry else self._nobody
        try:
            _HASHER.verify(hash_, found.group(2) if found else "")
        except (VerificationError, InvalidHashError):
            return None
        if entry is not None:
            self._proved[self._digest(key)] = entry.hash
        return entry

    def _valid(self, id_: str) -> KeyEntry | None:
        """The valid entry of an id, all of them compared in constant time."""
        entry = None
        for one in self.entries() or ():
            if hmac.compare_digest(one.id, id_) and one.revoked_at is None:
                entry = one
        return entry

    def _digest(self, key: str) -> bytes:
        text = key.encode(errors="surrogateescape")
        return blake2b(text, key=self._pepper, digest_size=32).digest()


def _looks_of(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file does; null where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
