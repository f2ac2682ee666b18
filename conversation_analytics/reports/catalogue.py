"""What the lake holds for reports, told from the manifests of its days, read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNITS,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest

STATES: Final = (MESSAGES_UNIT, CONVERSATIONS_UNIT, CATEGORIES_UNIT)
"""The units that reports are made of."""

_READ = (RAW, *STATES)


@dataclass(frozen=True)
class Catalogue:
    """The manifests of days, by unit and day.

    Attributes:
        manifests: of raw rows, messages, conversations and categories.
    """

    manifests: Mapping[str, Mapping[date, Manifest]]

    @classmethod
    def read(cls, lake: Lake) -> Catalogue:
        """The manifests of all days.

        Raises:
            StorageError: the lake cannot be read, or a manifest is damaged.
        """
        return cls({unit.name: lake.manifests(unit, lake.days(unit)) for unit in _READ})

    @cached_property
    def present(self) -> frozenset[date]:
        """The days whose conversations and messages were made of the same rows."""
        messages, conversations = self._of(MESSAGES_UNIT), self._of(CONVERSATIONS_UNIT)
        return frozenset(
            day for day in messages if day in conversations and self._fits(CONVERSATIONS_UNIT, day)
        )

    @cached_property
    def inconsistent(self) -> frozenset[date]:
        """The days of which something was made, but not all of the same rows."""
        days = {day for unit in (MESSAGES_UNIT, CONVERSATIONS_UNIT) for day in self._of(unit)}
        return frozenset(days - self.present)

    @cached_property
    def labelled(self) -> frozenset[date]:
        """The days present whose categories were made of what there is now."""
        there = self._of(CATEGORIES_UNIT)
        return frozenset(
            day for day in self.present if day in there and self._fits(CATEGORIES_UNIT, day)
        )

    @cached_property
    def _listing(self) -> Mapping[date, frozenset[date]]:
        found: dict[date, set[date]] = {}
        for day in self.present:
            for activity_day in self._of(MESSAGES_UNIT)[day].activity_days:
                found.setdefault(activity_day, set()).add(day)
        return {day: frozenset(days) for day, days in found.items()}

    @cached_property
    def activity_days(self) -> frozenset[date]:
        """The days on which messages were made."""
        return frozenset(self._listing)

    def listing(self, days: Iterable[date]) -> list[date]:
        """The days present whose conversations have messages made on any of `days`, in order."""
        return sorted({one for day in days for one in self._listing.get(day, ())})

    def inputs(self, days: Iterable[date]) -> dict[str, str]:
        """What a report of `days` is made of: content hashes by ``unit@day``."""
        own = sorted(set(days))
        found = {
            f"{RAW.name}@{day}": self._of(RAW)[day].content_hash
            for day in own
            if day in self._of(RAW)
        }
        for day in sorted({*(set(own) & self.present), *self.listing(own)}):
            found |= {f"{unit}@{day}": hash_ for unit, hash_ in self.states(day).items()}
        return found

    def quarantined(self, days: Iterable[date]) -> dict[str, int]:
        """Source rows in quarantine by reason, of `days`."""
        found: dict[str, int] = {}
        for day in days:
            manifest = self._of(RAW).get(day)
            for name, count in (manifest.counts if manifest else {}).items():
                reason = name.removeprefix("quarantined_")
                if reason != name and count:
                    found[reason] = found.get(reason, 0) + count
        return dict(sorted(found.items()))

    def label_versions(self, task: str, days: Iterable[date]) -> set[str]:
        """The versions of the models that told the labels of a task on any of `days`."""
        labelled = (self._of(CATEGORIES_UNIT)[day] for day in days if day in self.labelled)
        versions = (manifest.versions.get(task, "") for manifest in labelled)
        # What people corrected of a day comes after the model's own version.
        return {version.partition("+")[0] for version in versions} - {""}

    def states(self, day: date) -> dict[str, str]:
        """What there is to read of a day that is present: content hashes by unit."""
        units = STATES if day in self.labelled else STATES[:2]
        return {unit.name: self._of(unit)[day].content_hash for unit in units}

    def _of(self, unit: Unit) -> Mapping[date, Manifest]:
        return self.manifests[unit.name]

    def _fits(self, unit: Unit, day: date) -> bool:
        made_of = self._of(unit)[day].inputs
        return all(
            made_of.get(name) == self.manifests[name][day].content_hash
            for name in UNITS[unit.name].inputs
            if day in self.manifests[name]
        )
