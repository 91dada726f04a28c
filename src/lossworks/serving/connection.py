"""A connection whose every phase has an end: clients that send or read slowly, or for ever, are cut off."""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ..record import encode_json
from .limits import Limits
from .patience import ASKING, LEFT
from .refusals import Refused, said

_HEAD = 1 << 15  # bytes of a request line and headers, beyond what comes in one piece
_HEADERS = 100
_SKIPPED = 1 << 26  # bytes of a request beyond that, which are read for the sake of its error, and forgotten
_LINGER = 0.5  # seconds in which a last request may come in, and a last answer be taken away


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with limits. A request must be in within ``limits.reading`` seconds of its beginning, and begin within
    as many of the last answer; the answer must be out in ``limits.timeout`` and as many again. What is longer than it may be is
    not read on. A connection too many ends the one that has been idle for longest.
    """

    limits: Limits
    idle: dict[Connection, None]  # those of a server that rest, the longest first
    _timer: TimerHandle | None = None
    _received = 0  # bytes of the request that is being sent
    _in_head = True
    _last = False  # whether no other request may follow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        self._left = self.loop.create_future()
        self._rest()
        if len(self.connections) > self.limits.connections:
            longest = next(iter(self.idle))
            del self.idle[longest]
            self.connections.discard(longest)
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self.idle.pop(self, None)
        self._left.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._received > (_HEAD if self._in_head else _SKIPPED) and not self.transport.is_closing():
            self._end(Refused(431 if self._in_head else 413, "the request is too long. Send less, and fewer headers."))

    def on_message_begin(self) -> None:
        self._in_head, self._received = True, 1
        self.idle.pop(self, None)
        self._wait(self.limits.reading)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > _HEADERS:
            raise ValueError("too many headers")  # which ends as any request that is no HTTP

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.scope["extensions"] = {LEFT: self._left, ASKING: self.tasks}  # type: ignore[dict-item]  # they are none of uvicorn's
        super().on_headers_complete()
        self.cycle.keep_alive = self.cycle.keep_alive and not self._last

    def on_message_complete(self) -> None:
        self._in_head, self._received = True, 0
        self._wait(self.limits.reading + (0 if self.cycle.response_complete else self.limits.timeout))
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._wait(self.limits.timeout + self.limits.reading)
        else:
            self._rest()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Unlike the base class: a request that is on its way is answered, too."""
        if self in self.idle:
            self._last = True
            self._wait(_LINGER)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._end(Refused(400, f"this is no request of HTTP/1.1, or has more than {_HEADERS} headers."))

    def timeout_keep_alive_handler(self) -> None:
        self._cut()

    def _rest(self) -> None:
        """Nothing is asked, or being answered."""
        self.idle[self] = None
        self._wait(self.limits.reading)

    def _wait(self, seconds: float | None) -> None:
        """Cut the connection off after so many seconds, if nothing has come of it by then."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        if self._received:
            self._end(Refused(408, f"the request was not sent within {self.limits.reading:g} s. Send it faster, or less."))
        else:
            self.transport.abort()

    def _end(self, refused: Refused) -> None:
        """Close the connection, with an error if nothing is being answered."""
        if getattr(self.cycle, "response_started", False) and not self.cycle.response_complete:
            self.transport.abort()
            return
        body = encode_json(said(refused)).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[refused.status] + head.encode() + body)
        self.transport.close()
        self.loop.call_later(_LINGER, self.transport.abort)


def limited(limits: Limits) -> type[Connection]:
    """The protocol with these limits."""
    return type("Limited", (Connection,), {"limits": limits, "idle": {}})
