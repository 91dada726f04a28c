"""The live page of a run, served to this machine only."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..core.errors import UsageError
from .frame import rendered
from .live import Live

HOST = "127.0.0.1"
NAMES = {HOST, "localhost", "[::1]"}
"""The host names of this machine. A web page whose own name resolves to it (DNS rebinding) sends that name instead."""
_IDLE = 30  # seconds after which a silent connection is closed


class Server(ThreadingTCPServer):
    """Serves one run at ``address`` on the loopback interface, from ``serve_forever`` until ``shutdown``; a context manager.

    Raises:
        RecordError: there is no run.
        UsageError: the port is in use or not permitted.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: Path | str, port: int = 0) -> None:
        self.live = Live(path)
        self.page = rendered("live.html", {"name": self.live.name, "facts": [], "figures": {}}).encode()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise UsageError(f"port {port} {reason}. Choose another --port, or leave it out to use a free one.") from None

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that disconnects partway through a response is not an error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _IDLE

    def do_GET(self) -> None:
        if self._host() not in NAMES:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"This page is for this machine only.\n")
            return
        url, live = urlsplit(self.path), self.server.live
        if url.path == "/state.json":
            state = live.state(*parse_qs(url.query).get("seen", [])[:1])
            if state is None:
                self._answer(HTTPStatus.NO_CONTENT, "application/json", b"")
            else:
                self._answer(HTTPStatus.OK, "application/json", json.dumps(state, allow_nan=False).encode())
        elif url.path == "/":
            self._answer(HTTPStatus.OK, "text/html", (live.report if live.is_finished else None) or self.server.page)
        elif url.path == "/report.html" and (report := live.report) is not None:
            self._answer(HTTPStatus.OK, "text/html", report)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n")

    def _host(self) -> str:
        """The requested host name, without the port, which a tunnel may have changed."""
        name = self.headers.get("Host", "").lower()
        return name[: name.index("]") + 1] if name.startswith("[") and "]" in name else name.partition(":")[0]

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Log nothing: the only client is the user."""


def serve(server: Server) -> None:
    """Serve until Ctrl-C."""
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
