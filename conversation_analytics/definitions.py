"""The code location: what ``workspace.yaml`` points Dagster to."""

from __future__ import annotations

from conversation_analytics.build import build_defs

defs = build_defs()
