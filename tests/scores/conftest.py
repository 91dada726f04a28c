"""The same random numbers in every run of a test; chunks and tiles so small that there are several."""

from __future__ import annotations

import pytest
import torch

from lossworks.scores import chunked_head
from scores.layer import CLASSES


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.default_generator.manual_seed(0)  # manual_seed looks at every device, which takes 2 ms


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 8 positions, tiles of 3."""
    monkeypatch.setattr(chunked_head, "_CHUNK", (8, 8))
    monkeypatch.setattr(chunked_head, "_TILE", 3 * CLASSES)
