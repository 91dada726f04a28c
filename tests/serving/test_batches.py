"""Where requests are answered: in a thread, or by the event loop itself where that takes little."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from lossworks.serving import batches as module
from lossworks.serving.batches import Asked, Batches


def answered(works: Sequence[tuple[float, int]], foreseen: bool = True, texts: Sequence[int] = ()) -> list[bool]:
    """Whether the event loop itself answered each of some requests that come one after another, of seconds and characters;
    ``texts``: how many of each, if not one.
    """
    found, clock = [], [0.0]

    def answer(batch: Sequence[Asked]) -> list[Any]:
        found.append(threading.current_thread() is threading.main_thread())
        clock[0] += sum(asked.work for asked in batch)
        return [None] * len(batch)

    async def ask() -> None:
        batches = Batches(answer, most=8, foreseen=foreseen, room=8, told=lambda size: None)
        for (seconds, length), size in zip(works, texts or [1] * len(works), strict=True):
            await batches.put(seconds, size, length).future
        batches.close()

    with patch.object(module, "time", SimpleNamespace(perf_counter=lambda: clock[0])):
        asyncio.run(ask())
    return found


def test_what_takes_little_is_answered_at_once() -> None:
    """From the second request on: of the first it is not known; a long text is not expected to be brief."""
    assert answered([(1e-4, 10), (1e-4, 10), (1e-4, 10**9), (1e-4, 10)]) == [False, True, False, True]


def test_many_texts_are_not_brief() -> None:
    """However short they are, empty even; and that each took little does not let one that is long pass for brief."""
    assert answered([(1e-4, 10), (1e-4, 10), (0.1, 0), (0.1, 10**5)], texts=[1, 1, 1000, 1]) == [False, True, False, False]


def test_what_took_long_leaves_the_event_loop_alone() -> None:
    """One that was not brief is the last; what is never brief is never tried."""
    assert answered([(1e-4, 10), (0.2, 10), (1e-4, 10), (1e-4, 10)]) == [False, True, False, False]
    assert answered([(0.2, 10)] * 3) == [False] * 3


def test_what_cannot_be_foreseen_is_never_answered_at_once() -> None:
    """How long drawing takes is no matter of the prompt's length."""
    assert answered([(1e-4, 10)] * 3, foreseen=False) == [False] * 3


def test_the_only_request_is_answered_when_it_is_put() -> None:
    """Where it takes little and nothing runs; the first, of which that is not known, and what takes long go the thread's way."""

    async def ask() -> list[bool]:
        batches = Batches(lambda batch: [None] * len(batch), most=8, foreseen=True, room=8, told=lambda size: None)
        done = []
        for length, only in ((10, True), (10, True), (10, False), (10**12, True), (10, True)):
            asked = batches.put(None, 1, length, only=only)
            done.append(asked.future.done())
            await asked.future
        batches.put(None, 1, 10**12)
        await asyncio.sleep(0)  # the thread has it
        beside = batches.put(None, 1, 10, only=True)
        done.append(beside.future.done())
        await beside.future
        batches.close()
        return done

    clock = itertools.count(0, 1e-6)
    with patch.object(module, "time", SimpleNamespace(perf_counter=lambda: next(clock))):
        assert asyncio.run(ask()) == [False, True, False, False, True, False]


def test_what_comes_at_once_is_answered_together() -> None:
    """In the thread, for whose waking they wait together; what is more than one call's is answered by the next."""
    sizes, alone = list[int](), list[bool]()

    def answer(batch: Sequence[Asked]) -> list[Any]:
        sizes.append(len(batch))
        alone.append(threading.current_thread() is threading.main_thread())
        return [asked.work for asked in batch]

    async def ask() -> None:
        batches = Batches(answer, most=8, foreseen=True, room=20, told=lambda size: None)
        await batches.put(0, 1, 10).future
        asked = [batches.put(number, 1, 10) for number in range(20)]
        assert await asyncio.gather(*(each.future for each in asked)) == [*range(20)]
        assert await batches.put(20, 1, 10).future == 20
        batches.close()

    with patch.object(module, "time", SimpleNamespace(perf_counter=lambda: 0.0)):
        asyncio.run(ask())
    assert (sizes, alone) == ([1, 8, 8, 4, 1], [False, False, False, False, True])
