"""A load into S3 while requests are refused, cut or answered with what was true long ago."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.settings import load_settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics_tests.chaos import scaled
from conversation_analytics_tests.chaos.kill_exports import (
    DAYS,
    START,
    Reader,
    Undisturbed,
    assert_converged,
    first_export,
    undisturbed,
)
from conversation_analytics_tests.chaos.kill_stage import Place, bucket_settings, spread
from conversation_analytics_tests.chaos.s3_proxy import (
    Fault,
    S3Proxy,
    cut_download,
    cut_upload,
    lost_answer,
    slow_down,
    stale_listing,
    start_s3_proxy,
)
from conversation_analytics_tests.chaos.victim import run
from conversation_analytics_tests.services.s3_servers import S3Server

pytestmark = pytest.mark.services

TIMES = scaled(1, 20)
HEALED = [
    ("GET", slow_down),
    ("LIST", slow_down),
    ("PUT", slow_down),
    ("PUT", cut_upload),
    ("PUT", lost_answer),
    ("DELETE", lost_answer),
    ("LIST", stale_listing),
]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return undisturbed(tmp_path_factory.mktemp("s3-faults"), first_export(), DAYS[:2])


@pytest.fixture(scope="module")
def proxy(moto_s3: S3Server) -> Iterator[S3Proxy]:
    with start_s3_proxy(moto_s3.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def counted(proxy: S3Proxy, moto_s3: S3Server, export: Undisturbed) -> dict[str, int]:
    """How many requests of each kind an undisturbed load makes."""
    place = new_place(proxy, moto_s3)
    proxy.be_faithful()
    assert run(place.load(export, "counted")) == []
    return dict(proxy.seen)


def new_place(proxy: S3Proxy, moto: S3Server) -> Place:
    """A lake in a new bucket, reached through the proxy."""
    server = replace(moto, endpoint_url=proxy.endpoint_url)
    settings = {
        "partitions_start_date": str(START),
        "enable_multithreading": False,
        "max_retries": 3,
        **bucket_settings(server),
    }
    return Place(settings, open_lake(load_settings(None, **settings)))


def ids(case: object) -> str:
    return case.__name__ if callable(case) else str(case)


@pytest.mark.parametrize(("kind", "fault"), HEALED, ids=ids)
def test_a_fault_that_passes_changes_nothing(
    proxy: S3Proxy,
    moto_s3: S3Server,
    export: Undisturbed,
    counted: dict[str, int],
    kind: str,
    fault: Fault,
    record_property: Callable[[str, object], None],
) -> None:
    times = spread(counted[kind], TIMES)
    for nth in times:
        place = new_place(proxy, moto_s3)
        proxy.spoil(kind, nth, fault)
        assert run(place.load(export, "disturbed")) == []
        assert proxy.spoilt == 1
        reader = Reader(place.lake, export, export)
        reader.read_all()
        assert (reader.half, reader.wrong) == ([], [])
        assert run(place.load(export, "again")) == []
        assert_converged(place.lake, export)
    record_property("faults of S3", len(times))


@pytest.mark.parametrize(
    ("kind", "fault", "for_good"),
    [("PUT", slow_down, True), ("LIST", slow_down, True), ("GET", cut_download, False)],
    ids=ids,
)
def test_a_fault_that_lasts_is_told_and_the_next_load_completes_the_days(
    proxy: S3Proxy,
    moto_s3: S3Server,
    export: Undisturbed,
    counted: dict[str, int],
    kind: str,
    fault: Fault,
    for_good: bool,
    record_property: Callable[[str, object], None],
) -> None:
    times = spread(counted[kind], TIMES)
    for nth in times:
        place = new_place(proxy, moto_s3)
        proxy.spoil(kind, nth, fault, for_good=for_good)
        try:
            told = run(place.load(export, "disturbed"))
        except StoreUnavailable as error:
            told = [str(error)]
        assert any(place.lake.store.url in error for error in told)
        proxy.be_faithful()
        reader = Reader(place.lake, export, None)
        reader.read_all()
        assert len(reader.half) <= for_good
        assert reader.wrong == []
        assert run(place.load(export, "disturbed")) == []
        assert_converged(place.lake, export)
    record_property("faults of S3", len(times))
