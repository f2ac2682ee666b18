"""A real server that takes posts, as fast and as willingly as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "hush-hush"


@dataclass
class Hook:
    """A webhook's server.

    Attributes:
        answers: statuses to answer with, the last one for ever.
        posted: bodies that came.
        url: its address.
        slow: seconds before it answers.
    """

    answers: list[int] = field(default_factory=lambda: [200])
    posted: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    slow: float = 0.0


@contextmanager
def hook(*answers: int, slow: float = 0.0) -> Iterator[Hook]:
    """A real server that answers posts."""
    taken = Hook(list(answers), slow=slow)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.posted.append(json.loads(body))
            status = taken.answers.pop(0) if len(taken.answers) > 1 else taken.answers[0]
            time.sleep(taken.slow)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        taken.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
