"""A small lake with two weeks of reports, translations, and texts that mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from conversation_analytics.periods import GRAINS, period_of
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.days import ReportDays
from conversation_analytics.reports.user_states import refreshed_users
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics_tests.api.lake import on_a_socket
from conversation_analytics_tests.builders import Pipeline, Row, conversation, message
from conversation_analytics_tests.translation.askers import FakeAsker
from conversation_analytics_tests.translation.translated_lake import DIFY

DAYS = [date(2024, 1, day) for day in (2, 3, 8, 9)]
"""Two days of a week, and two of the next."""

HARM = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"
HARMFUL_USER = '<b>Mallory</b> & "co"/../?x=1#y'
ANGRY = "Estoy muy enojado, su servicio es terrible y nadie contesta"
THAI = "บริการแย่มาก ฉันโกรธมาก"
TAXONOMY = """
topics:
  - name: money
  - name: billing
    parent: money
    keywords: [invoice]
  - name: delivery
    keywords: [parcel]
intents:
  - name: refund
    keywords: [money back]
"""
BILLING = "My invoice is wrong again and I want my money back"
DELIVERY = "Where is my parcel, it should have been here on Monday"
BOTH = "My invoice names a parcel, an invoice for a parcel that never came"


def _talk(number: int, day: date, text: str, **changes: Any) -> tuple[Row, list[Row]]:
    """A question and its answer."""
    id_ = changes.pop("id", f"c{number}")
    model = changes.pop("model", "quick")
    at = f"{day}T{8 + number % 12:02d}:{number % 60:02d}"
    answer = {
        "model": model,
        "latency_ms": 9_000 if model == "slow" else 400,
        "cost": "0.5" if model == "slow" else "0.01",
        "currency": "USD",
        "error": changes.pop("error", None),
    }
    about = {"user_id": f"u{number}", "title": f"Question {number}", "language": None}
    return conversation(id_, f"{at}:00+00:00", **{**about, **changes}), [
        message(f"{id_}-q", id_, f"{at}:00+00:00", content=text),
        message(f"{id_}-a", id_, f"{at}:09+00:00", "assistant", content="I will look", **answer),
    ]


def _talks() -> Iterator[tuple[Row, list[Row]]]:
    """Billing grows from four conversations to twelve, delivery stays as it is."""
    number = 0
    for day, texts in {
        DAYS[0]: [BILLING] * 2 + [DELIVERY] * 3,
        DAYS[1]: [BILLING] * 2 + [DELIVERY] * 2,
        DAYS[2]: [BILLING] * 6 + [DELIVERY] * 3 + [ANGRY] * 2,
        DAYS[3]: [BILLING] * 6 + [DELIVERY] * 2 + [ANGRY] * 2,
    }.items():
        for text in texts:
            number += 1
            model = "slow" if number % 4 == 0 else "quick"
            yield _talk(number, day, text, model=model)
    harmful = {"title": HARM, "user_id": HARMFUL_USER, "channel": HARM, "model": HARM}
    yield _talk(90, DAYS[3], f"{HARM} {BILLING}", id="<i>/..?#%", error=HARM, **harmful)
    yield _talk(92, DAYS[3], BOTH)
    yield _talk(91, DAYS[3], THAI, id="thai", title="คำถามเรื่องราคา", user_id=None)


def build_lake(folder: Path) -> Pipeline:
    """Conversations of two weeks, told apart by a taxonomy with a parent, Thai ones translated."""
    taxonomy = folder / "taxonomy.yaml"
    taxonomy.write_text(TAXONOMY, encoding="utf-8")
    more: dict[str, Any] = {"taxonomy_file": taxonomy, "min_users_per_cell": 1, **DIFY}
    pipeline = Pipeline(folder, categories=True, report_dimensions="segment", **more)
    pipeline.asker = FakeAsker()
    talks = list(_talks())
    pipeline.export([own for own, _ in talks], [row for _, rows in talks for row in rows])
    assert pipeline.run(*DAYS).errors == []
    lake, settings = pipeline.lake, pipeline.settings
    items = refreshed_users(lake, Catalogue.read(lake), Request("users", "users"))
    made = list(commit_days(lake, items))
    for grain in GRAINS:
        asked = sorted({period_of(grain, day) for day in DAYS})
        reports = ReportDays(settings, lake, grain, asked, Request("reports", "reports"))
        made += commit_days(lake, reports)
    assert [one.error for one in made if one.error] == []
    return pipeline


@contextmanager
def dashboard(settings: Settings, *, is_open: bool = True) -> Iterator[httpx.Client]:
    """The dashboard over a lake; redirects are not followed."""
    with (
        on_a_socket(settings, is_open=is_open) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client
