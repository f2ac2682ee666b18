"""The contract answers as Dify's published API does, so that what holds for it holds for Dify."""

from __future__ import annotations

import httpx
import orjson
import pytest

from conversation_analytics_tests.services.dify_contract import (
    KEY,
    PING,
    App,
    DifyContract,
    Event,
)

CALL = {"inputs": {"text": "hello"}, "response_mode": "streaming", "user": "user"}


def http(dify: DifyContract, key: str = KEY) -> httpx.Client:
    return httpx.Client(
        base_url="http://dify.test/v1",
        headers={"authorization": f"Bearer {key}"},
        transport=httpx.MockTransport(dify.answer),
    )


def told(body: bytes) -> list[Event]:
    lines = [line for line in body.split(b"\n\n") if line]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines if line + b"\n\n" != PING]


def test_a_stream_tells_a_run_from_its_start_to_its_end() -> None:
    dify = DifyContract(App(seconds=0.3), ping_seconds=0.01)
    answer = http(dify).post("/workflows/run", json=CALL)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert PING in answer.content
    events = told(answer.content)
    assert [event["event"] for event in events] == [
        *("workflow_started", "node_started", "node_finished", "node_started"),
        *("text_chunk", "node_finished", "workflow_finished"),
    ]
    [run] = dify.runs.values()
    assert {(event["workflow_run_id"], event["task_id"]) for event in events} == {
        (run.run_id, run.task_id)
    }
    assert events[-1]["data"]["outputs"] == {"text": "<hello>"}


def test_a_blocking_answer_and_the_details_of_its_run_tell_the_same() -> None:
    client = http(DifyContract())
    answer = client.post("/workflows/run", json={**CALL, "response_mode": "blocking"}).json()
    assert answer["data"] == client.get(f"/workflows/run/{answer['workflow_run_id']}").json()
    assert answer["data"]["status"] == "succeeded"


def test_a_run_is_paid_for_when_it_starts_and_goes_on_by_itself() -> None:
    dify = DifyContract(App(seconds=60))
    client = http(dify)
    with client.stream("POST", "/workflows/run", json=CALL) as answer:
        next(answer.iter_raw())
    [run] = dify.runs.values()
    assert client.get(f"/workflows/run/{run.run_id}").json()["status"] == "running"
    client.post(f"/workflows/tasks/{run.task_id}/stop", json={"user": "another"})
    assert not run.is_over
    client.post(f"/workflows/tasks/{run.task_id}/stop", json={"user": "user"})
    assert client.get(f"/workflows/run/{run.run_id}").json()["status"] == "stopped"
    assert dify.starts == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"user": ""}, "invalid_param"),
        ({"inputs": None}, "invalid_param"),
        ({"inputs": {}}, "invalid_param"),
        ({"response_mode": "polling"}, "invalid_param"),
    ],
)
def test_a_call_that_lacks_something_is_turned_down_and_not_paid(
    changes: dict[str, object], code: str
) -> None:
    dify = DifyContract()
    answer = http(dify).post("/workflows/run", json={**CALL, **changes})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json().keys() == {"code", "message", "status"}
    assert dify.starts == 0


def test_keys_and_kinds_of_apps_are_told_apart() -> None:
    dify = DifyContract()
    dify.apps["app-chat"] = App(mode="chat")
    assert http(dify, "app-none").post("/workflows/run", json=CALL).status_code == 401
    assert http(dify, "").post("/workflows/run", json=CALL).status_code == 401
    answer = http(dify, "app-chat").post("/workflows/run", json=CALL)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_workflow_app")
    http(dify).post("/workflows/run", json=CALL)
    [run_id] = dify.runs
    dify.apps["app-2"] = App()
    assert http(dify, "app-2").get(f"/workflows/run/{run_id}").json()["code"] == "not_found"


def test_an_upload_is_kept_byte_by_byte() -> None:
    dify = DifyContract()
    content = bytes(range(256))
    upload = {"file": ("a.bin", content)}
    answer = http(dify).post("/files/upload", data={"user": "user"}, files=upload)
    assert answer.status_code == 201
    assert dify.files == {answer.json()["id"]: ("a.bin", content)}
    none = http(dify).post("/files/upload", data={"user": "user"}, files={"other": b"x"})
    assert none.json()["code"] == "no_file_uploaded"
