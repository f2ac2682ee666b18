"""Templates and styles, for the report's page and for pages like it."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from conversation_analytics.reports.page import numbers


@cache
def environment() -> Environment:
    """What renders the templates of this folder; every text of the data is escaped."""
    made = Environment(
        loader=PackageLoader(__name__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["moment"] = numbers.moment
    return made
