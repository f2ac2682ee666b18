"""Translations in Dagster, by a workflow of Dify behind sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from conversation_analytics.storage.failed import FailedDays
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT
from conversation_analytics.translation.days import unfinished_days
from conversation_analytics_tests.dagster.runs import (
    DAGSTER_WARNS,
    LAKE_ASSETS,
    Home,
    days,
    open_home,
)
from conversation_analytics_tests.dagster.small_source import SmallSource, day, key
from conversation_analytics_tests.services.dify_contract import (
    KEY,
    PRICE,
    TOKENS,
    App,
    DifyContract,
    Problem,
)
from conversation_analytics_tests.services.dify_server import start_dify

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

OTHERS = [asset for asset in LAKE_ASSETS if asset != "translations"]
ANGRY, HAPPY = "บริการแย่มาก ฉันโกรธมาก", "ขอบคุณมากค่ะ บริการดีมาก"


def translate(inputs: dict[str, Any]) -> dict[str, Any]:
    """What the workflow of `docs/translation.md` does; it leaves out what it cannot read."""
    texts = [one for one in json.loads(inputs["texts"]) if "???" not in one["text"]]
    given = [
        {"id": one["id"], "text": f"[{inputs['target_language']}] {one['text']}"} for one in texts
    ]
    return {"translations": f"```json\n{json.dumps(given)}\n```"}


@pytest.fixture
def dify() -> DifyContract:
    contract = DifyContract()
    contract.apps[KEY] = App(translate, needed=("target_language", "texts"))
    return contract


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dify: DifyContract) -> Iterator[Home]:
    """Days of which the user's messages are in Thai, and a Dify that translates."""
    for name in ("DIFY_TRANSLATE_API_KEY", "DIFY_CATEGORIZE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with (
        start_dify(dify) as url,
        open_home(
            tmp_path,
            monkeypatch,
            NO_PROXY="*",
            DIFY_BASE_URL=url,
            DIFY_API_KEY=KEY,
            MAX_RETRIES="0",
            ENABLE_MULTITHREADING="true",
            PROCESSING_THREADS="1",
        ) as opened,
    ):
        write(opened)
        yield opened


def write(home: Home, *, second: str = HAPPY, title: str | None = None) -> None:
    source = SmallSource.with_days(home.source_dir, 1, 2)
    for row in source.conversations.values():
        row["title"] = title
    for name, text in (("a-1", ANGRY), ("b-1", HAPPY), ("a-2", ANGRY), ("b-2", second)):
        source.messages[f"{name}:0"]["content"] = text
        source.messages[f"{name}:1"]["content"] = "We are sorry to hear that, and look into it."
    source.write()


def rows(home: Home, number: int) -> dict[str, tuple[str, str | None]]:
    """Status and text by message."""
    found = home.lake.read_day(TRANSLATIONS_UNIT, day(number))
    assert found is not None
    return {
        row["message_id"]: (row["status"], row["text"])
        for row in found[1]["translations"].to_pylist()
    }


def observed(home: Home) -> list[dict[str, Any]]:
    """What was told of all days of a run together, the latest last."""
    found = home.instance.fetch_observations(dg.AssetKey("translations"), limit=9).records
    events = [record.event_log_entry.asset_observation for record in found]
    return [
        {name: value.value for name, value in event.metadata.items()}
        for event in reversed(events)
        if event
    ]


def test_a_range_is_translated_and_its_days_show_how_that_went(
    home: Home, dify: DifyContract
) -> None:
    run = home.run(1, 2)

    assert run.success, run.failures
    assert home.done("translations") == days(1, 2)
    assert rows(home, 1) == {
        "a-1:0": ("succeeded", f"[en] {ANGRY}"),
        "b-1:0": ("succeeded", f"[en] {HAPPY}"),
    }
    shown = home.metadata("translations", key(2))
    assert shown["translations"] == {
        "succeeded": 2,
        "failed": 0,
        "pending": 0,
        "kept": 0,
        "asked": 2,
        "too_long": 0,
        "given_up": 0,
        "given_up_after": 0,
    }
    assert "| language | succeeded | failed | pending |" in shown["languages"]
    assert "| th | 2 | 0 | 0 |" in shown["languages"]
    assert 0 <= shown["sentiment_disagreement"] <= 1
    assert f"[en] {ANGRY}" in shown["preview"]
    # The days have the same texts, which are paid for once.
    (spent,) = observed(home)
    calls = len(dify.runs)
    assert calls <= 2
    assert (spent["calls"], spent["tokens"]) == (calls, calls * TOKENS)
    assert spent["cost_USD"] == pytest.approx(calls * float(PRICE))
    asked = [one["text"] for run in dify.runs.values() for one in json.loads(run.inputs["texts"])]
    assert sorted(asked) == sorted([ANGRY, HAPPY])


def test_running_again_pays_for_nothing_and_changes_nothing(home: Home, dify: DifyContract) -> None:
    assert home.run(1, 2).success
    before, paid = home.versions(), len(dify.runs)

    assert home.run(1, 2).success

    assert (home.versions(), len(dify.runs)) == (before, paid)
    assert home.stale() == set()
    assert [spent["calls"] for spent in observed(home)] == [paid, 0]


def test_a_text_that_the_workflow_leaves_out_is_told_and_asked_about_the_next_time(
    home: Home, dify: DifyContract
) -> None:
    write(home, second=f"{HAPPY} ???")

    assert home.run(1, 2).success

    assert rows(home, 2)["b-2:0"] == ("failed", None)
    assert rows(home, 2)["a-2:0"][0] == "succeeded"
    assert unfinished_days(home.settings, home.lake) == {day(2): 1}
    dify.apps[KEY].workflow = lambda inputs: translate(
        {**inputs, "texts": inputs["texts"].replace("???", "!!!")}
    )

    assert home.run(2, select=["translations"]).success

    assert rows(home, 2)["b-2:0"] == ("succeeded", f"[en] {HAPPY} !!!")
    assert unfinished_days(home.settings, home.lake) == {}


def test_a_dify_that_is_busy_leaves_texts_pending_and_fails_nothing(
    home: Home, dify: DifyContract
) -> None:
    dify.apps[KEY].problem = Problem(429, "too_many_requests", "Too many requests.")

    run = home.run(1, 2)

    assert run.success, run.failures
    assert {status for status, _ in rows(home, 1).values()} == {"pending"}
    assert unfinished_days(home.settings, home.lake) == {day(1): 2, day(2): 2}


def test_a_wrong_key_fails_translations_alone_and_leaves_what_was_there(
    home: Home, dify: DifyContract
) -> None:
    assert home.run(1).success
    before = rows(home, 1)
    write(home, second="สินค้ามาช้ามาก")
    dify.apps["another key"] = dify.apps.pop(KEY)

    run = home.run(1, 2)

    assert not run.success
    assert len(run.failures) == 1
    assert "1 day(s) failed: 2024-01-02" in run.failures[0]
    assert all(home.done(asset) == days(1, 2) for asset in OTHERS)
    assert home.done("translations") == days(1, 1)
    assert rows(home, 1) == before
    assert [spent["calls"] for spent in observed(home)] == [1, 0]
    (problem,) = {failure.error for failure in FailedDays(home.lake.store).failures()}
    assert "DIFY" in problem
    assert KEY not in problem


def test_without_dify_days_are_empty_and_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(tmp_path, monkeypatch) as opened:
        write(opened, title="คำถามเรื่องราคา")

        run = opened.run(1, 2)

        assert run.success, run.failures
        for number in (1, 2):
            assert rows(opened, number) == {}
            shown = opened.metadata("translations", key(number))
            assert shown["note"] == "DIFY_BASE_URL is not set"
            assert shown["dagster/row_count"] == 0
        assert observed(opened) == []
