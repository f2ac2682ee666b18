"""Things that go wrong at a chosen moment."""

from __future__ import annotations

from collections.abc import Callable, Container
from itertools import count
from pathlib import Path

from conversation_analytics.storage.failpoints import FAILPOINTS


class Killed(BaseException):
    """The process ends here."""


def nth(
    number: int, action: Callable[[], None], among: Container[str] = FAILPOINTS
) -> Callable[[str], None]:
    """Something that is done the nth time that one of some failpoints is reached."""
    calls = count()

    def handler(name: str) -> None:
        if name in among and next(calls) == number:
            action()

    return handler


def raising(kind: type[BaseException]) -> Callable[[], None]:
    def action() -> None:
        raise kind("on purpose")

    return action


def memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
