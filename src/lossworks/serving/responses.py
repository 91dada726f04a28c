"""Answers on their way: whole ones in pieces, so that who reads slowly is waited for, and texts as they are drawn."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..record import encode_json
from .batches import Batches
from .patience import Patience
from .refusals import Refused, as_refused, said
from .verbs import Work

_PIECE = 1 << 16


class Whole(Response):
    """JSON that is written piece by piece, each when there is room for it."""

    def __init__(self, body: bytes) -> None:
        self.status_code, self.body, self.background = 200, body, None
        length = str(len(body)).encode()
        self.raw_headers = [(b"content-length", length), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self.body), _PIECE):
            piece = self.body[start : start + _PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": start + _PIECE < len(self.body)})


class Events(Response):
    """A text as it is drawn, as server-sent events: pieces, then ``answer``, the whole as without ``stream``, or ``error``."""

    media_type = "text/event-stream"

    def __init__(self, batches: Batches, work: Work, patience: Patience) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        loop, self._events = asyncio.get_running_loop(), asyncio.Queue[Any]()
        put = self._events.put_nowait

        def tell(piece: Any) -> None:
            loop.call_soon_threadsafe(put, piece)

        self._asked = batches.put(work, len(work.texts), work.length, tell)
        self._asked.future.add_done_callback(lambda _: put(None))
        self._ends = ExitStack()
        self._ends.callback(batches.withdraw, self._asked)
        self._ends.enter_context(patience.ended(put))

    async def begin(self) -> Events:
        """Itself, once there is a first piece.

        Raises:
            Refused, or any other error: there is none.
        """
        try:
            self._first = await self._events.get()
            if isinstance(self._first, Exception):
                raise self._first
            if self._first is None:
                self._asked.future.result()
        except BaseException:
            self._ends.close()
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._ends:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            event, more = self._first, True
            while more and not isinstance(event, ClientDisconnect):
                more = isinstance(event, dict)
                await send({"type": "http.response.body", "body": self._told(event), "more_body": more})
                event = await self._events.get() if more else None

    def _told(self, event: dict[str, Any] | Refused | None) -> bytes:
        """A piece, or how it ended."""
        if isinstance(event, dict):
            return f"data: {encode_json(event)}\n\n".encode()
        error = event or self._asked.future.exception()
        if error is not None:
            return f"event: error\ndata: {encode_json(said(as_refused(error)))}\n\n".encode()
        whole: bytes = self._asked.future.result()
        return b"event: answer\ndata: " + whole + b"\n\n"
