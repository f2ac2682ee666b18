"""The code location: what ``workspace.yaml`` points Dagster to."""

from __future__ import annotations

from conversation_analytics.build import build_defs
from conversation_analytics.logs import set_up_logging
from conversation_analytics.settings import load_settings

settings = load_settings()
set_up_logging(settings)
defs = build_defs(settings)
