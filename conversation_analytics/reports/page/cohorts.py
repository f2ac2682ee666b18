"""Who came back, as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.figures import Document


@dataclass(frozen=True)
class Cohort:
    """The users that a week brought, some weeks later.

    Attributes:
        week: key of the week that brought them.
        later: how many weeks later.
        users: how many they were.
        share: how many of them came back, with their number; a dash where too few came.
        drawing: the share as a bar.
    """

    week: str
    later: str
    users: str
    share: str
    drawing: Markup


def cohorts(document: Document) -> list[Cohort]:
    """The cohorts of a weekly report, the latest first; none of other grains."""
    return [
        Cohort(
            week=str(one["cohort"]),
            later=str(one["weeks_later"]),
            users=f"{one['users']:,}",
            share=numbers.share(one["share"])
            + (f" ({one['active']:,})" if one["active"] is not None else ""),
            drawing=charts.bar(one["share"] or 0),
        )
        for one in document.get("retention") or []
    ]
