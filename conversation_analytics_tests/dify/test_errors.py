"""Every error of Dify's says what was wrong and what to do, and none tells the key."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable

import orjson
import pytest

from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyAppUnusable,
    DifyBusy,
    DifyCallRefused,
    DifyError,
    DifyOutcomeUnknown,
    DifyQuotaExceeded,
    DifyUnavailable,
    DifyWorkflowFailed,
    SettingsError,
)
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.clients import client_of, run
from conversation_analytics_tests.services.dify_contract import KEY, App, DifyContract, Problem

CODES: dict[tuple[int, str], tuple[type[DifyError], str]] = {
    (400, "invalid_param"): (DifyCallRefused, "start node asks for"),
    (400, "bad_request"): (DifyCallRefused, "start node asks for"),
    (400, "not_workflow_app"): (DifyAppUnusable, "DIFY_API_KEY belongs to an app of another type"),
    (400, "app_unavailable"): (DifyAppUnusable, "Repair the app's configuration"),
    (400, "provider_not_initialize"): (DifyAppUnusable, "Enter the credentials"),
    (400, "provider_quota_exceeded"): (DifyQuotaExceeded, "Raise the quota"),
    (400, "model_currently_not_support"): (DifyAppUnusable, "Choose another model"),
    (400, "workflow_request_error"): (DifyWorkflowFailed, "which node failed"),
    (400, "completion_request_error"): (DifyWorkflowFailed, "which node failed"),
    (400, "workflow_not_found"): (DifyAppUnusable, "Publish the workflow"),
    (400, "draft_workflow_error"): (DifyAppUnusable, "Publish the workflow"),
    (400, "workflow_id_format_error"): (DifyAppUnusable, "Publish the workflow"),
    (400, "a_code_of_a_later_version"): (DifyCallRefused, "a_code_of_a_later_version"),
    (401, "unauthorized"): (DifyAccessDenied, "set DIFY_API_KEY"),
    (403, "forbidden"): (DifyAccessDenied, "API is switched on"),
    (403, "file_access_denied"): (DifyAccessDenied, "same app and user"),
    (404, "not_found"): (DifyCallRefused, "belongs to this app"),
    (413, "file_too_large"): (DifyCallRefused, "smaller file"),
    (415, "unsupported_file_type"): (DifyCallRefused, "type that Dify takes"),
    (429, "rate_limit_error"): (DifyQuotaExceeded, "change the plan"),
    (429, "too_many_requests"): (DifyBusy, "fewer calls at once"),
}
# What answers in Dify's place has no code.
STATUSES: dict[int, tuple[type[DifyError], str]] = {
    302: (DifyCallRefused, "redirects to /signin: set DIFY_BASE_URL"),
    401: (DifyAccessDenied, "set DIFY_API_KEY"),
    403: (DifyAccessDenied, "API is switched on"),
    404: (DifyCallRefused, "DIFY_BASE_URL, which ends with /v1"),
    405: (DifyCallRefused, "DIFY_BASE_URL, which ends with /v1"),
    413: (DifyCallRefused, "less text"),
    418: (DifyCallRefused, "HTTP 418"),
    429: (DifyBusy, "fewer calls at once"),
}


@pytest.mark.parametrize(("status", "code"), CODES)
def test_each_code_is_an_error_of_its_kind(status: int, code: str) -> None:
    kind, advice = CODES[status, code]
    dify = DifyContract(App(problem=Problem(status, code, "Dify's own words.")))
    with pytest.raises(kind, match=advice) as raised:
        run(dify)
    assert type(raised.value) is kind
    assert (raised.value.code, raised.value.run_id) == (code, None)
    assert f"HTTP {status} {code}: Dify's own words." in str(raised.value)
    assert dify.starts == 0
    assert len(dify.calls) == (4 if kind is DifyBusy else 1)


@pytest.mark.parametrize("where", ["event", "JSON", "JSON that says it is a stream"])
@pytest.mark.parametrize(("status", "code"), CODES)
def test_each_code_means_the_same_in_an_answer_that_claims_success(
    status: int, code: str, where: str
) -> None:
    kind, advice = CODES[status, code]
    said = orjson.dumps({"event": "error", "status": status, "code": code, "message": "No."})
    body = b"data: %s\n\n" % said if where == "event" else said
    content_type = "application/json" if where == "JSON" else "text/event-stream"
    fault = faults.instead_of_a_start(200, body.decode(), content_type=content_type)
    with pytest.raises(kind, match=advice) as raised:
        run(DifyContract(), *[fault] * 4)
    assert raised.value.code == code


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_without_a_code_is_an_error_of_its_kind(status: int) -> None:
    kind, advice = STATUSES[status]
    fault = faults.instead_of_a_start(status, faults.LOGIN_PAGE, location="/signin")
    with pytest.raises(kind, match=advice):
        run(DifyContract(), *[fault] * 4)


def test_the_words_of_a_page_are_shown_in_one_line_and_not_at_length() -> None:
    fault = faults.instead_of_a_start(418, "tea \n pot " + "!" * 10_000)
    with pytest.raises(DifyCallRefused, match="tea pot !!!") as raised:
        run(DifyContract(), fault)
    assert len(str(raised.value)) < 600


def test_as_much_as_came_of_a_refusal_is_shown() -> None:
    with pytest.raises(DifyCallRefused, match=r'HTTP 418: {"code'):
        run(DifyContract(), faults.turned_down_and_cut_after(12, 418))


def test_the_setting_that_a_key_is_from_is_named() -> None:
    with pytest.raises(DifyAccessDenied, match="DIFY_TRANSLATE_API_KEY"):
        run(DifyContract(), api_key="app-another", key_name="DIFY_TRANSLATE_API_KEY")


@pytest.mark.parametrize("key", ["", "ключ", "app-\n", "app\x00"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(DifyAccessDenied, match="DIFY_API_KEY is empty or holds characters"):
        client_of(DifyContract(), api_key=key)


@pytest.mark.parametrize(
    "url", ["", "dify", "ftp://dify/v1", "https://", "http://", "//dify/v1", "http://a\x00"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="DIFY_BASE_URL must be a URL"):
        client_of(DifyContract(), base_url=url)


def test_an_address_with_a_password_is_refused_without_telling_it() -> None:
    with pytest.raises(SettingsError, match="no user and password") as raised:
        client_of(DifyContract(), base_url="https://user:hush@dify.test/v1")
    assert "hush" not in str(raised.value)


def test_inputs_that_json_cannot_hold_are_refused() -> None:
    dify = DifyContract()
    with client_of(dify) as client:
        for value in (float("nan"), {1, 2}, b"bytes"):
            with pytest.raises(DifyCallRefused, match="cannot be sent to Dify"):
                client.run_workflow({"text": value}, "user")
    assert dify.calls == []


SECRET_PLACES: dict[str, Callable[[DifyContract], object]] = {
    "a wrong key": lambda dify: (dify.apps.clear(), run(dify)),
    "a message": lambda dify: run(dify, faults.turned_down(400, "invalid_param", KEY)),
    "a page": lambda dify: run(dify, faults.instead_of_a_start(418, KEY)),
    "a page cut short": lambda dify: run(dify, faults.instead_of_a_start(418, "-" * 290 + KEY)),
    "a lost answer": lambda dify: run(dify, faults.instead(500, KEY)),
    "an event": lambda dify: (
        setattr(dify.app, "broken", Problem(400, "invalid_param", KEY)),
        run(dify),
    ),
    "no server": lambda dify: run(dify, *[faults.unreachable] * 9),
}


@pytest.mark.parametrize("call", SECRET_PLACES.values(), ids=SECRET_PLACES.keys())
def test_the_key_is_in_no_error_and_no_log(
    call: Callable[[DifyContract], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DifyError) as raised:
        call(DifyContract())
    error: BaseException | None = raised.value
    while error:
        assert KEY[:12] not in str(error) + repr(error)
        error = error.__cause__ or error.__context__
    assert KEY[:12] not in caplog.text


def test_a_client_and_a_run_tell_no_key_and_no_text() -> None:
    client = client_of(DifyContract())
    assert repr(client) == "DifyClient('http://dify.test/v1')"
    assert KEY not in str(vars(client))
    assert "hello" not in repr(run(DifyContract()))


@pytest.mark.parametrize("kind", [DifyBusy, DifyUnavailable, DifyOutcomeUnknown])
def test_errors_survive_the_way_from_another_process(kind: type[DifyError]) -> None:
    error = kind("what", code="c", run_id="r", task_id="t")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, "what", vars(error))
