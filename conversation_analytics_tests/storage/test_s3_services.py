"""The lake's bytes in S3, on a server with conditional writes (moto) and one without (rclone)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.s3 import S3Store
from conversation_analytics_tests.chaos.s3_proxy import lost_answer, start_s3_proxy
from conversation_analytics_tests.services.process import free_port
from conversation_analytics_tests.services.s3_servers import S3Server
from conversation_analytics_tests.storage.s3_stores import access, new_store

pytestmark = pytest.mark.services


@pytest.fixture(params=["moto_s3", "rclone_s3"])
def store(request: pytest.FixtureRequest) -> S3Store:
    return new_store(request.getfixturevalue(request.param))


def test_an_object_is_what_was_put_last(store: S3Store) -> None:
    assert store.get("day/table") is None
    store.put("day/table", b"old")
    store.put("day/table", bytes(range(256)) * 5_000)
    assert store.get("day/table") == bytes(range(256)) * 5_000
    store.delete(["day/table", "never"])
    assert store.get("day/table") is None


def test_a_listing_is_by_prefix_and_sorted(store: S3Store) -> None:
    keys = ["a", "b/10", "b/2", "b/sub/1", "bc/1"]
    for key in keys:
        store.put(key, b"x")
    assert store.list("") == keys
    assert store.list("b/") == ["b/10", "b/2", "b/sub/1"]
    assert store.list("b/1") == ["b/10"]
    assert store.list("c/") == []


def test_a_listing_has_more_than_a_page(moto_s3: S3Server) -> None:
    store = new_store(moto_s3, "")
    keys = [f"k{n:04d}" for n in range(1_003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b""), keys))
    assert store.list("") == keys


def test_lakes_of_one_bucket_do_not_see_each_other(moto_s3: S3Server) -> None:
    bucket = moto_s3.new_bucket()
    one, other = (S3Store(access(moto_s3), bucket, prefix) for prefix in ("lake", "lake2"))
    one.put("a", b"1")
    other.put("b", b"2")
    assert (one.list(""), other.list("")) == (["a"], ["b"])
    assert one.url == f"s3://{bucket}/lake"


def test_create_refuses_a_second_time_and_keeps_the_first(store: S3Store) -> None:
    assert store.create("claim", b"first")
    assert not store.create("claim", b"second")
    assert store.get("claim") == b"first"


def test_the_probe_tells_whether_writes_can_be_conditional(
    moto_s3: S3Server, rclone_s3: S3Server
) -> None:
    for server, honoured in ((moto_s3, True), (rclone_s3, False)):
        store = new_store(server)
        assert store.conditional is honoured
        assert store.list("") == []


def test_a_probe_whose_answer_was_lost_tells_the_same(moto_s3: S3Server) -> None:
    with start_s3_proxy(moto_s3.endpoint_url) as proxy:
        through = replace(access(moto_s3), endpoint_url=proxy.endpoint_url)
        proxy.spoil("PUT", 1, lost_answer)
        assert S3Store(through, moto_s3.new_bucket()).conditional
        assert proxy.spoilt == 1


def test_of_many_creators_exactly_one_wins(moto_s3: S3Server) -> None:
    store = new_store(moto_s3)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.create("claim", b"%d" % n), range(24)))
    assert won.count(True) == 1
    assert store.get("claim") == b"%d" % won.index(True)


def test_a_store_travels_to_worker_processes(store: S3Store) -> None:
    store.put("a", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert copy.url == store.url
    assert copy.get("a") == b"1"


def test_a_secret_key_is_in_no_repr_and_no_url(moto_s3: S3Server) -> None:
    store = new_store(moto_s3)
    assert moto_s3.secret_key not in f"{access(moto_s3)!r} {store!r} {store.url}"


def each_call(store: S3Store) -> list[Callable[[], object]]:
    return [
        lambda: store.get("k"),
        lambda: store.put("k", b"x"),
        lambda: store.create("k", b"x"),
        lambda: store.list("k"),
        lambda: store.delete(["k"]),
    ]


def assert_told(store: S3Store, *words: str) -> None:
    for call in each_call(store):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert str(caught.value).startswith(f"lake {store.url}, at ")
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize("server", ["moto_s3", "rclone_s3"])
def test_a_missing_bucket_is_told(request: pytest.FixtureRequest, server: str) -> None:
    store = S3Store(access(request.getfixturevalue(server)), "no-such-bucket")
    assert_told(store, "the bucket does not exist: create it or set S3_BUCKET")


def test_a_wrong_key_is_told(rclone_s3: S3Server) -> None:
    bucket = rclone_s3.new_bucket()
    unknown = replace(access(rclone_s3), key_id="somebody")
    assert_told(S3Store(unknown, bucket), "check AWS_ACCESS_KEY_ID")
    wrong = replace(access(rclone_s3), secret_key="guessed")
    assert_told(S3Store(wrong, bucket), "check AWS_SECRET_ACCESS_KEY")


def test_an_unreachable_server_is_told(moto_s3: S3Server) -> None:
    nobody = replace(
        access(moto_s3), endpoint_url=f"http://127.0.0.1:{free_port()}", max_attempts=1
    )
    assert_told(S3Store(nobody, "bucket"), "Check AWS_ENDPOINT_URL")


def test_a_name_no_bucket_can_have_is_told(moto_s3: S3Server) -> None:
    assert_told(S3Store(access(moto_s3), "not a bucket"), "Invalid bucket name")
