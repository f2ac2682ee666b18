"""Every fault there is: rows that cannot be used, one kind a function, and odd ones that can.

The reasons and the order in which they are judged are those of the sources; each function writes
rows of one verdict and says so as it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conversation_analytics.generator.dirt import (
    ODD_TEXTS,
    OTHER_CENTURIES,
    TOO_LARGE,
    UNREADABLE_TIMES,
    Dirt,
    Host,
    badly_encoded,
    malformed,
    oddly_timed,
    without_id,
)
from conversation_analytics.generator.output import Reason, encoded
from conversation_analytics.generator.profile import Row
from conversation_analytics.generator.times import iso

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of dirt.

    Attributes:
        apply: writes its rows.
        conversations: rows it writes to the conversations table.
        messages: rows it writes to the messages table.
    """

    apply: Callable[[Dirt, Host], None]
    conversations: int
    messages: int


# Messages, at the end of a clean conversation.


def malformed_message(dirt: Dirt, host: Host) -> None:
    """A line that is no JSON object."""
    line = malformed(dirt.message(host), dirt.variant)
    dirt.output.quarantine("messages", line, None, "malformed")


def badly_encoded_message(dirt: Dirt, host: Host) -> None:
    """Text that is no Unicode."""
    row = dirt.message(host)
    line = badly_encoded(row, dirt.text_column("messages"), dirt.variant)
    dirt.output.quarantine("messages", line, row[dirt.id_column("messages")], "bad_encoding")


def message_without_id(dirt: Dirt, host: Host) -> None:
    """No id of its own."""
    row = without_id(dirt.message(host), dirt.id_column("messages"), dirt.variant)
    dirt.output.quarantine("messages", encoded(row), None, "missing_id")


def mistyped_message(dirt: Dirt, host: Host) -> None:
    """A column with a value of an unusable type."""
    column, value = dirt.choose(dirt.shape.wrong_message_values)
    dirt.refuse("messages", {**dirt.message(host), column: value}, "wrong_type")


def message_at_no_time(dirt: Dirt, host: Host) -> None:
    """A time that cannot be read, or none."""
    time = dirt.choose((*UNREADABLE_TIMES, None))
    dirt.refuse("messages", {**dirt.message(host), "created_at": time}, "bad_time")


def message_of_another_century(dirt: Dirt, host: Host) -> None:
    """A time before all data or in the future."""
    row = {**dirt.message(host), "created_at": dirt.choose(OTHER_CENTURIES)}
    dirt.refuse("messages", row, "out_of_range")


def orphan(dirt: Dirt, host: Host) -> None:
    """A conversation that is not there, or none."""
    nobody = dirt.choose((dirt.shape.conversation_id(0), "", None, "  "))
    row = {**dirt.message(host), "conversation_id": nobody}
    dirt.refuse("messages", row, "orphan_message")


def conflicting_messages(dirt: Dirt, host: Host) -> None:
    """One id twice with different text and the same time: the first counts."""
    row = dirt.message(host)
    text = dirt.text_column("messages")
    other = {**row, text: f"{row[text]} (2)"}
    dirt.output.keep("messages", [row])
    dirt.later(lambda: dirt.refuse("messages", other, "duplicate_id"))


def edited_message(dirt: Dirt, host: Host) -> None:
    """Two versions of a message, in either order, and the newer one once more at times."""
    second = host.tail
    old = {**dirt.message(host), "updated_at": None}
    text = dirt.text_column("messages")
    new = {**old, text: f"{old[text]} (edited)", "updated_at": iso(second + _HOUR)}
    if dirt.variant % 2:
        dirt.refuse("messages", old, "duplicate_id")
        dirt.later(lambda: dirt.output.keep("messages", [new]))
    else:
        dirt.output.keep("messages", [new])
        dirt.later(lambda: dirt.refuse("messages", old, "duplicate_id"))
    dirt.later(lambda: dirt.output.repeat("messages", new))


def repeated_message(dirt: Dirt, host: Host) -> None:
    """A row twice: at once or later on."""
    row = dirt.message(host)
    dirt.output.keep("messages", [row])
    if dirt.variant % 2:
        dirt.later(lambda: dirt.output.repeat("messages", row))
    else:
        dirt.output.repeat("messages", row)


def oddly_timed_message(dirt: Dirt, host: Host) -> None:
    """A time in an unusual form, which can be read."""
    time = oddly_timed(host.tail, dirt.variant)
    dirt.output.keep("messages", [{**dirt.message(host), "created_at": time}])


def odd_message(dirt: Dirt, host: Host) -> None:
    """Unusual characters, which are kept."""
    column = dirt.text_column("messages")
    dirt.output.keep("messages", [{**dirt.message(host), column: dirt.choose(ODD_TEXTS)}])


def deleted_message(dirt: Dirt, host: Host) -> None:
    """A message marked as deleted."""
    dirt.output.soft_delete("messages", {**dirt.message(host), "is_deleted": True})


def huge_message(dirt: Dirt, host: Host) -> None:
    """A row of more than 8 MiB."""
    row = {**dirt.message(host), dirt.text_column("messages"): "x" * TOO_LARGE}
    dirt.refuse("messages", row, "too_large")


# Conversations; what is said in one that cannot be used has no conversation.


def _spoilt(dirt: Dirt, host: Host, reason: Reason, change: Row) -> None:
    row, messages = dirt.conversation(host, 1)
    dirt.refuse("conversations", {**row, **change}, reason)
    dirt.refuse("messages", messages[0], "orphan_message")


def malformed_conversation(dirt: Dirt, host: Host) -> None:
    """A line that is no JSON object."""
    row, messages = dirt.conversation(host, 1)
    dirt.output.quarantine("conversations", malformed(row, dirt.variant), None, "malformed")
    dirt.refuse("messages", messages[0], "orphan_message")


def badly_encoded_conversation(dirt: Dirt, host: Host) -> None:
    """Text that is no Unicode."""
    row, messages = dirt.conversation(host, 1)
    line = badly_encoded(row, dirt.text_column("conversations"), dirt.variant)
    own = row[dirt.id_column("conversations")]
    dirt.output.quarantine("conversations", line, own, "bad_encoding")
    dirt.refuse("messages", messages[0], "orphan_message")


def conversation_without_id(dirt: Dirt, host: Host) -> None:
    """No id, so nothing can belong to it."""
    row, _ = dirt.conversation(host, 0)
    row = without_id(row, dirt.id_column("conversations"), dirt.variant)
    dirt.output.quarantine("conversations", encoded(row), None, "missing_id")


def mistyped_conversation(dirt: Dirt, host: Host) -> None:
    """A column with a value of an unusable type."""
    column, value = dirt.choose(dirt.shape.wrong_conversation_values)
    _spoilt(dirt, host, "wrong_type", {column: value})


def conversation_at_unreadable_time(dirt: Dirt, host: Host) -> None:
    """A time that cannot be read."""
    _spoilt(dirt, host, "bad_time", {"created_at": dirt.choose(UNREADABLE_TIMES)})


def conversation_at_no_time(dirt: Dirt, host: Host) -> None:
    """No time, and no message to tell it by."""
    row, _ = dirt.conversation(host, 0)
    row = {**row, "created_at": None, "updated_at": None}
    dirt.refuse("conversations", row, "bad_time")


def conversation_of_another_century(dirt: Dirt, host: Host) -> None:
    """A time before all data or in the future."""
    _spoilt(dirt, host, "out_of_range", {"created_at": dirt.choose(OTHER_CENTURIES)})


def huge_conversation(dirt: Dirt, host: Host) -> None:
    """A row of more than 8 MiB."""
    column = dirt.text_column("conversations")
    _spoilt(dirt, host, "too_large", {column: "x" * TOO_LARGE})


def conflicting_conversations(dirt: Dirt, host: Host) -> None:
    """One id twice with different text and the same times: the first counts."""
    row, messages = dirt.conversation(host, 1)
    text = dirt.text_column("conversations")
    other = {**row, text: f"{row[text]} (2)"}
    dirt.output.keep("conversations", [row])
    dirt.output.keep("messages", messages)
    dirt.later(lambda: dirt.refuse("conversations", other, "duplicate_id"))


def edited_conversation(dirt: Dirt, host: Host) -> None:
    """Two versions of a conversation, in either order."""
    old, messages = dirt.conversation(host, 1)
    text = dirt.text_column("conversations")
    # Later than any change of the old one, which comes at most an hour after its only message.
    changed = iso(host.conversation.started + 3 * _HOUR)
    new = {**old, text: f"{old[text]} (edited)", "updated_at": changed}
    dirt.output.keep("messages", messages)
    if dirt.variant % 2:
        dirt.refuse("conversations", old, "duplicate_id")
        dirt.later(lambda: dirt.output.keep("conversations", [new]))
    else:
        dirt.output.keep("conversations", [new])
        dirt.later(lambda: dirt.refuse("conversations", old, "duplicate_id"))


def repeated_conversation(dirt: Dirt, host: Host) -> None:
    """A row twice."""
    row, messages = dirt.conversation(host, 1)
    dirt.output.keep("conversations", [row])
    dirt.output.keep("messages", messages)
    dirt.later(lambda: dirt.output.repeat("conversations", row))


def deleted_conversation(dirt: Dirt, host: Host) -> None:
    """A conversation marked as deleted, and with it its messages."""
    row, messages = dirt.conversation(host, 2)
    dirt.output.soft_delete("conversations", {**row, "is_deleted": True})
    for message in messages:
        dirt.output.soft_delete("messages", message)


def oddly_timed_conversation(dirt: Dirt, host: Host) -> None:
    """A time in an unusual form, which can be read."""
    row, messages = dirt.conversation(host, 1)
    time = oddly_timed(host.conversation.started, dirt.variant)
    dirt.output.keep("conversations", [{**row, "created_at": time}])
    dirt.output.keep("messages", messages)


def odd_conversation(dirt: Dirt, host: Host) -> None:
    """Unusual characters, which are kept."""
    row, messages = dirt.conversation(host, 1)
    column = dirt.text_column("conversations")
    dirt.output.keep("conversations", [{**row, column: dirt.choose(ODD_TEXTS)}])
    dirt.output.keep("messages", messages)


def undated_conversation(dirt: Dirt, host: Host) -> None:
    """No time of its own: its first message tells."""
    row, messages = dirt.conversation(host, 1)
    dirt.output.keep("conversations", [{**row, "created_at": None, "updated_at": None}])
    dirt.output.keep("messages", messages)


MESSAGE_FAULTS = (
    Fault(malformed_message, 0, 1),
    Fault(badly_encoded_message, 0, 1),
    Fault(message_without_id, 0, 1),
    Fault(mistyped_message, 0, 1),
    Fault(message_at_no_time, 0, 1),
    Fault(message_of_another_century, 0, 1),
    Fault(orphan, 0, 1),
    Fault(conflicting_messages, 0, 2),
    Fault(edited_message, 0, 3),
    Fault(repeated_message, 0, 2),
    Fault(oddly_timed_message, 0, 1),
    Fault(odd_message, 0, 1),
)
CONVERSATION_FAULTS = (
    Fault(malformed_conversation, 1, 1),
    Fault(badly_encoded_conversation, 1, 1),
    Fault(conversation_without_id, 1, 0),
    Fault(mistyped_conversation, 1, 1),
    Fault(conversation_at_unreadable_time, 1, 1),
    Fault(conversation_at_no_time, 1, 0),
    Fault(conversation_of_another_century, 1, 1),
    Fault(conflicting_conversations, 2, 1),
    Fault(edited_conversation, 2, 1),
    Fault(repeated_conversation, 2, 1),
    Fault(oddly_timed_conversation, 1, 1),
    Fault(odd_conversation, 1, 1),
    Fault(undated_conversation, 1, 1),
)
HUGE = (Fault(huge_conversation, 1, 1), Fault(huge_message, 0, 1))
DELETED_CONVERSATION = Fault(deleted_conversation, 1, 2)
DELETED_MESSAGE = Fault(deleted_message, 0, 1)
