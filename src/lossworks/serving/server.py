"""The server: an address on which runs are served, until a signal; what has begun is then finished."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Collection
from ipaddress import ip_address
from types import FrameType

import uvicorn

from ..core.errors import UsageError
from ..core.loopback import HOST, no_port
from .application import application
from .connection import limited
from .runs import Runs

_OTHER_FILES = 64  # that a process has open beside its connections


class Server(uvicorn.Server):
    """Serves ``runs`` at ``address`` from ``run()`` until SIGTERM or SIGINT; a second signal ends it at once.

    Args:
        runs: what is served; ``run`` begins to load them, and ends if that fails: ``runs.failed`` says why.
        host: the address or name listened on. port: 0 for a free one.
        names: further host names that it may be asked by.
        token: what requests must bear.

    Raises:
        UsageError: it cannot listen there; or others could ask it without a token.
    """

    def __init__(
        self, runs: Runs, host: str = HOST, port: int = 0, names: Collection[str] = (), token: str | None = None
    ) -> None:
        self.runs, self.socket = runs, _listening(host, port)
        if token is None and not ip_address(self.socket.getsockname()[0]).is_loopback:
            self.socket.close()
            raise UsageError(
                f"--host {host} is open to others, and nothing keeps them out. Give a token, by --token-file or in "
                f"LOSSWORKS_TOKEN; or listen on {HOST} behind a server that asks for a password."
            )
        limits = runs.limits
        _allow_files(limits.connections + _OTHER_FILES)
        app = application(runs, names={host, *names}, token=token, failed=self._stop)
        super().__init__(
            uvicorn.Config(
                app,
                http=limited(limits),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=int(limits.reading) + 1,
                timeout_graceful_shutdown=int(limits.timeout + 2 * limits.reading) + 1,
            )
        )

    @property
    def address(self) -> str:
        """The URL of the server."""
        host, port, *_ = self.socket.getsockname()
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal."""
        super().run(sockets or [self.socket])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Unlike the base class: the signal is not raised again at the end, which is a good one."""
        if self.should_exit:
            os._exit(130)  # threads that answer know no other end
        self.should_exit = True

    def _stop(self) -> None:
        self.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host} is no address ({getattr(error, 'strerror', None) or error}).") from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(1024)
    except OSError as error:
        made.close()
        raise no_port(port, error, "say --port 0") from None
    return made


def _allow_files(wanted: int) -> None:
    """Let the process have so many files open, or as many as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
