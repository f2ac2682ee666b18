"""Named moments between durable side effects, at which tests stop or kill a process.

Each call names a side effect that is about to become durable. Nothing happens there unless a
handler was installed by code in the same process: no setting, file or variable can install one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

CLAIM = "claim a day's epoch"
TEMPORARY = "write a temporary file"
PUT = "put an object"
MANIFEST = "put a manifest"
INDEX = "record a day in the index"
FOLD = "fold the index"
TIDY = "remove what a commit replaced"
MONGO_CLAIM = "claim a day in MongoDB"
MONGO_BATCH = "write a batch of documents"
MONGO_DELETE = "delete a day's older documents"
MONGO_DAY = "record a day as complete in MongoDB"
PENDING = "write a pending day"
CURSOR = "move the cursor"
RUN_REQUEST = "request a run"
DIFY_INTENT = "write down a call of Dify that is to be made"
DIFY_CLAIM = "claim questions for a call of Dify"
DIFY_DECIDED = "write a claim that MongoDB has decided into the lake"
DIFY_CALL = "call Dify"
DIFY_STARTED = "write down which run a call of Dify has started"
DIFY_RESULT = "write down what came of a call of Dify"
DIFY_COPY = "copy calls of Dify into MongoDB"

FAILPOINTS = (
    CLAIM,
    TEMPORARY,
    PUT,
    MANIFEST,
    INDEX,
    FOLD,
    TIDY,
    MONGO_CLAIM,
    MONGO_BATCH,
    MONGO_DELETE,
    MONGO_DAY,
    PENDING,
    CURSOR,
    RUN_REQUEST,
    DIFY_INTENT,
    DIFY_CLAIM,
    DIFY_DECIDED,
    DIFY_CALL,
    DIFY_STARTED,
    DIFY_RESULT,
    DIFY_COPY,
)

_handlers: list[Callable[[str], None]] = []


def failpoint(name: str) -> None:
    """Tell the installed handlers, if any, that a side effect is about to become durable."""
    for handler in _handlers:
        handler(name)


@contextmanager
def handling(handler: Callable[[str], None]) -> Iterator[None]:
    """Call `handler` with the name of every failpoint that is reached in the context."""
    _handlers.append(handler)
    try:
        yield
    finally:
        _handlers.remove(handler)
