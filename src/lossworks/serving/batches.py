"""Requests that are gathered: what waits while a call runs is answered together by the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .refusals import SOON, Refused


@dataclass(slots=True, eq=False)
class Asked:
    """A request on its way: ``work`` is what is asked, of ``size`` texts, and ``future`` will be the answer.

    tell: gives the one who asked a part of the answer beforehand, from any thread.
    waiting: until a call begins that answers it. withdrawn: nobody wants the answer any more.
    """

    work: Any
    size: int
    future: asyncio.Future[Any]
    tell: Callable[[Any], None] | None = None
    waiting: bool = True
    withdrawn: bool = False


class Batches:
    """Answers requests in a thread of its own, several by one call where several wait; one that comes alone never waits.

    Args:
        answer: for requests the answer of each, or the error. Never raises.
        most: texts of several requests in one call; a request by itself may have more.
        room: requests that may wait.
        told: gets the size of each batch, in texts.
    """

    def __init__(
        self, answer: Callable[[Sequence[Asked]], Sequence[Any]], *, most: int, room: int, told: Callable[[int], None]
    ) -> None:
        self._answer, self._most, self._room, self._told = answer, most, room, told
        self._waiting: deque[Asked] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._running = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, work: Any, size: int, tell: Callable[[Any], None] | None = None) -> Asked:
        """Have ``work`` answered.

        Raises:
            Refused: too many wait.
        """
        if len(self._waiting) >= self._room:
            raise Refused(
                429,
                f"{self._room} requests wait already. Try again later, or start the server with a longer --queue.",
                headers=SOON,
            )
        loop = asyncio.get_running_loop()
        asked = Asked(work, size, loop.create_future(), tell)
        self._waiting.append(asked)
        if not self._running:
            self._running = True
            loop.call_soon(self._begin)  # with whatever else has come in at this moment
        return asked

    def withdraw(self, asked: Asked) -> None:
        """Nobody waits for this any more; it gives its place away, and ends early if it can."""
        asked.withdrawn = True
        if asked.waiting:
            self._waiting.remove(asked)

    def close(self) -> None:
        """End the thread, once it has answered."""
        self._thread.shutdown(wait=False)

    def _begin(self) -> None:
        batch, size = list[Asked](), 0
        while self._waiting and (not batch or size + self._waiting[0].size <= self._most):
            batch.append(self._waiting.popleft())
            batch[-1].waiting = False
            size += batch[-1].size
        self._running = bool(batch)
        if batch:
            self._told(size)
            self._thread.submit(self._work, batch, asyncio.get_running_loop())

    def _work(self, batch: list[Asked], loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        loop.call_soon_threadsafe(self._end, batch, self._answer(batch))

    def _end(self, batch: list[Asked], answers: Sequence[Any]) -> None:
        self._begin()
        for asked, answer in zip(batch, answers, strict=True):
            if asked.withdrawn or asked.future.done():
                continue
            if isinstance(answer, BaseException):
                asked.future.set_exception(answer)
            else:
                asked.future.set_result(answer)
