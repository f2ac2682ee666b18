"""Days of translations: whole, asked about once, and what fails is told and asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics.errors import DifyAccessDenied
from conversation_analytics.settings import load_settings
from conversation_analytics.storage.encoding import digest
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT
from conversation_analytics.translation import days as days_module
from conversation_analytics.translation.contract import LONGEST
from conversation_analytics.translation.days import stale_days, unfinished_days
from conversation_analytics_tests.translation.askers import ANSWERED_AT, marked, succeeded
from conversation_analytics_tests.translation.translated_lake import (
    ANGRY,
    DIFY,
    FIRST,
    HAPPY,
    SECOND,
    Translated,
    said,
)

WITHOUT_DIFY = dict.fromkeys(DIFY)
PENDING = Reply(status="pending", error="the budget of this run is spent")


def failing(*texts: str, reply: Reply = PENDING) -> Any:
    """Answers all questions but those about some texts."""
    return lambda asked: reply if asked.content["text"] in texts else marked(asked)


def test_messages_and_titles_get_one_row_with_the_translation_and_where_it_is_from(
    translated: Translated,
) -> None:
    assert translated.refresh() == []

    rows = translated.rows()
    assert rows.keys() == {"a", "a1", "b1"}
    content_hash = rows["a1"].pop("content_hash")
    assert rows["a1"] == {
        "conversation_id": "a",
        "message_id": "a1",
        "source_language": "th",
        "target_language": "en",
        "source_hash": digest(ANGRY.encode()),
        "text": f"[en] {ANGRY}",
        "provider": "dify",
        "workflow_run_id": "run-1",
        "elapsed_seconds": 1.5,
        "total_tokens": 7,
        "status": "succeeded",
        "error": None,
        "translated_at": ANSWERED_AT,
    }
    assert content_hash
    assert (rows["a"]["message_id"], rows["a"]["text"]) == (None, "[en] คำถามเรื่องราคา")
    assert translated.counts() == {"succeeded": 3, "asked": 3}


def test_a_text_that_is_repeated_is_one_question_and_every_row_has_its_answer(
    translated: Translated,
) -> None:
    translated.said += [said("a3", "a", HAPPY), said("a4", "a", HAPPY, role="assistant")]

    assert translated.refresh(FIRST) == []

    assert sorted(translated.asker.texts) == sorted([ANGRY, HAPPY, "คำถามเรื่องราคา"])
    rows = translated.rows()
    assert {rows[id_]["text"] for id_ in ("b1", "a3", "a4")} == {f"[en] {HAPPY}"}


def test_what_is_translated_is_not_asked_about_again(translated: Translated) -> None:
    translated.refresh(FIRST)
    before, asked = translated.rows(), len(translated.asker.texts)
    translated.said.append(said("b2", "b", "สินค้ามาช้ามาก"))

    assert translated.refresh(FIRST) == []

    assert translated.asker.texts[asked:] == ["สินค้ามาช้ามาก"]
    after = translated.rows()
    assert {id_: after[id_] for id_ in before} == before
    assert translated.counts() == {"succeeded": 4, "kept": 3, "asked": 1}


def test_a_day_whose_write_was_cut_off_is_made_anew(translated: Translated) -> None:
    translated.refresh(FIRST)
    before = translated.rows()
    file = translated.lake.layout.file("translations", FIRST)
    translated.lake.store.put(file, b"the beginning of another")

    assert translated.refresh(FIRST) == []

    assert translated.rows() == before


def test_an_edited_message_is_translated_anew_and_a_deleted_one_goes(
    translated: Translated,
) -> None:
    translated.refresh(FIRST)
    translated.said[0]["content"] = "บริการแย่มากจริงๆ"
    translated.titles["a"] = None

    assert translated.refresh(FIRST) == []

    rows = translated.rows()
    assert rows.keys() == {"a1", "b1"}
    assert rows["a1"]["text"] == "[en] บริการแย่มากจริงๆ"


@pytest.mark.parametrize("status", ["failed", "pending"])
def test_a_failure_is_recorded_per_text_and_asked_about_again(
    translated: Translated, status: Any
) -> None:
    translated.asker.reply = failing(ANGRY, reply=replace(PENDING, status=status, run_id="run-9"))

    assert translated.refresh() == []

    row = translated.rows()["a1"]
    assert (row["status"], row["text"], row["error"]) == (status, None, PENDING.error)
    assert row["workflow_run_id"] == "run-9"
    assert translated.rows()["b1"]["status"] == "succeeded"
    assert translated.counts() == {"succeeded": 2, status: 1, "asked": 3}
    assert unfinished_days(translated.settings, translated.lake) == {FIRST: 1}

    translated.asker.reply, asked = marked, len(translated.asker.texts)
    assert translated.refresh() == []

    assert translated.asker.texts[asked:] == [ANGRY]
    assert translated.rows()["a1"]["text"] == f"[en] {ANGRY}"
    assert unfinished_days(translated.settings, translated.lake) == {}


def test_a_text_that_is_too_long_fails_without_being_asked_about_or_cut(
    translated: Translated,
) -> None:
    translated.said.append(said("b2", "b", "ขอบคุณ " * LONGEST))

    assert translated.refresh(FIRST) == []

    row = translated.rows()["b2"]
    assert row["status"] == "failed"
    assert row["error"] == "it has 350,000 characters, more than the 50,000 that are asked about"
    assert max(map(len, translated.asker.texts)) < LONGEST
    assert translated.counts()["too_long"] == 1
    assert unfinished_days(translated.settings, translated.lake) == {}


def test_a_text_that_was_given_up_leaves_its_day_alone_until_more_calls_are_allowed(
    translated: Translated,
) -> None:
    failed = Reply(status="failed", error="3 calls brought no usable answer", given_up=True)
    translated.asker.reply = failing(ANGRY, reply=failed)

    assert translated.refresh() == []

    counts = {"succeeded": 2, "failed": 1, "asked": 3, "given_up": 1, "given_up_after": 3}
    assert translated.counts() == counts
    assert unfinished_days(translated.settings, translated.lake) == {}
    more = translated.settings.model_copy(update={"dify_max_attempts": 4})
    assert unfinished_days(more, translated.lake) == {FIRST: 1}


def test_the_same_translation_has_the_same_hash_whatever_the_run(tmp_path: Path) -> None:
    def by_another_run(asked: Question) -> Reply:
        other = {"run_id": "run-2", "elapsed_seconds": 9.0, "total_tokens": 1, "answered_at": None}
        return replace(marked(asked), **other)

    hashes = []
    for number, reply in enumerate((marked, by_another_run, failing(ANGRY))):
        (tmp_path / str(number)).mkdir()
        translated = Translated(tmp_path / str(number))
        translated.asker.reply = reply
        translated.refresh(FIRST)
        hashes.append(translated.manifest("translations", FIRST).content_hash)

    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_several_languages_are_asked_about_apart(tmp_path: Path) -> None:
    translated = Translated(tmp_path, translate_to="en,de")

    assert translated.refresh(FIRST) == []

    targets = [{one.content["target"] for one in call} for call in translated.asker.asked]
    assert sorted(targets, key=str) == [{"de"}, {"en"}]
    rows = translated.table("translations", "translations", FIRST).to_pylist()
    texts = {(row["message_id"], row["target_language"]): row["text"] for row in rows}
    assert texts["a1", "de"] == f"[de] {ANGRY}"
    assert texts["a1", "en"] == f"[en] {ANGRY}"
    assert texts["a2", "de"] == "[de] We are very sorry to hear that"
    assert ("a2", "en") not in texts


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        (WITHOUT_DIFY, "DIFY_BASE_URL is not set"),
        (
            {"dify_translate_api_key": None, "dify_categorize_api_key": "app-other"},
            "neither DIFY_TRANSLATE_API_KEY nor DIFY_API_KEY is set",
        ),
        ({"translate_policy": "none"}, "TRANSLATE_POLICY=none"),
    ],
)
def test_without_dify_the_days_are_there_and_empty_and_say_why(
    tmp_path: Path, settings: dict[str, Any], note: str
) -> None:
    translated = Translated(tmp_path, **settings)

    assert translated.refresh() == []

    for day in (FIRST, SECOND):
        assert translated.rows(day) == {}
        assert translated.manifest("translations", day).note == note
    assert translated.asker.asked == []
    assert stale_days(translated.settings, translated.lake) == {}


@pytest.mark.parametrize("off", [WITHOUT_DIFY, {"translate_policy": "none"}])
def test_a_day_made_again_without_dify_keeps_what_was_paid_for_and_still_fits(
    translated: Translated, off: dict[str, Any]
) -> None:
    translated.asker.reply = failing(ANGRY)
    translated.refresh()
    before, asked = translated.rows(), len(translated.asker.texts)
    translated.settings = translated.settings.model_copy(update=off)
    translated.said.append(said("b2", "b", "สินค้ามาช้ามาก"))
    translated.said[-2]["content"] = "บริการดี"

    for _ in range(2):
        assert translated.refresh() == []

        assert translated.rows() == {id_: before[id_] for id_ in ("a", "b1")}
        assert translated.counts() == {"succeeded": 2, "kept": 2}
        note = translated.manifest("translations", FIRST).note
        assert note.endswith("; 2 translations made before still fit, and are kept")
        assert translated.rows(SECOND) == {}
        assert ";" not in translated.manifest("translations", SECOND).note
    assert len(translated.asker.texts) == asked


def test_a_wrong_key_fails_the_day_and_leaves_it_and_all_other_tables_as_they_were(
    translated: Translated,
) -> None:
    translated.refresh()
    before = translated.manifest("translations", FIRST)

    def refuse(_: Question) -> Reply:
        raise DifyAccessDenied("DIFY_TRANSLATE_API_KEY is wrong")

    translated.asker.reply = refuse
    translated.said.append(said("b2", "b", "สินค้ามาช้ามาก"))
    errors = translated.refresh()

    assert errors == ["DIFY_TRANSLATE_API_KEY is wrong"]
    assert translated.manifest("translations", FIRST) == before
    assert [row["message_id"] for row in translated.messages(FIRST)].count("b2") == 1
    assert translated.manifest("categories", FIRST).content_hash not in before.inputs.values()


def test_days_translated_by_other_settings_are_stale(translated: Translated) -> None:
    translated.refresh()
    settings, lake = translated.settings, translated.lake
    assert stale_days(settings, lake) == {}

    def stale(**changes: Any) -> dict[date, list[str]]:
        return stale_days(settings.model_copy(update=changes), lake)

    assert stale(translate_to="de") == {FIRST: ["target"], SECOND: ["target"]}
    assert stale(translate_policy="low_confidence") == {FIRST: ["policy"], SECOND: ["policy"]}
    assert stale(dify_translate_version="2") == {FIRST: ["workflow"], SECOND: ["workflow"]}
    assert stale(dify_base_url=None) == {}
    assert stale(translate_policy="none") == {}


def test_another_version_of_the_workflow_is_asked_about_everything_anew(
    translated: Translated,
) -> None:
    translated.refresh(FIRST)
    newer = {"dify_translate_version": "2"}
    translated.settings = translated.settings.model_copy(update=newer)
    asked = len(translated.asker.texts)

    translated.refresh(FIRST)

    assert len(translated.asker.texts) == asked + 3


def test_days_that_were_empty_for_want_of_dify_are_stale_once_it_is_there(tmp_path: Path) -> None:
    translated = Translated(tmp_path, **WITHOUT_DIFY)
    translated.refresh(FIRST)
    with_dify = load_settings(None, **DIFY)

    assert stale_days(with_dify, translated.lake) == {FIRST: ["policy", "target", "workflow"]}


def test_categories_of_other_messages_are_refused(translated: Translated) -> None:
    translated.refresh(FIRST)
    translated.said.append(said("b2", "b", "สินค้ามาช้ามาก"))
    translated.categories = False
    translated.refresh(FIRST)

    days = translated.derived_days("translations", [FIRST], translated.request())

    (failed,) = days
    assert "its categories were made of other messages than there are now" in failed.error  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (succeeded(""), "rows whose text does not go with their status"),
        (Reply(status="failed", value="x"), "rows whose text does not go with their status"),
    ],
)
def test_a_success_without_a_text_never_becomes_public(
    translated: Translated, wrong: Reply, problem: str
) -> None:
    translated.asker.reply = failing(ANGRY, reply=wrong)

    assert problem in translated.refresh(FIRST)[0]
    assert translated.lake.manifest(TRANSLATIONS_UNIT, FIRST) is None


def test_a_text_without_a_row_never_becomes_public(
    translated: Translated, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = days_module.translation_rows
    monkeypatch.setattr(days_module, "translation_rows", lambda *args: real(*args).slice(1))

    (error,) = translated.refresh(FIRST)

    assert "1 texts without a translation's row, such as ('a', None, 'en')" in error
