"""A small lake, keys for it, and the API over it, served on a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from conversation_analytics.api.app import create_app
from conversation_analytics.api.keys import KeyFile, Scope
from conversation_analytics.api.server import server
from conversation_analytics.periods import GRAINS, period_of
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.days import ReportDays
from conversation_analytics.reports.user_states import refreshed_users
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics_tests.builders import Pipeline, conversation, message
from conversation_analytics_tests.services.process import free_port

FIRST, SECOND, GAP, LAST = (date(2024, 1, n) for n in (2, 3, 4, 5))
DAYS = (FIRST, SECOND, LAST)
A_DAY = 8
FORMULA = '=HYPERLINK("http://evil.test","x")'
THAI = "ใบแจ้งหนี้ของฉันผิด"
NULLS: dict[str, Any] = {"user_id": None, "title": None, "channel": None, "language": None}


def build_lake(folder: Path) -> Pipeline:
    """Three of four days, two of them with reports.

    Each has the conversations c-<day>-<number>, an hour apart, each of four messages. Number 1
    asks for a human, 2 has an error, 3 is Thai, 4 looks like a formula, 5 lacks what may be
    absent, 6 is of another segment.
    """
    pipeline = Pipeline(folder, categories=True, min_users_per_cell=1)
    conversations, messages = [], []
    for day in DAYS:
        for number in range(A_DAY):
            id_, hour = f"c-{day:%d}-{number}", f"{day}T{number + 8:02d}"
            odd = NULLS if number == 5 else {}
            odd = {"title": FORMULA, "channel": FORMULA} if number == 4 else odd
            odd = {"segment": "new"} if number == 6 else odd
            given = {"user_id": f"u{number % 3}", "channel": ("web", "app")[number % 2]}
            conversations.append(conversation(id_, f"{hour}:00:00+00:00", **{**given, **odd}))
            texts = ["My invoice is wrong", "Sorry, I will look at it", "Thank you so much", "Bye"]
            if number == 3:
                texts[0] = THAI
            if number == 1:
                texts[1] = "A colleague takes over #AGENT"
            for turn, text in enumerate(texts):
                more = {"error": "model failed"} if (number, turn) == (2, 1) else {}
                role = ("user", "assistant")[turn % 2]
                if role == "assistant":
                    more |= {"model": "gpt-4o", "cost": "0.00012", "currency": "USD"}
                at = f"{hour}:{turn:02d}:00+00:00"
                messages.append(message(f"m-{id_}-{turn}", id_, at, role, content=text, **more))
    pipeline.export(conversations, messages)
    assert pipeline.run(*DAYS).errors == []
    make_reports(pipeline)
    return pipeline


def make_reports(pipeline: Pipeline) -> None:
    """Users of the lake, and the reports of its days, but not of the last one."""
    lake, settings = pipeline.lake, pipeline.settings
    items = refreshed_users(lake, Catalogue.read(lake), Request("users", "users"))
    reports = list(commit_days(lake, items))
    for grain in GRAINS:
        asked = sorted({period_of(grain, day) for day in (FIRST, SECOND)})
        request = Request("reports", "reports")
        reports += commit_days(lake, ReportDays(settings, lake, grain, asked, request))
    assert [one.error for one in reports if one.error] == []


@dataclass(frozen=True)
class Api:
    """An app over a lake, with a key for each scope.

    Attributes:
        settings: its settings.
        keys: key by scope.
        client: sends requests to it, with the key of `admin` unless told otherwise.
    """

    settings: Settings
    keys: dict[str, str]
    client: httpx.Client = field(compare=False)

    def get(self, path: str, *, scope: str = "admin", **more: Any) -> Any:
        """Ask with the key of a scope."""
        headers = {"Authorization": f"Bearer {self.keys[scope]}"} | more.pop("headers", {})
        return self.client.get(f"/api/v1{path}", headers=headers, **more)

    def ids(self, **params: Any) -> list[str]:
        """Ids of the conversations of a page."""
        answer = self.get("/conversations", params=params)
        assert answer.status_code == 200, answer.text
        return [item["conversation_id"] for item in answer.json()["items"]]


def make_keys(settings: Settings) -> dict[str, str]:
    """A key for each scope."""
    file = KeyFile(settings.api_keys_file)
    return {scope.value: file.create(scope.value.replace(":", " "), [scope])[1] for scope in Scope}


@contextmanager
def api_over(settings: Settings, folder: Path, **changes: Any) -> Iterator[Api]:
    """The API over the lake of some settings, with keys in a folder."""
    changed = settings.model_copy(update={"api_keys_file": folder / "keys.json", **changes})
    keys = make_keys(changed)
    with on_a_socket(changed) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield Api(changed, keys, client)


@contextmanager
def on_a_socket(settings: Settings, *, is_open: bool = False) -> Iterator[int]:
    """The API served by uvicorn, as the command line does; gives its port."""
    port = free_port()
    running = server(create_app(settings, is_open=is_open), settings, host="127.0.0.1", port=port)
    thread = threading.Thread(target=running.run, name="api")
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield port
    finally:
        running.should_exit = True
        thread.join()
