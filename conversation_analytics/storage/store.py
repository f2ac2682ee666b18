"""Where the lake's bytes live: whole objects under keys, on a local disk or in S3.

A put is atomic: a reader sees the old object or the new one, never a part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedWriter
from pathlib import Path
from typing import Protocol

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.failpoints import MANIFEST, PUT, TEMPORARY, failpoint

# Older than any writer that may still be at work on its file.
ABANDONED_SECONDS = 24 * 3600
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")


class ObjectStore(Protocol):
    """Whole objects under ``/``-separated keys. Every method may raise `StoreUnavailable`."""

    @property
    def url(self) -> str:
        """Where it is, for people and for plain readers; holds no secret."""
        ...

    @property
    def conditional(self) -> bool:
        """Whether `create` really refuses an existing key, whoever made it (found by a probe)."""
        ...

    def get(self, key: str) -> bytes | None:
        """The object, or null if there is none."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write or replace the object."""
        ...

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Put several objects in their order, the last of which is a manifest of the others.

        A store that can takes in all the bytes before the first object becomes visible, so that
        a full disk leaves every one of them as it was.
        """
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Write the object unless the key exists; tells whether it was written."""
        ...

    def list(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; a key that does not exist is no error."""
        ...

    def discard_abandoned(self, folder: str) -> None:
        """Remove what writers that died left half-written right in a folder, a day ago or more."""
        ...


_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run again; nothing was half-written",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EROFS: "the file system is read-only: mount it writable or set PARQUET_BASE_DIR",
    errno.EACCES: "permission denied: give this user write access or set PARQUET_BASE_DIR",
    errno.EPERM: "permission denied: give this user write access or set PARQUET_BASE_DIR",
    errno.ENOTDIR: "a file stands where a folder is needed: set PARQUET_BASE_DIR to a folder",
    errno.EEXIST: "a file stands where a folder is needed: set PARQUET_BASE_DIR to a folder",
}


def _raise_unless_missing(error: OSError) -> None:
    """For os.walk, which would take a folder it may not read for an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _created(path: Path) -> BufferedWriter:
    """A new file, in a folder that is nearly always there."""
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


class LocalStore:
    """Objects as files below a folder; a put is a rename, a create is a hard link."""

    conditional = True

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @property
    def url(self) -> str:
        """The folder."""
        return str(self._root)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore`."""
        with self._explained(key):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore`."""
        with self._explained(key), self._temporary(key, data) as temporary:
            failpoint(PUT)
            temporary.replace(self._root / key)

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """See `ObjectStore`."""
        with self._explained(objects[0][0]), contextlib.ExitStack() as stack:
            written = [
                (stack.enter_context(self._temporary(key, data)), self._root / key)
                for key, data in objects
            ]
            moments = [*[PUT] * (len(written) - 1), MANIFEST]
            for moment, (temporary, target) in zip(moments, written, strict=True):
                failpoint(moment)
                temporary.replace(target)

    def create(self, key: str, data: bytes) -> bool:
        """See `ObjectStore`."""
        with self._explained(key), self._temporary(key, data) as temporary:
            try:
                os.link(temporary, self._root / key)
            except FileExistsError:
                return False
            return True

    def list(self, prefix: str) -> list[str]:
        """See `ObjectStore`. Unfinished writes are not listed."""
        top = self._root / prefix.rpartition("/")[0]
        with self._explained(prefix):
            keys = (
                (Path(folder) / name).relative_to(self._root).as_posix()
                for folder, _, names in os.walk(top, onerror=_raise_unless_missing)
                for name in names
                if not name.startswith(".")
            )
            return sorted(key for key in keys if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore`."""
        for key in keys:
            with self._explained(key):
                (self._root / key).unlink(missing_ok=True)

    def discard_abandoned(self, folder: str) -> None:
        """See `ObjectStore`. Nobody sees such files, but they take up room."""
        before = time.time() - ABANDONED_SECONDS
        with self._explained(folder), contextlib.suppress(FileNotFoundError):
            for path in (self._root / folder).iterdir():
                if _TEMPORARY.fullmatch(path.name) and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _temporary(self, key: str, data: bytes) -> Iterator[Path]:
        """The data in a synced file beside the key, gone afterwards whatever happens."""
        folder, _, name = key.rpartition("/")
        temporary = self._root / folder / f".{name}.{uuid.uuid4().hex}"
        failpoint(TEMPORARY)
        try:
            with _created(temporary) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = error.errno or 0
            advice = _ADVICE.get(code, os.strerror(code) if code else str(error))
            raise StoreUnavailable(f"lake {self.url}, at {key}: {advice}") from error
