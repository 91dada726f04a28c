"""Requests that are gathered: what waits while a call runs is answered together by the next one.

Calls run in a thread, so that the event loop goes on meanwhile. To wake it, and to be woken by it, takes as long as a linear
model takes for a text, or longer on a busy machine: a request that comes alone, and is expected to take little, is answered by
the event loop itself, and at once where it is the only one that is on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .refusals import SOON, Refused

_BRIEF = 0.001  # seconds that the event loop may be held up for
_ALWAYS = 1000  # characters that take as long as what each call does in any case
_EACH = 100  # and as what it does for each text, an empty one too


@dataclass(slots=True, eq=False)
class Asked:
    """A request on its way: ``work`` is what is asked, of ``size`` texts of ``length`` characters, ``future`` will be the answer.

    tell: gives the one who asked a part of the answer beforehand, from any thread.
    waiting: until a call begins that answers it. withdrawn: nobody wants the answer any more.
    """

    work: Any
    size: int
    length: int
    future: asyncio.Future[Any]
    tell: Callable[[Any], None] | None = None
    waiting: bool = True
    withdrawn: bool = False


class Batches:
    """Answers requests, several by one call where several wait; one that comes alone never waits.

    Args:
        answer: for requests the answer of each, or the error. Never raises.
        most: texts of several requests in one call; a request by itself may have more.
        foreseen: whether the time of a call is a matter of its texts' number and length, so that what takes little may be told.
        room: requests that may wait.
        told: gets the size of each batch, in texts.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Sequence[Any]],
        *,
        most: int,
        foreseen: bool,
        room: int,
        told: Callable[[int], None],
    ) -> None:
        self._answer, self._most, self._foreseen, self._room, self._told = answer, most, foreseen, room, told
        self._waiting: deque[Asked] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._running = False
        self._pace = float("inf")  # seconds a character that a call has taken, of late

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, work: Any, size: int, length: int, tell: Callable[[Any], None] | None = None, *, only: bool = False) -> Asked:
        """Have ``work`` answered: ``size`` texts of ``length`` characters in all. ``only``: no other request is on its way.

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
        asked = Asked(work, size, length, loop.create_future(), tell)
        self._waiting.append(asked)
        if not self._running and only and self._is_brief([asked]):
            self._begin()
        elif not self._running:
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
        if not batch:
            return
        self._told(size)
        loop = asyncio.get_running_loop()
        if not self._is_brief(batch):
            self._thread.submit(self._work, batch, loop)
            return
        _settle(batch, self._timed(batch))
        self._running = bool(self._waiting)
        if self._running:
            loop.call_soon(self._begin)  # and with what comes in before that

    def _is_brief(self, batch: list[Asked]) -> bool:
        """Whether the event loop answers it itself."""
        return self._foreseen and len(batch) == 1 and self._pace * _cost(batch) <= _BRIEF

    def _work(self, batch: list[Asked], loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        loop.call_soon_threadsafe(self._end, batch, self._timed(batch))

    def _timed(self, batch: list[Asked]) -> Sequence[Any]:
        began = time.perf_counter()
        answers = self._answer(batch)
        pace = (time.perf_counter() - began) / _cost(batch)
        self._pace = pace if pace > self._pace or self._pace == float("inf") else (self._pace + pace) / 2
        return answers

    def _end(self, batch: list[Asked], answers: Sequence[Any]) -> None:
        self._begin()
        _settle(batch, answers)


def _cost(batch: list[Asked]) -> int:
    return _ALWAYS + sum(asked.length + _EACH * asked.size for asked in batch)


def _settle(batch: list[Asked], answers: Sequence[Any]) -> None:
    for asked, answer in zip(batch, answers, strict=True):
        if asked.withdrawn or asked.future.done():
            continue
        if isinstance(answer, BaseException):
            asked.future.set_exception(answer)
        else:
            asked.future.set_result(answer)
