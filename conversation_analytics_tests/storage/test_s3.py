"""How S3 is asked, shown by a server that answers whatever the test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conversation_analytics.errors import StoreUnavailable
from conversation_analytics.storage.s3 import S3Access, S3Store

Request = BaseHTTPRequestHandler
Answer = tuple[int, str]


def failure(status: int, code: str) -> Answer:
    return status, f"<Error><Code>{code}</Code><Message>words</Message></Error>"


@contextmanager
def answering(answer: Callable[[Request], Answer], *, attempts: int = 1) -> Iterator[S3Store]:
    """A store whose server answers each request as told."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_DELETE = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield S3Store(S3Access("us-east-1", url, "key", "hush", max_attempts=attempts), "bucket")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_request_is_sent_as_often_as_is_allowed_and_no_oftener(attempts: int) -> None:
    seen = []

    def answer(request: Request) -> Answer:
        seen.append(request.path)
        return failure(503, "SlowDown")

    with answering(answer, attempts=attempts) as store, pytest.raises(StoreUnavailable):
        store.get("a")
    assert len(seen) == attempts


def test_a_server_that_knows_no_conditional_writes_is_used_without_them() -> None:
    def answer(request: Request) -> Answer:
        if request.headers.get("If-None-Match"):
            return failure(501, "NotImplemented")
        return failure(404, "NoSuchKey") if request.command == "GET" else (200, "")

    with answering(answer) as store:
        assert not store.conditional
        assert store.create("a", b"")


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "AccessDenied", "the credentials need s3:GetObject, PutObject, DeleteObject"),
        (403, "InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "check AWS_SECRET_ACCESS_KEY"),
        (400, "AuthorizationHeaderMalformed", "another region: set AWS_REGION"),
        (400, "ExpiredToken", "ExpiredToken: words"),
    ],
)
def test_a_refusal_is_told_with_advice(status: int, code: str, advice: str) -> None:
    with (
        answering(lambda _: failure(status, code)) as store,
        pytest.raises(StoreUnavailable) as caught,
    ):
        store.put("day/table", b"")
    assert str(caught.value).startswith("lake s3://bucket, at day/table: ")
    assert advice in str(caught.value)


def test_a_body_cut_short_is_told() -> None:
    class Cut(str):
        def __len__(self) -> int:
            return 100

    with answering(lambda _: (200, Cut("short"))) as store, pytest.raises(StoreUnavailable):
        store.get("a")
