"""A connection whose every phase has an end: clients that send or read slowly, or for ever, are cut off."""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ..record import encode_json
from .limits import Limits
from .patience import LEFT
from .refusals import Refused, said

_HEAD = 1 << 15  # bytes of a request line and headers, beyond what comes in one piece
_HEADERS = 100
_LINGER = 1.0  # seconds in which a last answer may be taken away


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with limits. A request must be in within ``limits.reading`` seconds of its beginning, and begin within
    as many of the last answer; the answer must be out in ``limits.timeout`` and as many again. What is longer than it may be is
    not read on.
    """

    limits: Limits
    _timer: TimerHandle | None = None
    _received = 0  # bytes of the request that is being sent
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        self._left = self.loop.create_future()
        if len(self.connections) > self.limits.connections:
            transport.abort()
        else:
            self._wait(self.limits.reading)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self._left.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._received > _HEAD + (0 if self._in_head else 2 * self.limits.body) and not self.transport.is_closing():
            self._end(Refused(431 if self._in_head else 413, "the request is too long. Send less, and fewer headers."))

    def on_message_begin(self) -> None:
        self._in_head, self._received = True, 1
        self._wait(self.limits.reading)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > _HEADERS:
            raise ValueError("too many headers")  # which ends as any request that is no HTTP

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.scope["extensions"] = {LEFT: self._left}  # type: ignore[dict-item]  # it is none of uvicorn's
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._received = True, 0
        self._wait(self.limits.timeout + self.limits.reading)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._wait(self.limits.reading + (self.limits.timeout if self.pipeline else 0))
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._end(Refused(400, f"this is no HTTP/1.1 request of {_HEADERS} headers at most."))

    def timeout_keep_alive_handler(self) -> None:
        self._cut()

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
        if self.cycle and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
            return
        body = encode_json(said(refused)).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[refused.status] + head.encode() + body)
        self.transport.close()
        self.loop.call_later(_LINGER, self.transport.abort)


def limited(limits: Limits) -> type[Connection]:
    """The protocol with these limits."""
    return type("Limited", (Connection,), {"limits": limits})
