# SPDX-License-Identifier: GPL-3.0-or-later
"""A debuginfod server of one file, that can be slow or send something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

#: Bytes a slow server sends at once, and how long it then waits.
_PIECE, _PAUSE = 1024, 0.05


class Server(NamedTuple):
    """Its URL, and what it was asked for."""

    url: str
    asked: list[str]


@contextmanager
def serving(body: bytes | None, *, slow: bool = False) -> Iterator[Server]:
    """A server that answers whatever is asked with ``body``, or that it has it not."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            step = _PIECE if slow else len(body)
            try:
                for at in range(0, len(body), step):
                    self.wfile.write(body[at : at + step])
                    time.sleep(_PAUSE if slow else 0)
            except OSError:
                return  # gone

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_address[1]}", asked)
        finally:
            server.shutdown()
            thread.join()
