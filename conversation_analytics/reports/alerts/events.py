"""Events: runs of periods in which a rule fires for the same thing, and what to tell of them.

An event goes on while its rule fires in period after period; where that cannot be told, it goes on
too. It is told once, in the words of its first period. Where reports are restated:

- an event whose first periods no longer fire is still the same event, and is not told again;
- an event of which no period fires any more is withdrawn, which is told if the event was;
- events that become one, or one that becomes two, are not told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conversation_analytics.periods import Period, parse_period
from conversation_analytics.reports.alerts.evaluate import Alert, Evaluation
from conversation_analytics.reports.alerts.figures import Subject
from conversation_analytics.reports.alerts.sent import AlertLog, Record, Standing

Records = Mapping[tuple[Period, str, Subject], Record]


@dataclass
class Event:
    """An event of a rule, as far as its periods were looked at.

    Attributes:
        subject: what it is about.
        alerts: those of its periods, in order.
        before: the record of the period before the first looked at, if it went on from there.
        began: the period under which it is told.
        standing: what has been told of it there.
    """

    subject: Subject
    alerts: list[Alert] = field(default_factory=list)
    before: Record | None = None
    began: Period | None = None
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True)
class Plan:
    """What becomes of a rule's alerts.

    Attributes:
        events: those there are, each with what has been told of it.
        records: records that are not as they should be, as they should, by period.
        withdrawn: records of events that were told and are none any more, by the period under
            which they were, with what has been told there.
    """

    events: Sequence[Event]
    records: Sequence[tuple[Period, Record]]
    withdrawn: Sequence[tuple[Period, Record, Standing]]


def plan(
    evaluations: Sequence[Evaluation], records: Records, log: AlertLog, *, withdraw: bool = True
) -> Plan:
    """What to write down and tell of a rule.

    Args:
        evaluations: of successive periods, in order.
        records: those there are of these periods and the one before.
        log: where it is known what has been told.
        withdraw: whether to tell of events that are none any more; not if there may be later
            periods, in which they go on.
    """
    rule = evaluations[0].rule
    standings = _Standings(log, rule.name)
    events = list(_events(evaluations, records))
    written: list[tuple[Period, Record]] = []
    still_told: set[tuple[Subject, str]] = set()
    for event in events:
        event.began, event.standing = _told_under(event, records, standings)
        for alert in event.alerts:
            there = records.get((alert.period, rule.name, event.subject))
            began = event.began
            if there is not None and there.state == "firing":  # two events that became one
                own = parse_period(rule.grain, there.event)
                began = own if standings.of(own, event.subject).told == "raised" else began
            record = _record(alert, began)
            still_told.add((event.subject, record.event))
            if record != there:
                written.append((alert.period, record))
        still_told.add((event.subject, event.began.key))
    before = evaluations[0].period.previous()
    still_told |= {
        (one.subject, one.event)
        for (period, name, _), one in records.items()
        if period == before and name == rule.name and one.state == "firing"
    }
    written += _no_longer(evaluations, records)
    now = {**records, **{(at, rule.name, one.subject): one for at, one in written}}
    ended = _ended(evaluations, now, still_told) if withdraw else []
    return Plan(events, written, _to_withdraw(ended, standings))


class _Standings:
    """What has been told of a rule's events, each looked up once."""

    def __init__(self, log: AlertLog, rule: str) -> None:
        self._log = log
        self._rule = rule
        self._known: dict[tuple[Period, Subject], Standing] = {}

    def of(self, began: Period, subject: Subject) -> Standing:
        if (began, subject) not in self._known:
            self._known[began, subject] = self._log.standing(began, self._rule, subject)
        return self._known[began, subject]


def _events(evaluations: Sequence[Evaluation], records: Records) -> Iterator[Event]:
    first = evaluations[0]
    going_on = {
        subject: Event(subject, before=one)
        for (period, rule, subject), one in records.items()
        if period == first.period.previous() and rule == first.rule.name and one.state == "firing"
    }
    for evaluation in evaluations:
        for subject in list(going_on):
            if subject not in evaluation.alerts and not evaluation.is_undecided(subject):
                ended = going_on.pop(subject)
                if ended.alerts:
                    yield ended
        for subject, alert in evaluation.alerts.items():
            going_on.setdefault(subject, Event(subject)).alerts.append(alert)
    yield from (event for event in going_on.values() if event.alerts)


def _told_under(event: Event, records: Records, standings: _Standings) -> tuple[Period, Standing]:
    """The period under which an event was told, else is to be: the first it is known by."""
    first = event.alerts[0]
    known = [event.before] if event.before else []
    for alert in event.alerts:
        there = records.get((alert.period, alert.rule.name, event.subject))
        known += [there] if there is not None and there.state == "firing" else []
    grain = first.rule.grain
    candidates = [*(parse_period(grain, one.event) for one in known), first.period]
    for one in candidates:
        if standings.of(one, event.subject).told == "raised":
            return one, standings.of(one, event.subject)
    return candidates[0], standings.of(candidates[0], event.subject)


def _no_longer(
    evaluations: Sequence[Evaluation], records: Records
) -> Iterator[tuple[Period, Record]]:
    """What is written down as firing and does not fire, as it should be written down."""
    rule = evaluations[0].rule
    by_period = {one.period: one for one in evaluations}
    for (period, name, subject), record in records.items():
        evaluation = by_period.get(period)
        if evaluation is None or name != rule.name or record.state != "firing":
            continue
        if subject not in evaluation.alerts and not evaluation.is_undecided(subject):
            state = "withdrawn" if record.rule_version == rule.version else "replaced"
            yield period, record.model_copy(update={"state": state})


def _ended(
    evaluations: Sequence[Evaluation], records: Records, still_told: set[tuple[Subject, str]]
) -> list[Record]:
    """A record of each event that began among the periods and is none any more."""
    rule = evaluations[0].rule
    periods = {one.period.key for one in evaluations}
    found: dict[tuple[Subject, str], Record] = {}
    for (_, name, subject), record in records.items():
        of_event = (subject, record.event)
        if (
            name == rule.name
            and record.state == "withdrawn"
            and record.event in periods  # else some of its periods may not have been looked at
            and of_event not in still_told
        ):
            found.setdefault(of_event, record)
    return list(found.values())


def _to_withdraw(
    records: Sequence[Record], standings: _Standings
) -> list[tuple[Period, Record, Standing]]:
    found = []
    for record in records:
        began = parse_period(record.alert["grain"], record.event)
        standing = standings.of(began, record.subject)
        if standing.told == "raised":
            found.append((began, record, standing))
    return found


def _record(alert: Alert, began: Period) -> Record:
    subject = alert.subject
    return Record(
        rule=alert.rule.name,
        rule_version=alert.rule.version,
        dimension=subject.dimension,
        value=subject.value,
        currency=subject.currency,
        state="firing",
        event=began.key,
        alert=alert.as_dict(),
    )
