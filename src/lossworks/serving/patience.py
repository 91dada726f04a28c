"""How long an answer is waited for: as long as there is time, and the client is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Scope

from .refusals import Refused

LEFT = "lossworks.left"
"""The extension of a request's scope that is done when the client has left: a future of its connection."""

ASKING = "lossworks.asking"
"""The one that has the requests which the server is answering: a set of their tasks."""


class Patience:
    """Of a request, from now on: ``seconds``, and until its client has left."""

    def __init__(self, scope: Scope, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._left: asyncio.Future[None] = scope["extensions"][LEFT]
        self._seconds, self._until = seconds, self._loop.time() + seconds

    @contextmanager
    def ended(self, tell: Callable[[Exception], object]) -> Iterator[None]:
        """Within it, ``tell`` is told of the end: Refused, or ClientDisconnect."""
        late = f"there was no answer within {self._seconds:g} s. Ask for less, or start the server with a longer --timeout."
        timer = self._loop.call_at(self._until, lambda: tell(Refused(504, late)))

        def left(_: asyncio.Future[None]) -> None:
            tell(ClientDisconnect())

        self._left.add_done_callback(left)
        try:
            yield
        finally:
            timer.cancel()
            self._left.remove_done_callback(left)
