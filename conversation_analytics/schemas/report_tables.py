"""The tables of reports of each grain: figures, and models by the day."""

from __future__ import annotations

from dataclasses import replace

from conversation_analytics.schemas.reports import FIGURES

DAILY_REPORT = replace(
    FIGURES, name="daily_report", description="One row a figure of the report of a day."
)
WEEKLY_REPORT = replace(
    FIGURES, name="weekly_report", description="One row a figure of the report of an ISO week."
)
MONTHLY_REPORT = replace(
    FIGURES, name="monthly_report", description="One row a figure of the report of a month."
)
