"""Processes of their own that ask Dify at the same moment, and may be killed at a failpoint."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from conversation_analytics.dify.mongo import MongoLedger
from conversation_analytics.storage.failpoints import handling
from conversation_analytics.storage.store import ObjectStore
from conversation_analytics_tests.dify.askers import answered, asker_of, question

KILLED = 9
_BEGIN = f"from {__name__} import begin; begin()"


@dataclass(frozen=True)
class Place:
    """What the processes have in common.

    Attributes:
        url: Dify's address.
        store: the lake's; pickles.
        mongo: address and database, if MongoDB is part of it.
    """

    url: str
    store: ObjectStore
    mongo: tuple[str, str] | None = None


@dataclass(frozen=True)
class Task:
    """What a process asks.

    Attributes:
        texts: the texts it asks about.
        idle_timeout: seconds without a word after which it takes a call for broken.
        fatal: the failpoint at which it ends; empty for none.
    """

    texts: Sequence[str]
    idle_timeout: float = 10.0
    fatal: str = ""


def ask_at_once(place: Place, *tasks: Task) -> list[int]:
    """Let a process do each task, all at the same moment.

    Returns:
        How each ended: 0 if all was answered, `KILLED` at its failpoint, else 1.
    """
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN],
        input=pickle.dumps((place, tasks)),
        capture_output=True,
        timeout=60,
        check=True,
    )
    found: list[int] = json.loads(done.stdout)
    return found


def begin() -> None:
    """In a process of its own: have children do what standard input says."""
    place, tasks = pickle.load(sys.stdin.buffer)
    children = []
    for task in tasks:
        child = os.fork()
        if not child:
            _ask(place, task)
        children.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.stdout.write(json.dumps(ended))


def _ask(place: Place, task: Task) -> NoReturn:
    def handler(name: str) -> None:
        if name == task.fatal:
            os._exit(KILLED)

    asked = [question(text) for text in task.texts]
    mongo = MongoLedger(*place.mongo) if place.mongo else None
    with handling(handler):
        asker = asker_of(place.url, place.store, mongo=mongo, idle_timeout=task.idle_timeout)
        replies = asker.ask(asked)
    os._exit(0 if answered(replies, asked) else 1)
