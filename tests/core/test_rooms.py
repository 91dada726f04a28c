"""Kernels whose parts have room of their own are never divided into more parts than there is room for: they check no index."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from lossworks.core import threads as shared
from lossworks.models.ngram import query
from lossworks.models.ngram.model import NgramModel
from lossworks.tokens import ngrams, scripts
from models.ngram.tries import Counted, ragged, vocabulary

TEXTS = ["A few words, and a few more.", "Ещё несколько слов.", ""] * 20
TOKENS = [[3, 4, 5, 3], [4, 4], [5, 3, 4]] * 20
MODEL = NgramModel(Counted(TOKENS, 6, 3, False, False).trie(), vocabulary(6), ends=False)
ASKED: dict[str, tuple[ModuleType, Callable[[], object]]] = {
    "n-grams": (ngrams, lambda: [found.tolist() for found in ngrams.hashed_ngrams(TEXTS, 2, 3, 10)]),
    "n-grams and their places": (ngrams, lambda: ngrams.located_ngrams(TEXTS, 2, 3, 10).spans.tolist()),
    "scripts": (scripts, lambda: scripts.scripts_of(TEXTS)),
    "probabilities": (query, lambda: MODEL.logp(ragged(TOKENS)).tolist()),
}
ROOMY = ("_emit_all", "_count_all", "_descend")


@pytest.mark.parametrize("asked", ASKED)
def test_threads_that_come_between(asked: str, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another thread's ``at_most`` ends after the room was made for one part, the work is still one part."""
    module, ask = ASKED[asked]
    threads(1)
    want, share, divided = ask(), shared.share, list[tuple[str, int]]()

    def late(kernel: Callable[..., None], work: int, *arguments: object, most: int | None = None) -> None:
        def told(part: int, parts: int, *given: object) -> None:
            divided.append((kernel.__name__, parts))
            if part == 0:
                kernel(0, 1, *given)

        threads(3)
        share(told, work, *arguments, most=most)
        threads(1)

    monkeypatch.setattr(module, "share", late)
    assert ask() == want
    room = [parts for name, parts in divided if name in ROOMY and (module is not ngrams or name == "_emit_all")]
    assert room
    assert set(room) == {1}


def test_room_for_fewer(threads: Callable[[int], None]) -> None:
    """``most`` bounds the parts, and what is more than there are threads bounds nothing."""
    threads(3)
    for most, want in ((1, 1), (2, 2), (8, 3), (None, 3)):
        seen = np.zeros(8, int)
        shared.share(lambda part, parts, seen: seen.__setitem__(part, parts), 1, seen, most=most)
        assert seen.tolist() == [want] * want + [0] * (8 - want)
