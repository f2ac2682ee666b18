"""The contract of Dify's API behind sockets."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from conversation_analytics_tests.services.dify_contract import DifyContract
from conversation_analytics_tests.services.http_server import serving


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a chunk waits 40 ms for the one before to be acknowledged
    timeout = 60  # seconds an idle connection is kept
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        url = f"http://{self.headers['host']}{self.path}"
        request = httpx.Request(self.command, url, headers=self.headers.items(), content=body)
        try:
            self._send(self.server.contract.answer(request))
        except httpx.RemoteProtocolError:  # the answer is to end before it is over
            self.close_connection = True
        except httpx.ReadError:
            self._reset()

    def _send(self, response: httpx.Response) -> None:
        has_length = "content-length" in response.headers
        self.send_response_only(response.status_code)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not has_length:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in response.iter_raw():
            self.wfile.write(chunk if has_length else b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if not has_length:
            self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Break the connection so that the other side sees it reset."""
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    """Keeps what went wrong in its threads for the one who stops it."""

    daemon_threads = False  # closing waits for them

    def __init__(self, contract: DifyContract) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contract = contract
        self.errors: list[BaseException] = []

    def get_request(self) -> tuple[socket.socket, object]:
        connection = super().get_request()
        self.contract.connections += 1
        return connection

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # a client may hang up at any time
            self.errors.append(error)


@contextmanager
def start_dify(contract: DifyContract) -> Iterator[str]:
    """Serve a contract until the block ends; gives the base URL.

    Raises:
        ExceptionGroup: The server itself failed.
    """
    with _Server(contract) as server, serving(server, "dify"):
        yield f"http://127.0.0.1:{server.server_port}/v1"
    if server.errors:
        raise BaseExceptionGroup("the Dify server failed", server.errors)
