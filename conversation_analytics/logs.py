"""Logging: one set-up for the command line and for Dagster's code location.

Only this package's loggers are touched, so that a program that imports it keeps its own set-up.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable

from pydantic import SecretStr

from conversation_analytics.errors import SettingsError
from conversation_analytics.settings import Settings

PACKAGE = "conversation_analytics"
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_HIDDEN = "***"


def set_up_logging(settings: Settings, show: Callable[[str], None] | None = None) -> None:
    """Log this package at ``LOG_LEVEL``: to people, and to ``LOG_FILE`` if there is one.

    People see tracebacks only at level DEBUG; the file always has them. May be called again, to
    change the set-up.

    Args:
        settings: the settings.
        show: prints a line for people; standard error if not given.

    Raises:
        SettingsError: the file cannot be written.
    """
    secrets = secrets_of(settings)
    handlers: list[logging.Handler] = [_ForPeople(show or _to_stderr)]
    tracebacks = settings.log_level == "DEBUG"
    handlers[0].setFormatter(_Formatter("%(message)s", secrets, tracebacks=tracebacks))
    if settings.log_file:
        try:
            settings.log_file.parent.mkdir(parents=True, exist_ok=True)
            file = logging.FileHandler(settings.log_file, encoding="utf-8", delay=False)
        except OSError as error:
            raise SettingsError(
                f"LOG_FILE={settings.log_file}: cannot be written ({error.strerror}): name a file "
                "in a folder that this user may write to"
            ) from error
        file.setFormatter(_Formatter(_LINE, secrets, tracebacks=True))
        handlers.append(file)
    logger = logging.getLogger(PACKAGE)
    for old in [h for h in logger.handlers if getattr(h, "ours", False)]:
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.ours = True  # type: ignore[attr-defined]
        logger.addHandler(handler)
    logger.setLevel(settings.log_level)
    logger.propagate = False


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The values of all secret settings, which must not appear anywhere."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return tuple(v.get_secret_value() for v in values if isinstance(v, SecretStr))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with secrets, and credentials inside addresses, replaced by asterisks."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return _CREDENTIALS.sub(_HIDDEN, text)


class _Formatter(logging.Formatter):
    def __init__(self, line: str, secrets: tuple[str, ...], *, tracebacks: bool) -> None:
        super().__init__(line)
        self._secrets = secrets
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        if not self._tracebacks:
            record = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        return without_secrets(super().format(record), self._secrets)


class _ForPeople(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(f"{record.levelname.lower()}: {self.format(record)}")


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
