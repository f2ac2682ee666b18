"""Whether a report had all of its days: a check that warns, and blocks nothing.

It is evaluated where a report is written (see `io_managers.parquet`); here it only gets its name.
"""

from __future__ import annotations

import dagster as dg

COMPLETE = "complete"


def completeness_checks(report: str) -> list[dg.AssetCheckSpec]:
    """The spec of the check of a report's asset."""
    return [
        dg.AssetCheckSpec(
            COMPLETE,
            asset=report,
            description="Every day of the period is in the lake and over, and was made of rows "
            "that belong together.",
            blocking=False,
        )
    ]
