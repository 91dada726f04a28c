"""How many threads share the work, for tests that it must not matter to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lossworks.core import threads as room


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """``threads(count)``: from here on, work is shared among ``count`` threads."""

    def share_among(count: int) -> None:
        monkeypatch.setenv("LOSSWORKS_THREADS", str(count))
        _forget()
        assert room.available() == count

    yield share_among
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    if room._pool.cache_info().currsize:
        room._pool().shutdown()
    room._pool.cache_clear()
    room.available.cache_clear()
