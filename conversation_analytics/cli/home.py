"""The Dagster home that the command line shares with ``make dev``: same runs, same history."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from conversation_analytics.errors import SettingsError

_CONFIG = "dagster.yaml"
# For a home made where there is no dagster.yaml to copy.
_MINIMAL = """\
telemetry:
  enabled: false
concurrency:
  pools:
    default_limit: 1
event_log_storage:
  module: conversation_analytics.resources.event_log
  class: PooledEventLogStorage
  config: {}
"""


def home_folder() -> Path:
    """The home's absolute path: ``DAGSTER_HOME``, else ``.dagster`` where we are.

    Raises:
        SettingsError: ``DAGSTER_HOME`` is relative, so it would be another one elsewhere.
    """
    text = os.environ.get("DAGSTER_HOME", "")
    if not text:
        return Path.cwd() / ".dagster"
    home = Path(text).expanduser()
    if not home.is_absolute():
        raise SettingsError(f"DAGSTER_HOME={text}: must be an absolute path")
    return home


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The Dagster instance, made and initialised first if it is new.

    Raises:
        SettingsError: the home cannot be made, or its dagster.yaml is wrong.
    """
    home = home_folder()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / ".initialising").open("w") as lock:
            # Two programs that open a fresh home at once break it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _configure(home)
            instance = dg.DagsterInstance.from_config(str(home))
            instance.get_runs(limit=1)
            instance.event_log_storage.get_asset_records([])
            instance.all_instigator_state()
    except (OSError, dg.DagsterError) as error:
        raise SettingsError(f"DAGSTER_HOME={home}: cannot be used: {error}") from error
    with instance:
        yield instance


def _configure(home: Path) -> None:
    """Give the home a configuration: that of the folder we are in, if there is one."""
    target, template = home / _CONFIG, Path.cwd() / _CONFIG
    if target.exists():
        return
    if template.is_file():
        shutil.copyfile(template, target)
    else:
        target.write_text(_MINIMAL, encoding="utf-8")
