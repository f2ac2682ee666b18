"""What is said in one conversation: an opening, answers, what follows, and an end.

A dialogue has exactly the wanted number of lines. It is planned by pairs of a question and its
answer; an odd line is a message nobody answers, a system prompt, a tool's result, or a second
thought of the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from conversation_analytics.generator.draws import Random, pick
from conversation_analytics.generator.texts import (
    ESCALATION_MARKER,
    SYSTEM_PROMPT,
    Exchange,
    Language,
    Scenario,
)

_EMOJI = ("😊", "🙏", "😅", "👍", "😭", "🎉", "❤️", "🤔", "👨‍👩‍👧", "🙋‍♀️")
_HUMAN_SUPPORT = 0.22
_SMALL_TALK = 0.06
_ESCALATED = 0.11
_RESUMED = 0.06
_CLOSED = 0.75
_GREETED = 0.45
_EMOJI_SHARE = 0.035


class Line(NamedTuple):
    """One line of a dialogue.

    Attributes:
        role: who says it.
        text: what is said.
        failed: whether the assistant's answer failed.
        resumes: whether days have passed before it.
    """

    role: str
    text: str
    failed: bool = False
    resumes: bool = False


class Dialogue(NamedTuple):
    """A conversation's lines with what can be said about all of them."""

    title: str
    settled: bool
    lines: list[Line]


class Plan(NamedTuple):
    """What happens at which pair; -1 where it does not happen."""

    pairs: int
    staffed_from: int
    escalates_at: int
    resumes_at: int
    settled: bool


class Matter:
    """What a conversation is about: a scenario with its order, product, city and amount."""

    def __init__(self, random: Random, language: Language) -> None:
        self._random = random
        self._language = language
        self._slots: dict[str, str] = {}
        self._ahead: list[Exchange] = []
        self.scenario: Scenario
        self.turn_to_another()

    def turn_to_another(self) -> None:
        """Go on with another matter."""
        random, language = self._random, self._language
        self.scenario = pick(random, language.scenarios)
        self._slots = {
            "order": f"A-{10_000 + int(random() * 90_000)}",
            "product": pick(random, language.products),
            "city": pick(random, language.cities),
            "amount": f"{_PRICE_STEPS[language.currency] * (1 + int(random() * 99)):,}"
            f" {language.currency}",
        }
        self._ahead = list(self.scenario.more)
        if random() < 0.5:
            self._ahead.reverse()

    def say(self, text: str) -> str:
        """A text with the matter's particulars in it."""
        return text.format_map(self._slots) if "{" in text else text

    def choose(self, texts: tuple[str, ...]) -> str:
        """One of some texts, with the matter's particulars in it."""
        return self.say(texts[int(self._random() * len(texts))])

    def opening(self) -> tuple[str, str]:
        """A first question and the answer that belongs to it."""
        questions, answers = self.scenario.open, self.scenario.answer
        position = int(self._random() * len(questions))
        answer = answers[position * len(answers) // len(questions)]
        return self.say(questions[position]), self.say(answer)

    def follow_up(self) -> tuple[str, str]:
        """The next question and its answer; another matter once this one is exhausted."""
        if not self._ahead:
            self.turn_to_another()
            return self.opening()
        exchange = self._ahead.pop()
        return self.say(exchange.user), self.say(exchange.assistant)


_PRICE_STEPS = {
    "USD": 5, "THB": 90, "VND": 45_000, "IDR": 25_000, "CNY": 18,
    "JPY": 480, "KRW": 3_900, "INR": 99,
}  # fmt: skip


def write_dialogue(
    random: Random,
    language: Language,
    *,
    length: int,
    error_rate: float,
    pairs_only: bool,
) -> Dialogue:
    """A dialogue of exactly `length` lines.

    Args:
        random: where chance comes from.
        language: what is spoken.
        length: number of lines.
        error_rate: share of the assistant's answers that fail.
        pairs_only: whether to have nothing but users' questions, each with an assistant's
            answer; `length` is even then.
    """
    matter = Matter(random, language)
    title = matter.say(matter.scenario.title)
    if length == 0:
        return Dialogue(title, False, [])
    if length == 1:
        return Dialogue(title, False, [Line("user", matter.opening()[0])])
    plan = _plan(random, length // 2, pairs_only=pairs_only)
    lines: list[Line] = []
    for pair in _pairs(random, language, matter, plan, error_rate):
        lines += pair
    _add_manners(random, language, lines)
    if length % 2:
        _add_odd_line(random, matter, language, plan, lines)
    return Dialogue(title, plan.settled, lines)


def _plan(random: Random, pairs: int, *, pairs_only: bool) -> Plan:
    staffed_from = escalates_at = resumes_at = -1
    settled = pairs > 2 and random() < _CLOSED
    if not pairs_only and random() < _HUMAN_SUPPORT:
        staffed_from = 0
    elif pairs > 2 and random() < _ESCALATED:
        # Where rows are pairs with an assistant, what the person says goes on elsewhere.
        escalates_at = pairs - 1 if pairs_only else 1 + int(random() * (pairs - 2))
        staffed_from = escalates_at + 1
        settled = settled and not pairs_only
    if pairs > 2 and random() < _RESUMED:
        resumes_at = 1 + int(random() * (pairs - 1))
    return Plan(pairs, staffed_from, escalates_at, resumes_at, settled)


def _pairs(
    random: Random, language: Language, matter: Matter, plan: Plan, error_rate: float
) -> Iterator[tuple[Line, Line]]:
    owed = ""
    for pair in range(plan.pairs):
        resumes = pair == plan.resumes_at
        if plan.staffed_from >= 0 and pair >= plan.staffed_from:
            question, answer = _with_person(language, matter, plan, pair)
            yield Line("user", question, resumes=resumes), Line("agent", answer)
            continue
        if owed:
            question, answer = matter.choose(language.retry), owed
        else:
            question, answer = _with_assistant(random, language, matter, plan, pair)
        failed = random() < error_rate and plan.escalates_at not in (pair, pair + 1)
        owed = answer if failed else ""
        if failed:
            answer = matter.choose(language.apology)
        yield Line("user", question, resumes=resumes), Line("assistant", answer, failed)


def _with_assistant(
    random: Random, language: Language, matter: Matter, plan: Plan, pair: int
) -> tuple[str, str]:
    if pair == plan.escalates_at:
        handover = f"{matter.choose(language.escalation)} {ESCALATION_MARKER}"
        return matter.choose(language.angry), handover
    if pair == plan.resumes_at:
        return matter.choose(language.reopen), matter.choose(matter.scenario.answer)
    if pair == plan.pairs - 1 and plan.settled:
        return matter.choose(language.thanks), matter.choose(language.welcome)
    if pair == 0:
        return matter.opening()
    if random() < _SMALL_TALK:
        exchange = pick(random, language.small_talk)
        return matter.say(exchange.user), matter.say(exchange.assistant)
    return matter.follow_up()


def _with_person(language: Language, matter: Matter, plan: Plan, pair: int) -> tuple[str, str]:
    step = pair - plan.staffed_from
    if step == 0:
        question = matter.choose(language.user_detail) if pair else matter.opening()[0]
        return question, matter.choose(language.agent_hello)
    if pair == plan.resumes_at:
        return matter.choose(language.reopen), matter.choose(language.agent_check)
    if pair == plan.pairs - 1 and plan.settled:
        return matter.choose(language.thanks), matter.choose(language.welcome)
    if step == 1:
        return matter.say(language.user_detail[0]), matter.choose(language.agent_check)
    if step == 2:
        return matter.say(language.user_detail[1]), matter.say(matter.scenario.agent)
    return matter.follow_up()


def _add_manners(random: Random, language: Language, lines: list[Line]) -> None:
    """A greeting in front of some conversations, an emoji behind some of the user's lines."""
    if random() < _GREETED:
        lines[0] = lines[0]._replace(text=f"{pick(random, language.greeting)} {lines[0].text}")
    if random() < _EMOJI_SHARE * len(lines):
        position = 2 * int(random() * (len(lines) // 2))
        line = lines[position]
        lines[position] = line._replace(text=f"{line.text} {pick(random, _EMOJI)}")


def _add_odd_line(
    random: Random, matter: Matter, language: Language, plan: Plan, lines: list[Line]
) -> None:
    chance = random()
    by_assistant = plan.staffed_from != 0
    if chance < 0.15 and by_assistant:
        lines.insert(0, Line("system", SYSTEM_PROMPT))
    elif chance < 0.35 and by_assistant:
        found = matter.say('"order": "{order}", "status": "found", "city": "{city}"')
        lines.insert(1, Line("tool", "{" + found + "}"))
    elif chance < 0.55:
        lines.insert(1, Line("user", matter.choose(language.user_detail)))
    elif plan.settled:
        lines.append(Line("user", pick(random, _EMOJI)))
    else:
        lines.append(Line("user", matter.choose(language.user_detail)))
