# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server of files that answers ranges, and misbehaves as it is told."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Faults:
    """What goes wrong, and how often something was asked.

    Attributes:
        short: bytes that an answer to a range has at most; None for all.
        delay: seconds before each answer.
        errors: answers that are a 500, from the next one on.
        change_after: answers to ranges after which the file is another.
        change: what makes it another.
        no_ranges: whether ranges are ignored.
    """

    def __init__(self) -> None:
        self.short: int | None = None
        self.delay = 0.0
        self.errors = 0
        self.change_after: int | None = None
        self.change: Any = None
        self.no_ranges = False
        self.seen: Counter[str] = Counter()
        self.sent = 0
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    root: Path
    faults: Faults

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        faults, path = self.faults, self.root / self.path.lstrip("/")
        time.sleep(faults.delay)
        with faults.lock:
            faults.seen[self.command] += 1
            failing, faults.errors = faults.errors > 0, max(faults.errors - 1, 0)
            if with_body and faults.change_after == faults.seen["GET"]:
                faults.change()
        if failing or not path.is_file():
            self._send(500 if failing else 404, b"", {})
            return
        facts, data = path.stat(), b""
        marks = {"ETag": f'"{facts.st_mtime_ns:x}"', "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not with_body:
            self._send(200, b"", marks | {"Content-Length": str(facts.st_size)})
            return
        with path.open("rb") as file:
            if asked is None or faults.no_ranges:
                self._send(200, file.read(), marks)
                return
            start, last = map(int, asked.groups())
            file.seek(start)
            data = file.read(min(last + 1 - start, faults.short or last + 1))
        marks["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{facts.st_size}"
        self._send(206, data, marks)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        with self.faults.lock:
            self.faults.sent += len(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, Faults]]:
    """The URL of a folder, without a slash at its end, and what is to go wrong."""
    faults = Faults()
    handler = type("Handler", (_Handler,), {"root": root, "faults": faults})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
