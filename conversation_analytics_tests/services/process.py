"""Starting one server process, knowing when it is ready, and ending it whatever happens."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LOG_TAIL_CHARACTERS = 4000
STOP_SECONDS = 10.0

_running: set[Process] = set()


class ServiceError(RuntimeError):
    """A service of the test suite cannot be installed or started; the message ends with its log."""


class Process:
    """A server in its own process group, with its output in a log file.

    Attributes:
        name: What it is called in messages.
        pid: Process id, also the id of its group.
        log_path: File that takes its standard output and error.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        uid: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._stop_signal = stop_signal
        self._command = _tied_to_this_process(command, uid, death_signal)
        self._env = {**os.environ, **(env or {})}
        self.start()

    def start(self) -> None:
        """Start the server again after it was killed; by a thread that lasts (see below)."""
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self.log_path.parent,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        _running.add(self)

    def is_running(self) -> bool:
        """Tell whether the process has not ended yet."""
        return self._popen.poll() is None

    def log_tail(self) -> str:
        """Give the end of the log."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]

    def wait_until_ready(self, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Poll until the server answers.

        Args:
            is_ready: Asks the server; False and connection errors mean "not yet".
            seconds: How long to keep asking.

        Raises:
            ServiceError: It ended, or did not answer in time; the message holds the log's tail.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.is_running():
                msg = f"{self.name} ended with code {self._popen.returncode} while it started"
                raise ServiceError(f"{msg}; its log ends:\n{self.log_tail()}")
            if is_ready():
                return
            time.sleep(0.05)
        msg = f"{self.name} was not ready after {seconds:.0f} s"
        raise ServiceError(f"{msg}; its log ends:\n{self.log_tail()}")

    def stop(self) -> None:
        """End the process and its group: asked first, killed after ten seconds."""
        if self.is_running():
            self._signal_group(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):  # the kill below is the answer to that
                self._popen.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process and its group at once, as a crash would."""
        self._signal_group(signal.SIGKILL)
        self._popen.wait(STOP_SECONDS)
        _running.discard(self)

    def pause(self) -> None:
        """Freeze the group: connections stay open and nothing answers."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused group go on."""
        self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # the whole group has ended already


@contextmanager
def running(process: Process) -> Iterator[Process]:
    """Stop the process when the block ends, by whatever way."""
    try:
        yield process
    finally:
        process.stop()


def free_port() -> int:
    """Give a loopback TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tied_to_this_process(
    command: Sequence[str | Path], uid: int | None, death_signal: signal.Signals
) -> list[str]:
    """Have the kernel end the server when this process dies without cleaning up (SIGKILL).

    It is killed by default, since a signal that is blocked or ignored here is so in the server too.
    The kernel watches the thread that starts the server, so that must be one that lasts; it does
    not watch yet in the first milliseconds, before the server itself runs.
    """
    arguments = [str(part) for part in command]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if uid is not None:
            msg = "running a service as another user needs setpriv: install the package util-linux"
            raise ServiceError(msg)
        return arguments
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return [setpriv, *user, "--pdeathsig", death_signal.name.removeprefix("SIG"), *arguments]


@atexit.register
def _stop_what_is_left() -> None:
    for process in list(_running):
        process.stop()
