"""A proxy before a real S3 server, on a real socket, that spoils the requests it is told to."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from conversation_analytics_tests.services.http_server import serving

SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
NOTHING_LISTED = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>"
)
NOT_PASSED_ON = ("connection", "transfer-encoding", "content-length", "date", "server")

Fault = Callable[["Exchange"], None]


class S3Proxy:
    """Passes requests on, and spoils some.

    Attributes:
        endpoint_url: Its address.
        seen: How many requests of each kind came: `PUT`, `GET`, `DELETE`, `LIST`.
        spoilt: How many were spoilt.
    """

    def __init__(self, endpoint_url: str, upstream: str) -> None:
        self.endpoint_url = endpoint_url
        self.seen: Counter[str] = Counter()
        self.spoilt = 0
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._kind, self._nth, self._for_good = "", 0, False
        self._fault: Fault | None = None

    def be_faithful(self) -> None:
        """Spoil nothing from now on, and count from the beginning."""
        self._fault, self.spoilt = None, 0
        self.seen.clear()

    def spoil(self, kind: str, nth: int, fault: Fault, *, for_good: bool = False) -> None:
        """Let a fault loose on the n-th request of a kind, or on all from there."""
        self.be_faithful()
        self._kind, self._nth, self._for_good, self._fault = kind, nth, for_good, fault

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        exchange = Exchange(handler, self._upstream)
        with self._lock:
            self.seen[exchange.kind] += 1
            number = self.seen[exchange.kind]
            hit = number >= self._nth if self._for_good else number == self._nth
            fault = self._fault if exchange.kind == self._kind and hit else None
            self.spoilt += fault is not None
        (fault or Exchange.pass_on)(exchange)


@dataclass(frozen=True)
class Exchange:
    """A request, whose body is still to be read, and the server it is meant for."""

    handler: BaseHTTPRequestHandler
    upstream: str

    @property
    def kind(self) -> str:
        """`PUT`, `GET`, `DELETE` or `LIST`."""
        listing = "list-type=2" in self.handler.path
        return "LIST" if listing else self.handler.command

    def pass_on(self) -> None:
        """Answer as the server does."""
        status, headers, body = self.ask()
        self.send(status, body, headers)

    def ask(self) -> tuple[int, dict[str, str], bytes]:
        """The server's answer."""
        headers = dict(self.handler.headers.items())
        headers.pop("Expect", None)
        connection = http.client.HTTPConnection(self.upstream)
        connection.request(self.handler.command, self.handler.path, self.body(), headers)
        answer = connection.getresponse()
        kept = {n: v for n, v in answer.getheaders() if n.lower() not in NOT_PASSED_ON}
        body = answer.read()
        connection.close()
        return answer.status, kept, body

    def body(self, share: float = 1.0) -> bytes:
        """The body of the request, or the beginning of it."""
        length = int(self.handler.headers.get("Content-Length", 0))
        return self.handler.rfile.read(int(length * share))

    def send(
        self, status: int, body: bytes, headers: dict[str, str], *, share: float = 1.0
    ) -> None:
        """Answer, with all of a body or with its beginning."""
        self.handler.send_response_only(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body[: int(len(body) * share)])

    def hang_up(self) -> None:
        """End the connection."""
        self.handler.close_connection = True


def slow_down(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(503, SLOW_DOWN, {"Content-Type": "application/xml"})


def cut_upload(exchange: Exchange) -> None:
    """The connection breaks before all of the body came, so nothing is stored."""
    exchange.body(share=0.5)
    exchange.hang_up()


def lost_answer(exchange: Exchange) -> None:
    """The server does what it is asked for, and the answer never arrives."""
    exchange.ask()
    exchange.hang_up()


def cut_download(exchange: Exchange) -> None:
    status, headers, body = exchange.ask()
    exchange.send(status, body, headers, share=0.5)
    exchange.hang_up()


def stale_listing(exchange: Exchange) -> None:
    """The listing is that of long ago, when nothing was there."""
    exchange.send(200, NOTHING_LISTED, {"Content-Type": "application/xml"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        with suppress(ConnectionError):  # clients may hang up whenever they like
            self.server.answer(self)

    do_GET = do_PUT = do_DELETE = _handle  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def start_s3_proxy(upstream: str) -> Iterator[S3Proxy]:
    """Run a proxy before an S3 server until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        proxy = S3Proxy(f"http://127.0.0.1:{server.server_port}", upstream)
        server.answer = proxy.answer
        with serving(server, "S3 proxy"):
            yield proxy
