"""Measuring: work in a process of its own, rounds that alternate, figures with their bars.

Nothing here knows what is measured. Linux only: processes are watched through /proc.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

MIB = 2**20
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_SECONDS = 0.2
_LOG_TAIL = 3000


class WorkFailed(RuntimeError):
    """Measured work raised; the message ends with its traceback."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What some work took.

    Attributes:
        wall: seconds, imports and process start left out.
        cpu: seconds of user and system time of the process and all its descendants.
        peak_memory: largest memory of those processes seen, shared pages counted once, bytes.
        result: what the work returned.
    """

    wall: float
    cpu: float
    peak_memory: int
    result: Any


@dataclass(frozen=True, slots=True)
class Bar:
    """The value a figure must reach.

    Attributes:
        limit: the value.
        at_most: whether less is better.
    """

    limit: float
    at_most: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {_number(self.limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: what it is; a ratio says of what to what.
        values: one a round.
        unit: empty for a ratio.
        bar: what its median must reach, null if it is only reported.
    """

    name: str
    values: Sequence[float]
    unit: str = ""
    bar: Bar | None = None

    @property
    def passed(self) -> bool:
        """Whether the median reaches the bar."""
        return self.bar is None or self.bar.holds(median(self.values))

    def cells(self) -> list[str]:
        """The figure as cells of a table row."""
        low, middle, high = min(self.values), median(self.values), max(self.values)
        verdict = "reported" if self.bar is None else "pass" if self.passed else "**FAIL**"
        unit = f" {self.unit}" if self.unit else ""
        return [
            self.name + unit.replace(" ", ", ", 1),
            str(len(self.values)),
            _number(low),
            f"**{_number(middle)}**",
            _number(high),
            str(self.bar or "–"),
            verdict,
        ]


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found.

    Attributes:
        workload: what was measured, in a sentence.
        figures: its figures, with bars first.
    """

    workload: str
    figures: Sequence[Figure] = field(default_factory=tuple)

    def table(self) -> str:
        """The figures as a Markdown table."""
        head = ["figure", "rounds", "min", "median", "max", "bar", "verdict"]
        rows = [head, ["---"] * len(head), *(figure.cells() for figure in self.figures)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


Work = Callable[[], Usage]


def measured(
    function: Callable[..., Any], *args: Any, first: Callable[[], object] | None = None
) -> Usage:
    """Run a function in a fresh process and say what it took.

    Args:
        function: a top-level function; what its module imports is loaded before the clock starts.
        *args: its arguments, picklable like its result.
        first: another one, called before the clock starts, to have loaded what is imported late.

    Raises:
        WorkFailed: it raised, or its process died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile(prefix="benchmark-", suffix=".log") as log:
        process = context.Process(target=_work, args=(theirs, log.name, function, args, first))
        process.start()
        theirs.close()
        watch = _Watch(process.pid or 0)
        try:
            done, answer = ours.recv()
        except EOFError:
            done, answer = False, "its process died"
        finally:
            peak = watch.stop()
            process.join()
            ours.close()
        if not done:
            tail = Path(log.name).read_text(errors="replace")[-_LOG_TAIL:]
            raise WorkFailed(f"{function.__name__}: {answer}\nits log ends:\n{tail}")
    wall, cpu, result = answer
    return Usage(wall, cpu, peak, result)


def rounds(
    works: Mapping[str, Work], *, at_least: int, at_most: int, seconds: float
) -> dict[str, list[Usage]]:
    """Measure several works one after another, again and again: A B A B …

    Args:
        works: what to measure, by name.
        at_least: rounds made whatever they take.
        at_most: rounds made if there is time.
        seconds: no further round starts when it would likely end later than this.
    """
    found: dict[str, list[Usage]] = {name: [] for name in works}
    begun = time.monotonic()
    for number in range(at_most):
        spent = time.monotonic() - begun
        if number >= at_least and spent + spent / number > seconds:
            break
        for name, work in works.items():
            found[name].append(work())
            progress(f"  {name}: {found[name][-1].wall:.2f} s")
    return found


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio in each round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def walls(usages: Sequence[Usage]) -> list[float]:
    """Wall times, seconds."""
    return [usage.wall for usage in usages]


def progress(words: str) -> None:
    """Tell people what is going on; results go to standard output, this does not."""
    print(words, file=sys.stderr, flush=True)


def machine() -> str:
    """What this runs on."""
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), {memory:.0f} GiB memory, Python {platform.python_version()}"


class _Watch:
    """Samples the memory of a process and its descendants in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(_memory(pid) for pid in _tree(self._pid)))

    def stop(self) -> int:
        """End sampling; the peak in bytes."""
        self._ended.set()
        self._thread.join()
        return self._peak


def _work(
    answers: Connection,
    log: str,
    function: Callable[..., Any],
    args: Any,
    first: Callable[[], object] | None,
) -> None:
    with Path(log).open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if first is not None:
        first()
    gc.freeze()  # what was imported is no part of the work: no collection shall wade through it
    cpu, started = _cpu_seconds(), time.perf_counter()
    try:
        result = function(*args)
        wall = time.perf_counter() - started
        answers.send((True, (wall, _cpu_seconds() - cpu, result)))
    except Exception:
        answers.send((False, traceback.format_exc()))
        raise


def _tree(root: int) -> list[int]:
    """A process and its living descendants."""
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        with suppress(OSError):  # it ended meanwhile
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pending += map(int, children.read_text().split())
    return found


def _memory(pid: int) -> int:
    """The proportional set size of a process: what it shares counts in parts."""
    with suppress(OSError):  # it ended meanwhile
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds() -> float:
    """CPU time of this process, of its living descendants and of all those that ended."""
    ticks = 0
    for pid in _tree(os.getpid()):
        with suppress(OSError):  # it ended meanwhile, and its parent has its time
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICK


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
