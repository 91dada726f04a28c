"""The processes of one training watch each other: what ends one of them ends all, at once and with one message.

Each holds a connection to the first. A process that dies is told by its kernel, which closes the connection; a machine that is
gone, by keep-alives that nobody answers. So nothing must be sent while all goes well, and a busy process is never taken for dead.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..core.errors import LossworksError, PeerLost

_MEET = 60.0  # seconds for all to connect
_ALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))  # a machine that is gone is known in 20 s
_GRACE = 8.0  # seconds for a process to end by itself, once it knows; where it is stuck in a call, it is ended


@dataclass(frozen=True, slots=True)
class Lost:
    """The process that ended, what it said, and the code of all."""

    rank: int
    text: str
    code: int


class Peers:
    """The connections of one process, and what came of the others.

    rank, size: which one of how many this is. share: the first process's text, in every process.
    """

    def __init__(self, rank: int, size: int, share: Callable[[str], str]) -> None:
        self.rank, self.size = rank, size
        self.lost: Lost | None = None
        self._known, self._heard, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._sockets = self._meet(share)
        for other, connection in self._sockets.items():
            threading.Thread(target=self._listen, args=(other, connection), name="lossworks-peers", daemon=True).start()

    def check(self, wait: float = 0.0) -> None:
        """Raise PeerLost where another process has ended; ``wait``: seconds until that may be known."""
        if self._known.wait(wait) if wait else self._known.is_set():
            raise self._error()

    def close(self) -> None:
        """Leave the others, with nothing wrong."""
        self._heard.set()
        for connection in self._sockets.values():
            _send(connection, {})
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What ends the block in this process ends it in all others."""
        try:
            yield
        except BaseException as error:
            self._heard.set()
            if not isinstance(error, PeerLost):
                said = str(error) if isinstance(error, LossworksError) else f"{type(error).__name__}: {error}"
                code = (
                    error.exit_code if isinstance(error, LossworksError) else 130 if isinstance(error, KeyboardInterrupt) else 1
                )
                self._fail(said, code)
            raise

    def _meet(self, share: Callable[[str], str]) -> dict[int, socket.socket]:
        """The connections, by whom they lead to; only who knows the secret may connect."""
        if self.rank:
            port, secret = json.loads(share(""))
            connection = socket.create_connection((os.environ["MASTER_ADDR"], port), _MEET)
            _send(connection, {"rank": self.rank, "secret": secret})
            return {0: _lasting(connection)}
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        found = dict[int, socket.socket]()
        with socket.create_server(("", 0), family=family, dualstack_ipv6=dual, backlog=self.size) as server:
            server.settimeout(_MEET)
            secret = secrets.token_hex(16)
            share(json.dumps([server.getsockname()[1], secret]))
            while len(found) < self.size - 1:
                connection, _ = server.accept()
                connection.settimeout(_MEET)
                hello = _line(connection)
                if secrets.compare_digest(str(hello.get("secret")), secret):
                    found[int(hello["rank"])] = _lasting(connection)
                else:
                    connection.close()
        return found

    def _listen(self, other: int, connection: socket.socket) -> None:
        """What comes from another process until it leaves; one that leaves without a word is lost."""
        left = False
        with suppress(OSError, ValueError), connection.makefile(encoding="utf-8") as lines:
            for line in lines:
                told = json.loads(line)
                left = True
                if told:
                    self._lose(Lost(told["rank"], told["text"], told["code"]))
        if not left:
            self._lose(Lost(other, "", PeerLost.exit_code))

    def _lose(self, lost: Lost) -> None:
        with self._lock:
            if self.lost is not None:
                return
            self.lost = lost
        if self.rank == 0:
            for other, connection in self._sockets.items():
                if other != lost.rank:
                    _send(connection, {"rank": lost.rank, "text": lost.text, "code": lost.code})
        self._known.set()
        if not self._heard.wait(_GRACE):
            error = self._error()
            if error.speaks:
                sys.stderr.write(f"lossworks: {error}\n")
                sys.stderr.flush()
            os._exit(error.exit_code)

    def _error(self) -> PeerLost:
        assert self.lost is not None
        self._heard.set()
        lost = self.lost
        if lost.text:
            return PeerLost(f"process {lost.rank} of {self.size}: {lost.text}", lost.code, speaks=self.rank == 0)
        said = (
            f"process {lost.rank} of {self.size} was killed or cannot be reached any more, so all have ended. "
            "Start them again with --resume; another number of them will do if it divides the number of shards."
        )
        return PeerLost(said, lost.code, speaks=self.rank == (0 if lost.rank else 1))

    def _fail(self, text: str, code: int) -> None:
        """Tell the others that this process ends, and let the first end before it: that one keeps the record, and speaks."""
        for connection in self._sockets.values():
            _send(connection, {"rank": self.rank, "text": text or "it was stopped", "code": code})
        if self.rank:
            with suppress(OSError):
                self._sockets[0].settimeout(2 * _GRACE)
                self._sockets[0].recv(1)


def _lasting(connection: socket.socket) -> socket.socket:
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _send(connection: socket.socket, told: dict[str, Any]) -> None:
    with suppress(OSError):
        connection.sendall(json.dumps(told).encode() + b"\n")


def _line(connection: socket.socket) -> dict[str, Any]:
    """The first line that comes; {} where it makes no sense."""
    found = b""
    with suppress(OSError, ValueError):
        while not found.endswith(b"\n") and (more := connection.recv(1)):
            found += more
        told = json.loads(found)
        return told if isinstance(told, dict) else {}
    return {}
