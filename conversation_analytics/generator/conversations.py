"""Conversations as they happened: who, when, what was said, what it took; in no row shape yet."""

from __future__ import annotations

import random as stdlib_random
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_analytics.generator.dialogue import Line, write_dialogue
from conversation_analytics.generator.draws import lognormal, pick
from conversation_analytics.generator.models import ERRORS, ChatModel, pick_model
from conversation_analytics.generator.options import GeneratorOptions
from conversation_analytics.generator.people import Person, Population
from conversation_analytics.generator.rhythm import Rhythm, day_quotas
from conversation_analytics.generator.texts import Language, languages
from conversation_analytics.generator.times import DAY_SECONDS

_PAIRS = lognormal(2.7, 0.72, low=1, high=60)
_USER_PAUSES = lognormal(42, 1.15, low=4, high=6 * 3600)
_AGENT_PAUSES = lognormal(80, 1.0, low=8, high=2 * 3600)
_EDIT_DELAYS = lognormal(900, 1.6, low=20, high=3 * DAY_SECONDS)
_FEEDBACK = (1, 1, 1, 1, -1, -1, 0, 0.5, 0.75)

_ODD = 0.3
_EMPTY = 0.003
_BURSTS = 0.004
_EDITED = 0.008
_RATED = 0.045
_OTHER_CHANNEL = 0.15
_LANGUAGE_UNDECLARED = 0.04
_LONGEST_BREAK_DAYS = 20


@dataclass(slots=True)
class Turn:
    """One message.

    Attributes:
        role: who wrote it.
        text: what it says; an apology for a failed answer.
        at: Unix time in seconds.
        latency_ms: how long the model took; null for people.
        prompt_tokens: tokens of the prompt; null for people, as all that follows.
        completion_tokens: tokens of the answer.
        cost: price of the answer, in the conversation's currency.
        error: what went wrong.
        feedback: the user's opinion, -1 to 1.
        edited_at: when it was changed last, Unix seconds; null if never.
    """

    role: str
    text: str
    at: int
    latency_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: str | None = None
    error: str | None = None
    feedback: float | None = None
    edited_at: int | None = None


@dataclass(slots=True)
class Conversation:
    """One conversation; times are Unix seconds.

    `ended` is after the last answer has arrived. `updated` is null until someone closes it.
    """

    number: int
    person: Person
    model: ChatModel
    title: str
    channel: str
    status: str
    declared_language: str | None
    currency: str
    started: int
    ended: int
    updated: int | None
    turns: list[Turn]


class ConversationMaker:
    """Makes conversations; each call goes on with the same stream of chance.

    Args:
        options: what to generate.
    """

    def __init__(self, options: GeneratorOptions) -> None:
        self._random = stdlib_random.Random(options.seed)  # noqa: S311 - made-up data, and repeatable
        self._options = options
        self._languages: tuple[Language, ...] = languages()
        self._rhythm = Rhythm(self._languages)
        self._people = Population(self._languages, messages=options.messages, seed=options.seed)
        self._pairs_only = options.profile == "dify"
        self._start = options.start_second
        self._end = self._start + options.days * DAY_SECONDS
        self._count = 0

    def stream(self, rows: int) -> Iterator[Conversation]:
        """Conversations that make up exactly `rows` message rows, in order of their start."""
        random = self._random.random
        quotas = day_quotas(random, rows=rows, days=self._options.days, start=self._options.start)
        for day, quota in enumerate(quotas):
            midnight = self._start + day * DAY_SECONDS
            done = 0
            while done < quota:
                length = 0 if random() < _EMPTY else min(self._rows(), quota - done)
                # The start lies in the conversation's own part of the day's messages, so
                # conversations come in order without a day being held in memory.
                second = self._rhythm.second_of_day((done + random() * length) / quota)
                person = self._person(midnight + second)
                yield self.make(person, midnight + second, length)
                done += length

    def make(self, person: Person, started: int, rows: int) -> Conversation:
        """A conversation of exactly `rows` message rows."""
        random = self._random.random
        self._count += 1
        model = pick_model(random, self._progress(started))
        dialogue = write_dialogue(
            random,
            person.language,
            length=2 * rows if self._pairs_only else rows,
            error_rate=model.error_rate,
            pairs_only=self._pairs_only,
        )
        conversation = Conversation(
            number=self._count,
            person=person,
            model=model,
            title=dialogue.title,
            channel="web" if random() < _OTHER_CHANNEL else person.channel,
            status="open",
            declared_language=None if random() < _LANGUAGE_UNDECLARED else person.language.code,
            currency=person.billing_currency,
            started=started,
            ended=started,
            updated=None,
            turns=[],
        )
        self._happen(conversation, dialogue.lines)
        if dialogue.settled or random() < 0.3:
            conversation.status = "resolved" if random() < 0.6 else "closed"
            conversation.updated = conversation.ended + 1 + int(random() * 3600)
        return conversation

    def _happen(self, conversation: Conversation, lines: list[Line]) -> None:
        """Let the lines be said, one after another."""
        random = self._random.random
        burst = random() < _BURSTS
        now = conversation.started
        characters = 0
        for line in lines:
            role, text = line.role, line.text
            if role == "assistant":
                turn = self._answer(conversation, line, now, characters, burst=burst)
                now = turn.at
            else:
                if characters and not burst:
                    now += self._pause(line, now)
                turn = Turn(role, text, now)
                if role == "agent" and random() < _RATED:
                    turn.feedback = pick(random, _FEEDBACK)
            if random() < _EDITED:
                turn.edited_at = turn.at + int(pick(random, _EDIT_DELAYS))
            characters += len(text)
            conversation.turns.append(turn)
        # The last answer arrives within the second that follows its whole seconds.
        conversation.ended = now + 1 if characters else now

    def _answer(
        self, conversation: Conversation, line: Line, asked: int, characters: int, *, burst: bool
    ) -> Turn:
        """The model's answer to what was asked, after `characters` were said."""
        random = self._random.random
        model, language = conversation.model, conversation.person.language
        latency = 180 + 700 * random() if burst else pick(random, model.latencies)
        latency = round(latency * (0.97 + 0.06 * random()), 1)
        prompt = model.prompt_tokens + characters // language.characters_per_token
        turn = Turn("assistant", line.text, asked + int(latency) // 1000, latency, prompt)
        if line.failed:
            turn.error = pick(random, ERRORS)
            turn.completion_tokens = 0
        else:
            needed = len(line.text) / language.characters_per_token
            turn.completion_tokens = 1 + int(needed * model.wordiness * (0.9 + 0.3 * random()))
            if random() < _RATED:
                turn.feedback = pick(random, _FEEDBACK)
        turn.cost = model.cost(prompt, turn.completion_tokens, conversation.currency)
        return turn

    def _pause(self, line: Line, now: int) -> int:
        """Seconds before a person's line; short after the period, so that conversations end."""
        random = self._random.random
        if line.role not in ("user", "agent"):
            return 0
        left = self._end - now
        if left <= 0:
            return 5 + int(random() * 50)
        if line.resumes and left > DAY_SECONDS:
            days = 1 + random() * (_LONGEST_BREAK_DAYS - 1)
            return min(int(days * DAY_SECONDS), left - int(random() * DAY_SECONDS) - 1)
        return int(pick(random, _USER_PAUSES if line.role == "user" else _AGENT_PAUSES))

    def _rows(self) -> int:
        """Message rows of a conversation: most are short, a few go on and on."""
        random = self._random.random
        pairs = round(pick(random, _PAIRS))
        if self._pairs_only:
            return pairs
        if random() < _ODD:
            return 2 * pairs + 1 if random() < 0.8 else 2 * pairs - 1
        return 2 * pairs

    def _progress(self, second: int) -> float:
        return min(1.0, (second - self._start) / (self._end - self._start))

    def _person(self, second: int) -> Person:
        random = self._random.random
        language = self._rhythm.language_at(random, second % DAY_SECONDS)
        return self._people.pick(random, language, self._progress(second))
