"""The live page of a run, served to this machine only."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SHUT_RDWR, socket
from socketserver import ThreadingTCPServer
from threading import BoundedSemaphore, Timer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from ..core.loopback import HOST, no_port, wrong_asker
from .frame import rendered
from .live import Live

_IDLE = 10  # seconds without a byte after which a connection is closed
_LONGEST = 60  # seconds that a connection may last, however slowly bytes come and go
_AT_ONCE = 16  # connections; a browser opens six
_PIECE = 1 << 16


class Server(ThreadingTCPServer):
    """Serves one run at ``address`` on the loopback interface, from ``serve_forever`` until ``shutdown``; a context manager.

    Raises:
        RecordError: there is no run.
        UsageError: the port is in use or not permitted.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: Path | str, port: int = 0) -> None:
        self.live, self._free = Live(path), BoundedSemaphore(_AT_ONCE)
        self.page = rendered("live.html", {"name": self.live.name, "facts": [], "figures": {}}).encode()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise no_port(port, error) from None

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, for so long and no longer; one connection too many is closed, and the browser asks again."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As in the base class, which closes the connection."""
        end = Timer(_LONGEST, _cut, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends partway through a response, by the browser or by ``_cut``, is not an error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _cut(request: socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _IDLE

    def do_GET(self) -> None:
        if wrong_asker(self.headers.get("Host", ""), self.headers.get("Origin")):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"This page is for this machine only.\n")
            return
        try:
            url, live = urlsplit(self.path), self.server.live
        except ValueError:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", b"This is no address.\n")
            return
        if url.path == "/state.json":
            state = live.state(*parse_qs(url.query).get("seen", [])[:1])
            if state is None:
                self._answer(HTTPStatus.NO_CONTENT, "application/json", b"")
            else:
                self._answer(HTTPStatus.OK, "application/json", json.dumps(state, allow_nan=False).encode())
        elif url.path == "/":
            self._answer(HTTPStatus.OK, "text/html", (live.report() if live.is_finished else None) or self.server.page)
        elif url.path == "/report.html" and (report := live.report()) is not None:
            self._answer(HTTPStatus.OK, "text/html", report)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes | BinaryIO) -> None:
        with io.BytesIO(body) if isinstance(body, bytes) else body as file:
            self._send(status, kind, file)

    def _send(self, status: HTTPStatus, kind: str, file: BinaryIO) -> None:
        """The answer, piece by piece: who reads slowly, or never, costs no copy of it."""
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(length), "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        shutil.copyfileobj(file, self.wfile, _PIECE)

    def log_message(self, *args: Any) -> None:
        """Log nothing: the only client is the user."""


def serve(server: Server) -> None:
    """Serve until Ctrl-C."""
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
