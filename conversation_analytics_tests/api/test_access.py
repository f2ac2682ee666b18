"""Who may ask for what: every route with every kind of key, and without one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from conversation_analytics.api.app import routes
from conversation_analytics.api.keys import Scope
from conversation_analytics.settings import Settings
from conversation_analytics.storage.failed import FailedDays
from conversation_analytics.storage.lake import open_lake
from conversation_analytics_tests.api.lake import GAP, Api, api_over, on_a_socket

# What each route needs, written down once more: who opens a route must say so here too.
NEEDS = {
    "/api/v1/health": None,
    "/api/v1/health/ready": None,
    "/api/v1/openapi.json": Scope.REPORTS,
    "/api/v1/ledger": Scope.REPORTS,
    "/api/v1/metrics": Scope.REPORTS,
    "/api/v1/reports": Scope.REPORTS,
    "/api/v1/reports/compare": Scope.REPORTS,
    "/api/v1/reports/{grain}/{key}": Scope.REPORTS,
    "/api/v1/reports/{grain}/{key}/page": Scope.REPORTS,
    "/api/v1/series": Scope.REPORTS,
    "/api/v1/models": Scope.REPORTS,
    "/api/v1/users": Scope.CONVERSATIONS,
    "/api/v1/users/{user_id:path}": Scope.CONVERSATIONS,
    "/api/v1/conversations": Scope.CONVERSATIONS,
    "/api/v1/conversations/{conversation_id:path}": Scope.CONVERSATIONS,
    "/api/v1/exports/conversations": Scope.CONVERSATIONS,
    "/api/v1/exports/messages": Scope.CONVERSATIONS,
    "/api/v1/exports/categories": Scope.CONVERSATIONS,
    "/api/v1/exports/translations": Scope.CONVERSATIONS,
    "/api/v1/exports/users": Scope.CONVERSATIONS,
    "/api/v1/exports/figures": Scope.REPORTS,
    "/metrics": Scope.ADMIN,
}
VALUES = {
    "{conversation_id:path}": "c-02-0",
    "{user_id:path}": "u1",
    "{grain}/{key}": "daily/2024-01-03",
    "/series": "/series?metric=messages",
    "/compare": "/compare?key=2024-01-03",
}


def address(route: str) -> str:
    for name, value in VALUES.items():
        route = route.replace(name, value)
    return route


def test_every_route_is_in_the_matrix() -> None:
    assert {route.path for route in routes()} == set(NEEDS)


@pytest.mark.parametrize("route", NEEDS)
@pytest.mark.parametrize("scope", [*Scope, None])
def test_a_key_opens_what_its_scopes_name_and_nothing_else(
    api: Api, route: str, scope: Scope | None
) -> None:
    needed = NEEDS[route]
    headers = {} if scope is None else {"Authorization": f"Bearer {api.keys[scope]}"}
    answer = api.client.get(address(route), headers=headers)
    if needed is None or scope in {needed, Scope.ADMIN}:
        assert answer.status_code == 200, answer.text
    elif scope is None:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    else:
        assert answer.status_code == 403
        assert needed in answer.json()["detail"]
    if answer.status_code > 200:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_nothing_can_be_changed(api: Api, method: str) -> None:
    headers = {"X-API-Key": api.keys["admin"]}
    answer = api.client.request(method, "/api/v1/conversations", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/v1/", "/docs", "/api/v1/conversations/", "/api/v1//ledger", "/metrics/x"],
)
def test_what_does_not_exist_is_not_told_to_strangers(api: Api, path: str) -> None:
    assert api.client.get(path).status_code == 401
    known = api.client.get(path, headers={"X-API-Key": api.keys["admin"]})
    assert (known.status_code, known.json()["status"]) == (404, 404)


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer null"},
        {"X-API-Key": ""},
        {"X-API-Key": "ca_000000000000_" + "A" * 43},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
def test_what_is_no_key_is_refused(
    lake_settings: Settings, tmp_path: Path, header: dict[str, str]
) -> None:
    with api_over(lake_settings, tmp_path) as api:
        assert api.client.get("/api/v1/ledger", headers=header).status_code == 401


def test_without_any_keys_the_answer_says_how_to_make_one(
    lake_settings: Settings, tmp_path: Path
) -> None:
    settings = lake_settings.model_copy(update={"api_keys_file": tmp_path / "none.json"})
    with on_a_socket(settings) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/api/v1/health").status_code == 200
        answer = client.get("/api/v1/conversations")
        assert answer.status_code == 401
        assert "conversation-analytics api keys create" in answer.json()["detail"]


def test_an_open_service_asks_for_no_key_but_for_its_own_name(
    lake_settings: Settings, tmp_path: Path
) -> None:
    settings = lake_settings.model_copy(update={"api_keys_file": tmp_path / "none.json"})
    with on_a_socket(settings, is_open=True) as port:
        address = f"http://127.0.0.1:{port}/api/v1/conversations"
        assert httpx.get(address).status_code == 200
        assert httpx.get(address, headers={"Host": f"localhost:{port}"}).status_code == 200
        # What a browser sends whose owner was lured to a page that calls 127.0.0.1 by its own name.
        for host in ("evil.test", f"evil.test:{port}", "127.0.0.1.evil.test", ""):
            assert httpx.get(address, headers={"Host": host}).status_code == 403


def test_why_a_day_failed_is_told_to_admins_only(own_lake: Settings, tmp_path: Path) -> None:
    failed = FailedDays(open_lake(own_lake).store)
    failed.note("messages", GAP, "/secret/path", "run")
    with api_over(own_lake, tmp_path) as api:
        told = api.get("/ledger").json()
        assert "/secret/path" in told["days"][2]["error"]
        assert "/secret/path" not in api.get("/ledger", scope="read:reports").text
