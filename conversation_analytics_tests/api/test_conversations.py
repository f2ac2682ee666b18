"""Pages of conversations, and one with all that belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.api import search
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import A_DAY, DAYS, THAI, Api, api_over, build_lake
from conversation_analytics_tests.builders import conversation, line, message

NEWEST_FIRST = [f"c-{day:%d}-{n}" for day in reversed(DAYS) for n in reversed(range(A_DAY))]


def walk(api: Api, **params: Any) -> list[str]:
    """Ids of all pages."""
    found: list[str] = []
    while True:
        page = api.get("/conversations", params=params).json()
        found += [item["conversation_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


@pytest.mark.parametrize("limit", [1, 3, A_DAY, 200])
def test_pages_together_are_all_conversations_the_newest_first(api: Api, limit: int) -> None:
    assert walk(api, limit=limit) == NEWEST_FIRST


def test_a_look_that_takes_long_ends_with_a_cursor_to_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_TEXT_SECONDS", 0)
    page = api.get("/conversations", params={"q": THAI}).json()
    assert [item["conversation_id"] for item in page["items"]] == ["c-05-3"]
    assert page["searched_back_to"] == "2024-01-05"
    assert page["next_cursor"] is not None
    assert walk(api, q=THAI) == ["c-05-3", "c-03-3", "c-02-3"]


def numbers(ids: list[str]) -> set[int]:
    return {int(id_.rpartition("-")[2]) for id_ in ids}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user": "u1"}, {1, 4, 7}),
        ({"user": ["u1", "(none)"]}, {1, 4, 5, 7}),
        ({"channel": "app"}, {1, 3, 7}),
        ({"channel": "(none)"}, {5}),
        ({"escalated": "true"}, {1}),
        ({"has_error": "true"}, {2}),
        ({"has_error": "false", "user": "u2"}, set()),
        ({"q": "ใบแจ้ง"}, {3}),
        ({"q": "COLLEAGUE takes"}, {1}),
        ({"q": "hyperlink"}, {4}),
        ({"q": "%"}, None),
        ({"q": "100%_"}, set()),
        ({"feedback": "none"}, set(range(8))),
        ({"feedback": "positive"}, set()),
        ({"model": "gpt-4o", "status": "open", "min_messages": 4}, set(range(8))),
        ({"min_messages": 5}, set()),
        ({"language": "th"}, {3}),
        ({"attribute": "segment=new"}, {6}),
        ({"attribute": ["segment=new", "segment=vip"]}, set(range(8))),
        ({"attribute": ["segment=new", "plan=(none)"]}, {6}),
        ({"attribute": ["segment=new", "plan=gold"]}, set()),
        ({"attribute": "segment=' OR true --"}, set()),
        ({"attribute": "segment"}, None),
    ],
)
def test_filters_must_all_hold(
    api: Api, filters: dict[str, Any], expected: set[int] | None
) -> None:
    answer = api.get("/conversations", params=filters)
    if expected is None:
        assert answer.status_code == 422
    else:
        assert numbers(api.ids(**filters)) == expected


def test_a_label_found_on_a_conversation_finds_it(api: Api) -> None:
    page = api.get("/conversations", params={"limit": 200}).json()["items"]
    for task in ("intent", "sentiment"):
        for label in {item["categories"][task] for item in page}:
            fits = {i["conversation_id"] for i in page if i["categories"][task] == label}
            assert set(api.ids(limit=200, **{task: label or "(none)"})) == fits
    for topic in {topic for item in page for topic in item["categories"]["topics"]}:
        fits = {i["conversation_id"] for i in page if topic in i["categories"]["topics"]}
        assert set(api.ids(limit=200, topic=topic)) == fits


def test_days_are_local_and_both_included(api: Api) -> None:
    assert api.ids(**{"from": "2024-01-03", "to": "2024-01-04"}) == NEWEST_FIRST[8:16]


def test_new_conversations_do_not_move_the_next_page(tmp_path: Path) -> None:
    pipeline = build_lake(tmp_path)
    with api_over(pipeline.settings, tmp_path) as api:
        page = api.get("/conversations", params={"limit": 3}).json()
        at = "2024-01-05T23:00:00+00:00"
        for table, row in {
            "conversations": conversation("c-late", at),
            "messages": message("m-late", "c-late", at),
        }.items():
            (pipeline.source_dir / f"{table}-001.jsonl").write_bytes(line(row))
        assert pipeline.run(DAYS[-1]).errors == []
        assert api.ids(limit=1) == ["c-late"]
        assert api.ids(limit=3, cursor=page["next_cursor"]) == NEWEST_FIRST[3:6]


def test_a_half_backfilled_lake_says_which_days_are_missing(api: Api) -> None:
    answer = api.get("/conversations", params={"from": "2024-01-01", "to": "2024-01-05"}).json()
    assert answer["coverage"] == {
        "from": "2024-01-01",
        "to": "2024-01-05",
        "complete": False,
        "days_missing": 2,
        "missing": [
            {"from": "2024-01-01", "to": "2024-01-01"},
            {"from": "2024-01-04", "to": "2024-01-04"},
        ],
    }


def test_one_conversation_comes_with_messages_labels_and_translations(api: Api) -> None:
    found = api.get("/conversations/c-02-3").json()
    assert found["conversation"]["user_id"] == "u0"
    assert found["conversation"]["attributes"] == {"segment": "vip"}
    assert [row["turn_index"] for row in found["messages"]] == [0, 1, 2, 3]
    assert found["messages"][0]["content"] == THAI
    assert found["messages"][1]["cost"] == "0.00012000"
    assert {row["task"] for row in found["categories"]} >= {"language", "sentiment"}
    assert found["translations"] == []
    assert found["next_turn"] is None


def test_a_long_conversation_is_read_by_its_turns(api: Api) -> None:
    first = api.get("/conversations/c-02-3", params={"limit": 3}).json()
    assert first["next_turn"] == 3
    rest = api.get("/conversations/c-02-3", params={"limit": 3, "turn": 3}).json()
    assert [row["turn_index"] for row in rest["messages"]] == [3]
    shown = {row["message_id"] for row in rest["categories"]}
    assert shown <= {None, "m-c-02-3-3"}


def test_an_unknown_conversation_is_not_found(api: Api) -> None:
    answer = api.get("/conversations/c-99")
    assert (answer.status_code, answer.json()["title"]) == (404, "There is no such conversation")


def test_an_empty_lake_has_no_conversations_and_says_so(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path, parquet_base_dir=tmp_path / "none") as api:
        answer = api.get("/conversations").json()
        assert (answer["items"], answer["next_cursor"]) == ([], None)
        assert answer["coverage"]["complete"] is False
        assert api.get("/conversations/c1").status_code == 404
        assert api.get("/reports").json()["items"] == []
        assert api.get("/series?metric=messages").json()["series"] == []
        assert api.get("/models").json() == {"grain": "daily", "key": None, "models": []}
        assert api.get("/users").json()["items"] == []
        assert api.get("/ledger").json()["days"] == []


def test_who_has_an_answer_is_told_that_it_did_not_change(api: Api) -> None:
    answer = api.get("/conversations")
    again = api.get("/conversations", headers={"If-None-Match": f'"x", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    other = api.get("/conversations", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


def test_head_is_get_without_the_body(api: Api) -> None:
    headers = {"X-API-Key": api.keys["admin"]}
    got = api.client.get("/api/v1/conversations", headers=headers)
    head = api.client.head("/api/v1/conversations", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-length"] == str(len(got.content))
