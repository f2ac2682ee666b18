"""What is read from NocoDB is exact, whatever the network and the server make of the answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from conversation_analytics.errors import SourceAccessDenied, SourceError, SourceUnavailable
from conversation_analytics.storage.layout import RAW
from conversation_analytics_tests.chaos import LONG, scaled
from conversation_analytics_tests.chaos.fault_readings import (
    MAX_RETRIES,
    Site,
    build_site,
    content_hashes,
    files,
    for_records,
    read,
    where,
)
from conversation_analytics_tests.chaos.faults import (
    LARGE_TEXT,
    MISCOUNTED,
    NEVER_RETRIED,
    RETRIED,
    SLOW,
    UNNOTICED,
    with_a_large_text,
)
from conversation_analytics_tests.end_to_end.nocodb_sources import (
    MESSAGE_COLUMNS,
    NocoDBTables,
    export,
    own_tables,
)
from conversation_analytics_tests.end_to_end.pipeline import days
from conversation_analytics_tests.services.fault_proxy import FOREVER, start_fault_proxy
from conversation_analytics_tests.services.nocodb_server import NocoDB

pytestmark = pytest.mark.services

ROWS = scaled(700, 3_500)
PAGE_ROWS = ROWS // 5 + 10  # five pages

LATER_PAGES = ("second", "middle", "last")
PAGES = ("first", *LATER_PAGES)
RECORDS = ("sample", "bound", *PAGES)
POSITIONS = ("tables", "columns", *RECORDS)

# Where a fault is one: a page needs several rows to be in another order, and so on.
OF_PAGES = {
    "a row twice": RECORDS,
    "rows left out at the start": RECORDS,
    "no rows": RECORDS,
    "no rows, as of an empty table": ("bound",),
    "in another order": PAGES,
    "the page before again": LATER_PAGES,
    "from a few rows earlier on": LATER_PAGES,
}
PLACES = dict.fromkeys(RETRIED, POSITIONS) | OF_PAGES
LIMIT = re.compile(r"&limit=\d+")
ANYWHERE = [fault for fault in RETRIED if fault not in OF_PAGES]

# What a reading of few days asks, by what only questions of the kind have in them.
KINDS = {
    "conversations between": "(Opened at,gte,",
    "messages between": "sort=Id&where=(Said at,gte,",
    "conversations by id": "(Ticket,in,",
    "messages of conversations": "sort=Said at,Id",
}


def sweep(faults: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Each fault at each of its places; in a short campaign at one, the places taking turns."""
    if LONG:
        return [(fault, place) for fault, places in faults.items() for place in places]
    return [
        (fault, places[turn % len(places)]) for turn, (fault, places) in enumerate(faults.items())
    ]


@pytest.fixture(scope="module")
def tables(nocodb: NocoDB, tmp_path_factory: pytest.TempPathFactory) -> NocoDBTables:
    """Some days of history."""
    folder = export(tmp_path_factory.mktemp("whole"), "plain", messages=ROWS, days=4)
    return own_tables(nocodb, folder)


@pytest.fixture(scope="module")
def whole(tables: NocoDBTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Days that are read by reading everything."""
    lake = tmp_path_factory.mktemp("whole") / "lake"
    with start_fault_proxy(tables.server.base_url, page_cap=PAGE_ROWS) as proxy:
        yield build_site(tables, proxy, lake, every_day=days(5), asked_for=days(5))


@pytest.fixture(scope="module")
def few(nocodb: NocoDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One day of many, which is asked for by time and ids, in several pages each."""
    folder = export(tmp_path_factory.mktemp("few"), "plain", messages=400, days=24)
    tables, busiest = own_tables(nocodb, folder), days(15)[-1]  # six conversations start on it
    with start_fault_proxy(nocodb.base_url, page_cap=4) as proxy:
        yield build_site(tables, proxy, folder / "lake", every_day=days(25), asked_for=[busiest])


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> None:
    record_property("faults of NocoDB's answers", 1)


def position(site: Site, name: str) -> str:
    """The question that has a position in a reading of everything; about messages, if of a table.

    Before the pages come the base's tables and their columns, a sample, the page cap and the
    largest key.
    """
    table = site.tables.tables["messages"]
    sample, _, bound, *pages = for_records(site.questions, table)
    return {
        "tables": site.questions[0],
        "columns": next(one for one in site.questions if one.endswith(table)),
        "sample": sample,
        "bound": bound,
        "first": pages[0],
        "second": pages[1],
        "middle": pages[len(pages) // 2],
        "last": pages[-1],
    }[name]


def of_any_size(question: str) -> str:
    """The question without how many rows it asks for: fewer, where their count was odd."""
    return LIMIT.sub("", question)


def second_of(site: Site, kind: str) -> str:
    """The question for the second page of a kind."""
    return [one for one in site.questions if KINDS[kind] in where(one)][1]


def test_the_proxy_changes_nothing_by_itself(
    whole: Site, tables: NocoDBTables, tmp_path: Path
) -> None:
    direct = read(tables, tables.server.base_url, tmp_path, whole.days)
    assert len(for_records(whole.questions, tables.tables["messages"])) == len(RECORDS) + 2
    assert content_hashes(direct) == whole.hashes


@pytest.mark.parametrize(("fault", "at"), sweep(PLACES))
def test_a_spoilt_answer_is_asked_for_again(
    fault: str, at: str, whole: Site, tmp_path: Path
) -> None:
    question = position(whole, at)
    plan = whole.proxy.spoil(question, RETRIED[fault])

    assert content_hashes(whole.read(tmp_path)) == whole.hashes

    assert plan.spoiled == 1
    assert [of_any_size(one) for one in plan.asked].count(of_any_size(question)) > 1


@pytest.mark.parametrize(("fault", "at"), sweep(dict.fromkeys(SLOW, POSITIONS)))
def test_a_slow_answer_is_waited_for(fault: str, at: str, whole: Site, tmp_path: Path) -> None:
    plan = whole.proxy.spoil(position(whole, at), SLOW[fault])

    assert content_hashes(whole.read(tmp_path)) == whole.hashes

    assert plan.spoiled == 1


@pytest.mark.parametrize("fault", list(RETRIED)[:: scaled(5, 1)])
def test_a_fault_that_stays_is_an_error_and_the_lake_is_as_it_was(
    fault: str, whole: Site, tmp_path: Path
) -> None:
    lake = whole.copy_lake(tmp_path / "lake")
    before = files(lake)
    plan = whole.proxy.spoil(position(whole, "middle"), RETRIED[fault], times=FOREVER)

    # Where only the number of rows is odd, fewer and fewer are asked for, or it shows at the end.
    told = f"{MAX_RETRIES + 1} times asked|gave .* rows and counts"
    with pytest.raises(SourceUnavailable, match=told):
        whole.read(lake)

    assert plan.spoiled >= (1 if fault in MISCOUNTED else MAX_RETRIES + 1)
    assert files(lake) == before


@pytest.mark.parametrize(("fault", "at"), sweep(dict.fromkeys(NEVER_RETRIED, POSITIONS[::-1])))
def test_a_refusal_is_an_error_at_once_and_the_lake_is_as_it_was(
    fault: str, at: str, whole: Site, tmp_path: Path
) -> None:
    lake = whole.copy_lake(tmp_path / "lake")
    before = files(lake)
    spoil, advice = NEVER_RETRIED[fault]
    question = position(whole, at)
    plan = whole.proxy.spoil(question, spoil)

    with pytest.raises((SourceAccessDenied, SourceUnavailable), match=advice):
        whole.read(lake)

    assert plan.asked.count(question) == 1
    assert files(lake) == before


@pytest.mark.parametrize(
    ("fault", "at"), sweep({fault: places for fault, (_, places) in MISCOUNTED.items()})
)
def test_rows_that_do_not_add_up_are_an_error_and_the_lake_is_as_it_was(
    fault: str, at: str, whole: Site, tmp_path: Path
) -> None:
    lake = whole.copy_lake(tmp_path / "lake")
    before = files(lake)
    whole.proxy.spoil(position(whole, at), MISCOUNTED[fault][0])

    with pytest.raises(SourceUnavailable, match="answers wrongly"):
        whole.read(lake)

    assert files(lake) == before


@pytest.mark.parametrize(
    ("fault", "at"), sweep({fault: places for fault, (_, places) in UNNOTICED.items()})
)
def test_what_an_answer_kept_to_itself_comes_with_the_next_reading(
    fault: str, at: str, whole: Site, tmp_path: Path
) -> None:
    """The limit: well-made rows of another table, where their number does not give them away.

    What it left out is missing until the days are read again, as after a sweep.
    """
    whole.proxy.spoil(position(whole, at), UNNOTICED[fault][0])
    lake = whole.read(tmp_path)
    assert content_hashes(lake) != whole.hashes, "it is noticed now: it belongs to the retried"

    whole.proxy.be_faithful()
    assert content_hashes(whole.read(tmp_path)) == whole.hashes


@pytest.mark.parametrize("at", PAGES[: scaled(1, 4)])
def test_a_text_of_a_megabyte_comes_through_whole(at: str, whole: Site, tmp_path: Path) -> None:
    column, _ = MESSAGE_COLUMNS["content"]
    whole.proxy.spoil(position(whole, at), with_a_large_text(column))

    lake = whole.read(tmp_path)

    texts = [
        orjson.loads(payload)[column]
        for day in lake.days(RAW)
        if (found := lake.read_day(RAW, day))
        for payload in found[1]["raw_messages"]["payload"].to_pylist()
    ]
    assert texts.count(LARGE_TEXT) == 1
    assert len(texts) == ROWS


@pytest.mark.parametrize(
    ("fault", "kind"), sweep(dict.fromkeys(ANYWHERE[:: scaled(5, 1)], tuple(KINDS)))
)
def test_a_reading_of_few_days_asks_again_for_a_spoilt_answer(
    fault: str, kind: str, few: Site, tmp_path: Path
) -> None:
    lake = few.copy_lake(tmp_path / "lake")
    question = second_of(few, kind)
    plan = few.proxy.spoil(question, RETRIED[fault])

    assert content_hashes(few.read(lake)) == few.hashes

    assert plan.spoiled == 1
    assert plan.asked.count(question) > 1


@pytest.mark.parametrize(("fault", "kind"), sweep(dict.fromkeys(OF_PAGES, tuple(KINDS))))
def test_a_reading_of_few_days_stands_pages_out_of_order(
    fault: str, kind: str, few: Site, tmp_path: Path
) -> None:
    lake = few.copy_lake(tmp_path / "lake")
    plan = few.proxy.spoil(second_of(few, kind), RETRIED[fault])

    assert content_hashes(few.read(lake)) == few.hashes

    assert plan.spoiled == 1


@pytest.mark.parametrize("kind", list(KINDS)[:: scaled(4, 1)])
def test_a_reading_of_few_days_that_fails_leaves_the_lake_as_it_was(
    kind: str, few: Site, tmp_path: Path
) -> None:
    lake = few.copy_lake(tmp_path / "lake")
    before = files(lake)
    plan = few.proxy.spoil(second_of(few, kind), RETRIED["500"], times=FOREVER)

    with pytest.raises(SourceError, match="500"):
        few.read(lake)

    assert plan.spoiled == MAX_RETRIES + 1
    assert files(lake) == before
