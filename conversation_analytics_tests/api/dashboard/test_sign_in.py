"""Who gets in, how, and to what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conversation_analytics.api.dashboard import sessions
from conversation_analytics.api.dashboard.routes import page_routes
from conversation_analytics.api.dashboard.sessions import COOKIE, Sessions
from conversation_analytics.api.keys import KeyFile, Scope
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.dashboard.lake import dashboard
from conversation_analytics_tests.api.dashboard.reading import heading, links, text
from conversation_analytics_tests.api.lake import make_keys
from conversation_analytics_tests.reports.pages import parsed

SIGN_IN, SIGN_OUT = "/dashboard/sign-in", "/dashboard/sign-out"
# What each page needs, written down once more: who opens one must say so here too.
NEEDS = {
    "/dashboard": Scope.REPORTS,
    "/dashboard/topics": Scope.REPORTS,
    "/dashboard/sentiment": Scope.REPORTS,
    "/dashboard/models": Scope.REPORTS,
    "/dashboard/data": Scope.REPORTS,
    "/dashboard/reports/{grain}/{key}.html": Scope.REPORTS,
    "/dashboard/users": Scope.CONVERSATIONS,
    "/dashboard/users/{user_id:path}": Scope.CONVERSATIONS,
    "/dashboard/conversations": Scope.CONVERSATIONS,
    "/dashboard/conversations/{conversation_id:path}": Scope.CONVERSATIONS,
}
PLACES = {
    "{user_id:path}": "u1",
    "{conversation_id:path}": "thai",
    "{grain}/{key}": "weekly/2024-W02",
}


@pytest.fixture(scope="module")
def kept(shown: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same lake, for those with a key."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    return shown.model_copy(update={"api_keys_file": file, "api_rate_limit": "100000/minute"})


@pytest.fixture(scope="module")
def keys(kept: Settings) -> dict[str, str]:
    return make_keys(kept)


@pytest.fixture(scope="module")
def served(kept: Settings, keys: dict[str, str]) -> Iterator[httpx.Client]:
    assert keys
    with dashboard(kept, is_open=False) as client:
        yield client


@pytest.fixture
def visitor(served: httpx.Client) -> Iterator[httpx.Client]:
    """A browser that knows nothing."""
    served.cookies.clear()
    yield served
    served.cookies.clear()


def sign_in(client: httpx.Client, key: str, **more: Any) -> httpx.Response:
    return client.post(SIGN_IN, data={"key": key}, **more)


def test_every_page_is_in_the_matrix() -> None:
    assert {route.path for route in page_routes()} == {*NEEDS, SIGN_IN, SIGN_OUT}


@pytest.mark.parametrize("route", NEEDS)
def test_without_a_key_there_is_only_the_form(visitor: httpx.Client, route: str) -> None:
    answer = visitor.get(route.partition("/{")[0])

    assert answer.status_code == 401
    assert heading(parsed(answer.text)) == "Sign in"
    assert "Billing" not in answer.text


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("route", NEEDS)
def test_a_key_opens_the_pages_that_its_scope_names(
    visitor: httpx.Client, keys: dict[str, str], scope: Scope, route: str
) -> None:
    address = route
    for name, value in PLACES.items():
        address = address.replace(name, value)
    sign_in(visitor, keys[scope])

    answer = visitor.get(address)

    page = parsed(answer.text)
    if scope in {NEEDS[route], Scope.ADMIN}:
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code == 403
        assert heading(page) == "The API key lacks a scope"
    for to in links(page):
        needed = NEEDS.get("/".join(to.partition("?")[0].split("/")[:3]))
        assert needed is None or scope in {needed, Scope.ADMIN}, to


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(
    visitor: httpx.Client, keys: dict[str, str]
) -> None:
    answer = sign_in(visitor, keys[Scope.ADMIN])

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    said = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/dashboard", "max-age=43200"):
        assert part in said
    assert "secure" not in said
    assert keys[Scope.ADMIN].lower() not in said
    secure = sign_in(
        visitor,
        keys[Scope.ADMIN],
        headers={"Origin": "https://chat.test", "Sec-Fetch-Site": "same-origin"},
    )
    assert "secure" in secure.headers["set-cookie"].lower()


def test_a_session_does_not_open_the_api(visitor: httpx.Client, keys: dict[str, str]) -> None:
    sign_in(visitor, keys[Scope.ADMIN])
    token = visitor.cookies[COOKIE]

    answer = visitor.get("/api/v1/conversations", headers={"Cookie": f"{COOKIE}={token}"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("onward", "led"),
    [
        ("/dashboard/topics?grain=daily", "/dashboard/topics?grain=daily"),
        ("https://evil.test/", "/dashboard"),
        ("//evil.test/dashboard/", "/dashboard"),
        ("/dashboard/\\evil.test", "/dashboard"),
        ("/dashboardevil", "/dashboard"),
        ("/dashboard/x\r\nSet-Cookie: a=b", "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_signing_in_goes_on_to_pages_of_ours_only(
    visitor: httpx.Client, keys: dict[str, str], onward: str, led: str
) -> None:
    answer = sign_in(visitor, keys[Scope.ADMIN], params={"onward": onward})
    if answer.status_code == 303 and answer.headers["location"] == SIGN_IN:
        answer = sign_in(visitor, keys[Scope.ADMIN])

    assert answer.headers["location"] == led


def test_the_form_leads_back_to_what_was_asked_for(visitor: httpx.Client) -> None:
    page = parsed(visitor.get("/dashboard/topics?grain=daily").text)

    (form,) = page.iter("form")
    assert form.get("action") == f"{SIGN_IN}?onward=%2Fdashboard%2Ftopics%3Fgrain%3Ddaily"


def test_a_key_for_conversations_begins_there(visitor: httpx.Client, keys: dict[str, str]) -> None:
    answer = sign_in(visitor, keys[Scope.CONVERSATIONS])

    assert answer.headers["location"] == "/dashboard/conversations"


@pytest.mark.parametrize("key", ["", "wrong", f"ca_{'0' * 12}_{'x' * 43}", "ca_é\n"])
def test_a_wrong_key_is_told_and_opens_nothing(visitor: httpx.Client, key: str) -> None:
    answer = sign_in(visitor, key)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    page = parsed(answer.text)
    assert heading(page) == "Sign in"
    assert ("The API key is not valid" in text(page)) == bool(key)
    assert visitor.get("/dashboard").status_code == 401


def test_guessing_comes_to_an_end(kept: Settings, keys: dict[str, str]) -> None:
    with dashboard(kept, is_open=False) as client:
        told = [sign_in(client, f"wrong {n}").status_code for n in range(25)]
        assert (told[0], told[-1]) == (401, 429)
        assert sign_in(client, keys[Scope.ADMIN]).status_code == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
def test_forms_of_other_sites_neither_sign_in_nor_out(
    visitor: httpx.Client, keys: dict[str, str], headers: dict[str, str]
) -> None:
    refused = sign_in(visitor, keys[Scope.ADMIN], headers=headers)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    sign_in(visitor, keys[Scope.ADMIN])

    assert visitor.post(SIGN_OUT, headers=headers).status_code == 403
    assert visitor.get("/dashboard").status_code == 200


def test_nothing_is_done_by_following_a_link(visitor: httpx.Client, keys: dict[str, str]) -> None:
    sign_in(visitor, keys[Scope.ADMIN])

    assert visitor.get(SIGN_OUT).status_code == 405
    assert visitor.get("/dashboard").status_code == 200


def test_signing_out_ends_the_session_itself(visitor: httpx.Client, keys: dict[str, str]) -> None:
    sign_in(visitor, keys[Scope.ADMIN])
    token = visitor.cookies[COOKIE]

    answer = visitor.post(SIGN_OUT)

    assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN)
    visitor.cookies.clear()
    again = visitor.get("/dashboard", headers={"Cookie": f"{COOKIE}={token}"})
    assert again.status_code == 401


def test_a_revoked_key_ends_its_sessions(visitor: httpx.Client, kept: Settings) -> None:
    file = KeyFile(kept.api_keys_file)
    entry, key = file.create("for a while", [Scope.REPORTS])
    sign_in(visitor, key)
    assert visitor.get("/dashboard").status_code == 200

    file.revoke(entry.id)

    assert visitor.get("/dashboard").status_code == 401


def test_a_link_from_another_site_is_followed_once_more_from_here(
    visitor: httpx.Client,
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}

    answer = visitor.get("/dashboard/topics?grain=daily", headers=headers)

    assert answer.status_code == 200
    assert 'content="0; url=/dashboard/topics?grain=daily"' in answer.text


def test_a_large_form_is_refused(visitor: httpx.Client) -> None:
    assert sign_in(visitor, "x" * 10_000).status_code == 413


def test_a_session_is_over_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Sessions()
    token = known.begin("key")
    assert known.key(token) == "key"
    monkeypatch.setattr(sessions, "SECONDS", -1)

    assert known.key(known.begin("key")) is None


def test_the_oldest_session_makes_room() -> None:
    known = Sessions()
    first = known.begin("first")
    last = [known.begin("key") for _ in range(1_000)][-1]

    assert (known.key(first), known.key(last)) == (None, "key")


def test_without_keys_nobody_is_asked_to_sign_in(pages: httpx.Client) -> None:
    answer = pages.get(SIGN_IN)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert "Sign out" not in pages.get("/dashboard").text


def test_without_keys_only_this_machine_is_answered(pages: httpx.Client) -> None:
    answer = pages.get("/dashboard", headers={"Host": "evil.test"})

    assert answer.status_code == 403
    assert heading(parsed(answer.text)) == "The host name is not this machine's"
