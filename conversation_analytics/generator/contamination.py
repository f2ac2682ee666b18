"""Which faults go into an export, how many, and where: evenly, in an order left to chance."""

from __future__ import annotations

import random as stdlib_random

from conversation_analytics.generator.conversations import Conversation
from conversation_analytics.generator.dirt import Dirt
from conversation_analytics.generator.faults import (
    CONVERSATION_FAULTS,
    DELETED_CONVERSATION,
    DELETED_MESSAGE,
    HUGE,
    MESSAGE_FAULTS,
    Fault,
)
from conversation_analytics.generator.options import GeneratorOptions

LEAST = 2
"""How often every fault comes at least, the huge ones apart."""

_DIRTY_SHARE = 0.01
_DELETED_SHARE = 0.005
_ROWS_PER_CONVERSATION = {"plain": 7, "dify": 3.4}


def choose_faults(options: GeneratorOptions) -> list[Fault]:
    """The faults of an export, in the order in which they come."""
    if not options.dirty:
        return []
    conversations = options.rows / _ROWS_PER_CONVERSATION[options.profile]
    of_messages: tuple[Fault, ...] = MESSAGE_FAULTS
    if options.profile == "plain":  # a Dify message has no mark of deletion
        of_messages = (*of_messages, DELETED_MESSAGE)
    message_rows = sum(fault.messages for fault in of_messages)
    conversation_rows = sum(fault.conversations for fault in CONVERSATION_FAULTS)
    chosen = [
        *of_messages * max(LEAST, round(_DIRTY_SHARE * options.rows / message_rows)),
        *CONVERSATION_FAULTS * max(LEAST, round(_DIRTY_SHARE * conversations / conversation_rows)),
        *(DELETED_CONVERSATION,) * max(LEAST, round(_DELETED_SHARE * conversations)),
        *HUGE,
    ]
    stdlib_random.Random(f"faults {options.seed}").shuffle(chosen)  # noqa: S311 - repeatable
    return chosen


class Contamination:
    """Puts faults between clean conversations.

    Args:
        faults: in the order in which they come.
        clean_rows: message rows of all clean conversations.
        dirt: what the faults work with.
    """

    def __init__(self, faults: list[Fault], clean_rows: int, dirt: Dirt) -> None:
        self._faults = faults
        self._clean_rows = clean_rows
        self._dirt = dirt
        self._seen_rows = 0
        self._next = 0
        self._variants: dict[Fault, int] = {}

    def after(self, conversation: Conversation, rows: int) -> None:
        """Apply the faults that are due after a clean conversation of that many message rows."""
        if rows == 0:
            return
        self._seen_rows += rows
        due = len(self._faults) * self._seen_rows // self._clean_rows
        if due == self._next:
            return
        host = self._dirt.host(conversation)
        for fault in self._faults[self._next : due]:
            self._dirt.flush()
            self._dirt.variant = self._variants.get(fault, 0)
            self._variants[fault] = self._dirt.variant + 1
            fault.apply(self._dirt, host)
        self._next = due

    def finish(self) -> None:
        """Write what was left for later."""
        self._dirt.flush()
