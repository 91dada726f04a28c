"""The n-gram model as it is used, and the spec that fits one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...batches import Ragged
from ...core import threads
from ...core.errors import UsageError
from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageModel, LanguageSpec, Watch
from . import file, query
from .estimate import LONGEST, estimate
from .smoothing import METHODS, Additive, smoothing
from .trie import Trie

_BLOCK = 1 << 14  # positions looked up together: their numbers stay in the processor's cache


@dataclass(slots=True)
class NgramModel(LanguageModel):
    """Conditional probabilities of words given up to ``order`` - 1 before them."""

    trie: Trie
    vocabulary: Vocabulary
    ends: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    _first: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._first = query.first(self.trie)

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        marked, is_position = self._marked(texts)
        p = np.empty(len(marked))
        threads.share(self._look_up, len(marked) * self.trie.order, marked, p)
        with np.errstate(divide="ignore"):
            return np.log(p[is_position])

    def _look_up(self, part: int, parts: int, marked: NDArray[Any], p: NDArray[np.float64]) -> None:
        """Probabilities of one part of the places, each given what stands before it back to its text's start."""
        size, before = len(marked), self.trie.order - 1
        stop = size * (part + 1) // parts
        for low in range(size * part // parts, stop, _BLOCK):
            high = min(low + _BLOCK, stop)
            begin = max(low - before, 0)
            p[low:high] = self._block(marked[begin:high])[0][low - begin :]

    def _block(self, words: NDArray[Any]) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
        """Probabilities of ``words`` one after another, and by k the k-grams that end at each."""
        ids = words.astype(np.int64)
        p = self._first[ids]
        nodes = [np.zeros(len(ids), np.int64), ids]
        for k in range(2, self.trie.order + 1):
            contexts = np.concatenate(([query.NOWHERE], nodes[k - 1][:-1]))
            contexts[ids == self.vocabulary.start] = query.NOWHERE  # nothing is remembered of the text before
            found = query.children(self.trie.levels[k], self.trie.levels[k - 1], contexts, ids)
            query.add(self.trie, k, contexts, found, p)
            nodes.append(found)
        return p, nodes

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        marked, is_position = self._marked(texts)
        nodes = np.stack(self._block(marked)[1][: self.trie.order], 1)
        wanted = np.flatnonzero(is_position)
        p = np.repeat(self._first[None], len(wanted), 0)
        for row, place in enumerate(wanted):
            query.distribution(self.trie, nodes[place - 1], p[row])
        with np.errstate(divide="ignore"):
            return np.log(p)

    def start(self) -> NDArray[np.int64]:
        return self.advance(np.array([0, *[query.NOWHERE] * (self.trie.order - 1)]), self.vocabulary.start)

    def advance(self, state: NDArray[np.int64], token: int) -> NDArray[np.int64]:
        after = np.full_like(state, query.NOWHERE)
        after[0] = 0
        after[1:2] = token
        for k in range(2, len(state)):
            after[k] = query.children(self.trie.levels[k], self.trie.levels[k - 1], state[k - 1 : k], np.array([token]))[0]
        return after

    def next(self, state: NDArray[np.int64]) -> NDArray[np.float64]:
        p = self._first.copy()
        query.distribution(self.trie, state, p)
        with np.errstate(divide="ignore"):
            return np.log(p)

    def save(self, folder: Path) -> None:
        file.write(folder, self.trie, self.facts)

    def _marked(self, texts: Ragged) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The texts one after another with their marks, and which places are positions."""
        ids = np.asarray(texts.ids[texts.offsets[0] : texts.offsets[-1]])
        marked = np.insert(self.targets(texts), self._starts(texts), self.vocabulary.start)
        if len(ids) and int(ids.max()) >= self.vocabulary.size:
            raise UsageError(
                f"got token {ids.max()}, and the vocabulary has {self.vocabulary.size}. Encode with the model's own tokenizer."
            )
        return marked, marked != self.vocabulary.start

    def _starts(self, texts: Ragged) -> NDArray[np.int64]:
        starts: NDArray[np.int64] = texts.offsets[:-1] - texts.offsets[0] + (np.arange(len(texts)) if self.ends else 0)
        return starts


@models.add("ngram", source="Chen & Goodman 1999, Computer Speech & Language 13:359; Heafield et al. 2013, ACL")
@dataclass(frozen=True, kw_only=True)
class NgramSpec(LanguageSpec):
    """Each word's probability given the ``order`` - 1 before it, from counts: exact, explained, and learnt in one pass.

    Keys: order; smoothing (kneser_ney, witten_bell, additive); delta, what additive adds to each count; prune, for each order
    the number of times that an n-gram must occur more than, 0/0/1; the last is for all higher orders.
    """

    order: int = 5
    smoothing: str = "kneser_ney"
    delta: float = 0.1
    prune: tuple[int, ...] = ()
    tokens: ClassVar[str] = "words"

    def __post_init__(self) -> None:
        if not 1 <= self.order <= LONGEST:
            raise UsageError(f"order is {self.order}; wanted 1 to {LONGEST}.")
        smoothing(self.smoothing, self.delta)
        Additive(self.delta)

    def fit(
        self,
        texts: Ragged,
        vocabulary: Vocabulary,
        *,
        ends: bool = True,
        valid: Ragged | None = None,
        seed: int = 0,
        memory: int | None = None,
        scratch: Path | None = None,
        watch: Watch = lambda event, fields: None,
    ) -> NgramModel:
        method = smoothing(self.smoothing, self.delta)
        trie, facts = estimate(
            texts,
            vocabulary,
            order=self.order,
            smoothing=method,
            ends=ends,
            prune=self.prune,
            memory=memory,
            scratch=scratch,
            watch=watch,
        )
        return NgramModel(trie, vocabulary, ends, {"smoothing": self.smoothing, **facts})

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NgramModel:
        trie, facts = file.read(folder, vocabulary)
        return NgramModel(trie, vocabulary, ends, facts)


__all__ = ["METHODS", "NgramModel", "NgramSpec"]
