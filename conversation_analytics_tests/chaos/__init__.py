"""Campaigns against the whole: crashes, faults and concurrent changes.

`make test` runs a short one of each, `make chaos` (CHAOS=1) a long one.
"""

from __future__ import annotations

import os

LONG = os.environ.get("CHAOS") == "1"


def scaled(short: int, long: int) -> int:
    """How often to try: `short` in `make test`, `long` in `make chaos`."""
    return long if LONG else short
