"""Dagster's daemon, except that it looks for backfills every few seconds, not twice a minute."""

from __future__ import annotations

from dagster._daemon import controller
from dagster._daemon.cli import main

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
    main()
