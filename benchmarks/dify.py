"""Translating by a workflow of Dify, against the time that its runs take by themselves."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Bar, Figure, Report, measured, progress
from conversation_analytics.dify.asking import PaidAsker
from conversation_analytics.dify.client import DifyClient
from conversation_analytics.storage.store import LocalStore
from conversation_analytics.translation.contract import TranslationContract, question_of
from conversation_analytics_tests.services.dify_contract import KEY, App, DifyContract, Inputs
from conversation_analytics_tests.services.dify_server import start_dify

_SECONDS = 0.05  # that a run takes
_AT_ONCE = 8
_TOGETHER = 20  # texts in a call, as by default


def run(*, quick: bool) -> Report:
    """Translate some texts, each in a call of its own and several in one; and once more."""
    texts, rounds = (40, 1) if quick else (500, 5)
    single, together, again = [], [], []
    for number in range(rounds):
        progress(f"dify: round {number + 1} of {rounds}")
        for batch, ratios in ((1, single), (_TOGETHER, together)):
            calls, seconds, repeated = _translated(texts, batch)
            ratios.append(seconds / (math.ceil(calls / _AT_ONCE) * _SECONDS))
            again.append(float(repeated))
    return Report(
        f"{texts} different texts, {_AT_ONCE} calls at once, runs of {_SECONDS * 1000:g} ms, over "
        "a real connection to a server on the same machine; the ledger is on its disk. The ideal "
        "is the time of the runs alone.",
        [
            Figure(
                "time of translating / ideal, a text a call",
                single,
                bar=Bar(1.3, at_most=True),
            ),
            Figure("calls when all is asked again", again, bar=Bar(0, at_most=True)),
            Figure(f"time of translating / ideal, {_TOGETHER} texts a call", together),
        ],
    )


def _translated(texts: int, batch: int) -> tuple[int, float, int]:
    """Calls and seconds of translating some texts, and calls of doing so again."""
    app = App(workflow=_marked, needed=("texts",), seconds=_SECONDS)
    contract = DifyContract(app)
    with start_dify(contract) as url, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        seconds: float = measured(_ask, url, Path(folder), texts, batch).result
        calls = contract.starts
        measured(_ask, url, Path(folder), texts, batch)
        return calls, seconds, contract.starts - calls


def _marked(inputs: Inputs) -> Inputs:
    """Each text as it is: the server is to cost little, since it shares the machine."""
    texts = json.loads(inputs["texts"])
    return {"translations": [{"id": text["id"], "text": f"<{text['text']}>"} for text in texts]}


def _ask(url: str, folder: Path, texts: int, batch: int) -> float:
    """Ask for the translations; seconds."""
    questions = [
        question_of(f"¿Por qué tarda tanto? {number}", language="es", target="en")
        for number in range(texts)
    ]
    with DifyClient(base_url=url, api_key=KEY, max_concurrency=_AT_ONCE) as client:
        asker = PaidAsker(
            LocalStore(folder),
            client,
            TranslationContract(),
            user="benchmark",
            batch_size=batch,
            max_concurrency=_AT_ONCE,
        )
        started = time.perf_counter()
        replies = asker.ask(questions)
        seconds = time.perf_counter() - started
    if any(reply.status != "succeeded" for reply in replies.values()):
        raise RuntimeError(f"not all is translated: {next(iter(replies.values()))}")
    return seconds
