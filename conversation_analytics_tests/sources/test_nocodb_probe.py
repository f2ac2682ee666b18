"""What the capability probe learns, and what it says when something is wrong."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import httpx
import pytest

from conversation_analytics.errors import (
    SourceAccessDenied,
    SourceSchemaError,
    SourceUnavailable,
)
from conversation_analytics.sources import nocodb
from conversation_analytics_tests.sources.nocodb_fake import (
    BASE_ID,
    TOKEN,
    Answering,
    FakeNocoDB,
    column,
    key_column,
    message_columns,
)


def test_nothing_is_asked_before_the_probe() -> None:
    fake = FakeNocoDB()
    fake.source().close()
    assert fake.requests == []


@pytest.mark.parametrize("api", ["v2", "v1"])
def test_the_probe_learns_tables_keys_columns_cap_and_clock(api: str) -> None:
    fake = FakeNocoDB(cap=100, api=api)
    fake.messages.rows = [{"Id": number} for number in range(250)]
    info = fake.source().probe()
    assert info.clock == datetime(2033, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert info.details["api"] == api
    assert info.details["page_cap"] == "100"
    assert info.ordered
    assert info.messages.rows == 250
    assert info.messages.primary_key == "Id"
    assert info.messages.key_type == "integer"
    assert info.messages.columns[:3] == ("Id", "UpdatedAt", "message_id")
    assert info.messages.system_columns == {"Id", "UpdatedAt", "tags"}
    assert info.conversations.range_filterable
    assert info.fingerprint == "nocodb:http://nocodb.test/pbase/mconv+mmsg"


def test_table_ids_are_as_good_as_names() -> None:
    by_id = FakeNocoDB().source(conversation_table="mconv", messages_table="mmsg")
    assert by_id.probe().fingerprint == FakeNocoDB().source().probe().fingerprint


@pytest.mark.parametrize("kind", ["uuid", "text"])
def test_rows_with_other_than_integer_keys_are_not_in_order_of_insertion(kind: str) -> None:
    info = FakeNocoDB(key=kind).source().probe()
    assert info.messages.key_type == kind
    assert not info.ordered


def test_a_creation_time_kept_as_text_cannot_be_filtered() -> None:
    fake = FakeNocoDB()
    fake.messages.columns = message_columns(time="SingleLineText")
    source = fake.source()
    assert not source.probe().messages.range_filterable
    with pytest.raises(SourceSchemaError, match="Read the whole table"):
        source.messages_between(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))


def test_a_wrong_table_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(SourceSchemaError, match=r"NOCODB_MESSAGES_TABLE='mesages'.*messages"):
        FakeNocoDB().source(messages_table="mesages").probe()


def test_the_columns_a_profile_is_chosen_by_need_no_mapping() -> None:
    fake = FakeNocoDB()
    fake.messages.columns = [column("query"), column("answer")]
    columns = nocodb.message_columns(
        base_url="http://nocodb.test",
        api_token=TOKEN,
        base_id=BASE_ID,
        messages_table="messages",
        max_retries=0,
        retry_delay=0,
        network=Answering(fake.handle),
    )
    assert columns == ("query", "answer")


def test_a_name_of_two_tables_asks_for_an_id() -> None:
    fake = FakeNocoDB()
    fake.conversations.title = "messages"
    with pytest.raises(SourceSchemaError, match="mconv, mmsg"):
        fake.source(conversation_table="mconv").probe()


def test_a_missing_column_is_named_with_those_there_are() -> None:
    fake = FakeNocoDB()
    fake.messages.columns = [key_column("Id", "integer"), column("hello")]
    with pytest.raises(SourceSchemaError, match=r"conversation_id.*hello"):
        fake.source().probe()


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ([column("id")], "no primary key"),
        ([key_column("a", "integer"), key_column("b", "integer")], "a key of 2 columns"),
        ([column("id", "Decimal", "numeric", pk=True)], "neither an integer"),
        ([column("id", "SpecificDBType", "point", pk=True)], "neither an integer"),
    ],
)
def test_a_table_that_cannot_be_paged_is_refused(columns: list[dict], problem: str) -> None:
    fake = FakeNocoDB()
    fake.messages.columns = [*columns, *message_columns()[1:]]
    with pytest.raises(SourceSchemaError, match=problem):
        fake.source().probe()


def test_an_unknown_base_names_its_setting() -> None:
    with pytest.raises(SourceSchemaError, match="NOCODB_PROJECT_ID"):
        FakeNocoDB().source(base_id="pother").probe()


def test_a_wrong_token_names_its_setting_and_stays_secret() -> None:
    wrong = "wrong-token"
    with pytest.raises(SourceAccessDenied, match="NOCODB_API_TOKEN") as caught:
        FakeNocoDB().source(api_token=wrong).probe()
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("token", ["", "secret\n", "sécret"])
def test_a_token_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(SourceAccessDenied, match="NOCODB_API_TOKEN") as caught:
        FakeNocoDB().source(api_token=token)
    assert "cret" not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_token() -> None:
    asked = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(301, headers={"location": "https://elsewhere.test/"})

    source = FakeNocoDB().source(network=Answering(redirect))
    with pytest.raises(SourceUnavailable, match=r"elsewhere\.test.*NOCODB_BASE_URL"):
        source.probe()
    assert {request.url.host for request in asked} == {"nocodb.test"}


def test_credentials_in_the_address_are_sent_as_such_and_not_shown() -> None:
    address = "http://someone:hidden@nocodb.test"
    fake = FakeNocoDB()
    info = fake.source(base_url=address).probe()
    assert "hidden" not in info.location + info.fingerprint
    asked = {(str(one.url.userinfo), one.headers["authorization"]) for one in fake.requests}
    assert asked == {("b''", "Basic " + b64encode(b"someone:hidden").decode())}
    with pytest.raises(SourceSchemaError, match=r"nocodb\.test") as caught:
        FakeNocoDB().source(base_url=address, base_id="pother").probe()
    assert "hidden" not in str(caught.value)


def test_a_server_without_a_clock_is_told_apart() -> None:
    fake = FakeNocoDB()

    def no_date(request: httpx.Request) -> httpx.Response:
        answer = fake.handle(request)
        del answer.headers["date"]
        return answer

    info = fake.source(network=Answering(no_date)).probe()
    assert info.details["clock"].startswith("this machine's")
    assert TOKEN not in str(info)
