"""Work shared among threads: each calling thread has a pool of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from lossworks.core import threads as room
from lossworks.core.torch_threads import single_threaded
from lossworks.engine.denormals import flushed

TINY = torch.tensor(1e-39)


def note(part: int, parts: int, seen: list[tuple[threading.Thread, bool]]) -> None:
    """Which thread this is, and whether it flushes denormals."""
    seen.append((threading.current_thread(), float(TINY * 1) == 0))


def test_two_threads_do_not_disturb_one_another(threads: Callable[[int], None]) -> None:
    """While one thread's parts hang, with denormals flushed, another's end, on threads of their own and with denormals kept."""
    threads(3)
    begun, go_on = threading.Barrier(4), threading.Event()

    def hang(part: int, parts: int, seen: list[tuple[threading.Thread, bool]]) -> None:
        note(part, parts, seen)
        begun.wait(60)
        assert go_on.wait(60)

    def flush() -> list[tuple[threading.Thread, bool]]:
        seen: list[tuple[threading.Thread, bool]] = []
        with flushed():
            room.share(hang, 1 << 30, seen)
        return seen

    mine: list[tuple[threading.Thread, bool]] = []
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(flush)
        begun.wait(60)  # all three parts of theirs hang now
        room.share(note, 1 << 30, mine)
        go_on.set()
        theirs.result(60)
        room.share(note, 1 << 30, mine)  # the pool stands, also after theirs was dropped
    assert len(mine) == 6
    assert not any(flushes for _, flushes in mine)
    assert [flushes for _, flushes in theirs.result()] == [True] * 3
    assert not {thread for thread, _ in mine} & {thread for thread, _ in theirs.result()}


def test_a_pool_ends_with_its_thread(threads: Callable[[int], None]) -> None:
    """Threads that shared work and ended leave none of their helpers behind."""
    threads(2)
    before = set(threading.enumerate())
    helpers: list[threading.Thread] = []

    def call() -> None:
        room.share(lambda part, parts: None, 1 << 30)
        helpers.extend(set(threading.enumerate()) - before - {threading.current_thread()})

    caller = threading.Thread(target=call)
    caller.start()
    caller.join()
    assert len(helpers) == 1
    helpers[0].join(60)
    assert not helpers[0].is_alive()


@pytest.mark.parametrize("said", [None, "3"])
def test_limits_that_overlap(said: str | None, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of limits that threads set side by side the least holds; when all have ended, in any order, what was said before."""
    threads(3)
    if said is None:
        monkeypatch.delenv("LOSSWORKS_THREADS")
        room.available.cache_clear()
    before, held = room.available(), []
    first, second = room.at_most(2), room.at_most(1)
    for enter in (first, second):
        enter.__enter__()
        held.append(room.available())
    for end in (first, second):
        end.__exit__(None, None, None)
        held.append(room.available())
    assert held == [min(2, before), 1, 1, before]
    assert os.environ.get("LOSSWORKS_THREADS") == said


@pytest.mark.parametrize("failing", [0, 1])
def test_no_part_goes_on_after_an_error(failing: int, threads: Callable[[int], None]) -> None:
    """An error or interrupt is raised when no other part writes any more to what the caller then lets go of."""
    threads(3)
    begun, ended = threading.Barrier(3), list[int]()

    def work(part: int, parts: int) -> None:
        begun.wait(60)
        if part == failing:
            raise KeyboardInterrupt
        time.sleep(0.1)
        ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        room.share(work, 1 << 30)
    assert sorted(ended) == [part for part in range(3) if part != failing]


def test_single_threaded() -> None:
    """Threads of ours have one of PyTorch's each; whoever began them, and threads that begin later, have as many as before."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with single_threaded(2) as pool:
            assert list(pool.map(lambda _: torch.get_num_threads(), range(8))) == [1] * 8
        with ThreadPoolExecutor(1) as later:
            assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (3, 3)
    finally:
        torch.set_num_threads(before)
