"""Shapes are checked as the signatures state them; how many threads share the work: ours, and PyTorch's."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import shapes

gc.disable()  # what imports and collection make stays: to look through it again and again is a quarter of their time
shapes.install("lossworks")

from lossworks.core import threads as room  # noqa: E402


def pytest_collection_finish() -> None:
    """From here on garbage is collected, of what the tests make, and less often than in a program of few objects."""
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def own_draws(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test draws does not depend on which ran before it: its module's generators then go back to where they stood."""
    drawing = [each for each in vars(request.module).values() if isinstance(each, np.random.Generator)]
    stood = [each.bit_generator.state for each in drawing]
    yield
    for each, state in zip(drawing, stood, strict=True):
        each.bit_generator.state = state


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """``put(name, content)``: the path of a file that holds just that."""

    def putter(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return putter


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """``threads(count)``: from here on, all work, however little, is shared among ``count`` threads."""

    def share_among(count: int) -> None:
        monkeypatch.setenv("LOSSWORKS_THREADS", str(count))
        monkeypatch.setattr(room, "WORTH_SHARING", -1)
        _forget()
        assert room.available() == count

    yield share_among
    monkeypatch.undo()
    _forget()


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits of few rows train once, for tests of other things than the second training with the validation rows among them."""
    monkeypatch.setattr("lossworks.training.refit.REFIT_AT_MOST", 0)


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Steps as small as these are many times slower when PyTorch shares them among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _forget() -> None:
    room.renew()
    room.available.cache_clear()
