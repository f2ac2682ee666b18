"""Alerts as asset checks: once the reports of a grain are in the lake, its rules are looked at.

A check warns and blocks nothing. A file of rules with mistakes fails the check, not the run, for
other reports are still to be made.
"""

from typing import Final

import dagster as dg

from conversation_analytics.errors import AlertsInvalid
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.periods import GRAINS, Grain
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.settings import Settings
from conversation_analytics.storage.layout import REPORT_UNITS

NO_ALERTS: Final = "no_alerts"

_SHOWN: Final = 50


def alert_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """A check of the reports of each grain; none without ALERTS_FILE."""
    return [_check(settings, grain) for grain in GRAINS] if settings.alerts_file else []


def _check(settings: Settings, grain: Grain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=REPORT_UNITS[grain].tables[0].name,
        name=NO_ALERTS,
        description="No rule of ALERTS_FILE fires in the newest report that is over.",
        blocking=False,
    )
    def no_alerts(
        context: dg.AssetCheckExecutionContext, lake: LakeResource
    ) -> dg.AssetCheckResult:
        from conversation_analytics.reports.alerts.check import check_alerts
        from conversation_analytics.reports.alerts.file import rules_of

        try:
            rules = rules_of(settings)
        except AlertsInvalid as error:
            context.log.error("ALERTS_FILE: %s", error)
            return dg.AssetCheckResult(
                passed=False, severity=dg.AssetCheckSeverity.ERROR, description=str(error)
            )
        with retried_if_unavailable(context.op_execution_context, step_retries(settings)):
            found = check_alerts(settings, lake.open(), rules, grain)
        return dg.AssetCheckResult(
            passed=not found.firing,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(one.text for one in found.firing[:_SHOWN]) or None,
            metadata={
                "periods": ", ".join(one.key for one in found.periods) or "none",
                "firing": dg.MetadataValue.json([one.as_dict() for one in found.firing[:_SHOWN]]),
                "raised": dg.MetadataValue.json(found.raised),
                "withdrawn": dg.MetadataValue.json(found.withdrawn),
                "waiting": dg.MetadataValue.json(found.waiting),
                "notes": dg.MetadataValue.json(found.notes[:_SHOWN]),
            },
        )

    return no_alerts
