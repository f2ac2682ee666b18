"""The REST API on a year of days: how long its answers take eight clients at once."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import httpx
import numpy as np

from benchmarks.harness import Bar, Figure, Report, progress
from benchmarks.product import day_range
from benchmarks.reports import all_users, reports_of
from benchmarks.states import build
from benchmarks.texts import COMMON, RARE
from conversation_analytics_tests.services.process import Process, free_port, running

_CLIENTS = 8
_ROUNDS = 3
_START_SECONDS = 120.0
_SERVE = "from conversation_analytics.cli.main import app; app()"

Ask = Callable[[random.Random], str]


def run(*, quick: bool) -> Report:
    """Measure answers of a real server over sockets."""
    messages, days, users = (50_000, 20, 5_000) if quick else (10_000_000, 365, 200_000)
    asked, searched = (20, 5) if quick else (100, 20)
    dates = day_range(days)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress("  making the lake and its reports …")
        build(folder, dict.fromkeys(dates, messages // days), users=users, with_texts=True)
        all_users(folder)
        reports_of(folder, "daily", dates)
        port = free_port()
        env = os.environ | {
            "SOURCE": "files",
            "PARQUET_BASE_DIR": str(folder),
            "API_RATE_LIMIT": "1000000/minute",
        }
        command = [sys.executable, "-c", _SERVE, "api", "serve", "--open", "--port", str(port)]
        server = Process("api", command, log_path=folder / "api.log", env=env)
        base = f"http://127.0.0.1:{port}/api/v1"
        with running(server):
            server.wait_until_ready(lambda: _answers(base), seconds=_START_SECONDS)
            taken = {
                what: [_p95(base, ask, asked) for _ in range(_ROUNDS)]
                for what, ask in _asks(dates).items()
            }
            found = {
                what: [_p95(base, ask, searched) for _ in range(_ROUNDS)]
                for what, ask in _searches(dates).items()
            }
            whole = _search_all(base, RARE)
    bars = {"a report": 50.0, "a series of all days": 300.0, "a page of conversations": 200.0}
    return Report(
        f"About {messages:,} messages in {days} days, as what reports and the API read of them. "
        f"{_CLIENTS} clients in one process on the same machine ask without a pause, {asked} times "
        f"each a round, for texts {searched} times, after some unmeasured; 95 % of answers took no "
        "longer. One text in nine has the common word, one of all texts the rare one.",
        [
            Figure(
                f"{what}, p95",
                values,
                "ms",
                bar=Bar(bars[what], at_most=True) if what in bars else None,
            )
            for what, values in taken.items()
        ]
        + [Figure(f"{what}, p95", values, "ms") for what, values in found.items()]
        + [Figure("texts with a rare word, until all days are searched, one client", [whole], "s")],
    )


def _asks(days: Sequence[date]) -> dict[str, Ask]:
    """What is asked for, drawn anew each time."""
    first, last = days[0], days[-1]
    year = f"from={first}&to={last}"

    def page(draw: random.Random) -> str:
        return f"/conversations?limit=50&to={draw.choice(days)}"

    def filtered(draw: random.Random) -> str:
        language, sentiment = draw.choice(["en", "de", "es"]), draw.choice(["negative", "positive"])
        return f"{page(draw)}&language={language}&sentiment={sentiment}"

    return {
        "a report": lambda draw: f"/reports/daily/{draw.choice(days)}",
        "a series of all days": lambda draw: (
            f"/series?metric={draw.choice(['conversations', 'messages', 'error_rate'])}"
            f"&grain=daily&{year}"
        ),
        "a page of conversations": page,
        "a page of conversations by language and sentiment": filtered,
        "a series of all days by topic": lambda _: (
            f"/series?metric=conversations&grain=daily&by=topic&{year}"
        ),
    }


def _searches(days: Sequence[date]) -> dict[str, Ask]:
    """What texts are searched for, each time from another day backwards."""

    def of(word: str) -> Ask:
        return lambda draw: f"/conversations?limit=50&q={word}&to={draw.choice(days)}"

    return {
        "texts with a common word, a full page": of(COMMON),
        "texts with a rare word, the first answer": of(RARE),
    }


def _search_all(base: str, word: str) -> float:
    """Seconds until a client that follows the cursors has searched all days.

    Raises:
        RuntimeError: it has not found the one conversation there is.
    """
    found, cursor = 0, None
    started = time.perf_counter()
    with httpx.Client(timeout=60) as http:
        while True:
            asked = {"limit": "50", "q": word} | ({"cursor": cursor} if cursor else {})
            answer = http.get(f"{base}/conversations", params=asked).raise_for_status().json()
            found, cursor = found + len(answer["items"]), answer["next_cursor"]
            if cursor is None:
                break
    if found != 1:
        raise RuntimeError(f"{word!r} was found in {found} conversations, not in one")
    return time.perf_counter() - started


def _p95(base: str, ask: Ask, times: int) -> float:
    """The 95th percentile of what answers took, in milliseconds."""
    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(lambda seed: _client(base, ask, times // 4, seed), range(_CLIENTS)))
        took = pool.map(lambda seed: _client(base, ask, times, seed), range(_CLIENTS))
        return float(np.quantile([one for own in took for one in own], 0.95))


def _client(base: str, ask: Ask, times: int, seed: int) -> list[float]:
    draw, took = random.Random(seed), []
    with httpx.Client(timeout=60) as http:
        for _ in range(times):
            address = base + ask(draw)
            started = time.perf_counter()
            http.get(address).raise_for_status()
            took.append(1000 * (time.perf_counter() - started))
    return took


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health").is_success
    except httpx.TransportError:
        return False
