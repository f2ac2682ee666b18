"""`python -m benchmarks [NAME ...] [--quick] [--write]`: measure, print, keep."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time

from benchmarks.harness import machine, progress
from benchmarks.page import PAGE, written

NAMES = ("nocodb", "files", "mongo", "pool", "labels", "sync", "dify", "reports", "api")


def main() -> int:
    """Run benchmarks; 0 if every bar is reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--quick", action="store_true", help="little data: only shows that it runs")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {PAGE}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}: there are {', '.join(NAMES)}")
    if options.quick and options.write:
        parser.error("--quick figures mean nothing: --write needs a full run")
    print(f"{machine()}{', quick' if options.quick else ''}\n")
    missed = []
    for name in options.names or NAMES:
        progress(f"{name} …")
        started = time.monotonic()
        # Not imported above: the measured processes import this file again, and would be larger.
        report = importlib.import_module(f"benchmarks.{name}").run(quick=options.quick)
        print(f"## {name}\n\n{report.workload}\n\n{report.table()}\n", flush=True)
        progress(f"{name}: {time.monotonic() - started:.0f} s")
        if options.write:
            PAGE.write_text(written(PAGE.read_text(), name, report, machine()))
        missed += [f"{name}: {figure.name}" for figure in report.figures if not figure.passed]
    for one in missed:
        progress(f"missed: {one}")
    return 1 if missed else 0


def _compile_once() -> None:
    """Start again if Python may not keep what it compiles: every measured process would compile."""
    if sys.flags.dont_write_bytecode:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    _compile_once()
    sys.exit(main())
