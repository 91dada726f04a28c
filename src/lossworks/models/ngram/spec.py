"""The spec that fits an n-gram model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...core import domains
from ...core.errors import UsageError
from ...data import Ragged
from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageSpec, Watch
from .model import NgramModel
from .smoothing import Additive, smoothing
from .trie import LONGEST


@models.add("ngram", source="Chen & Goodman 1999, Computer Speech & Language 13:359; Heafield et al. 2013, ACL")
@dataclass(frozen=True, kw_only=True)
class NgramSpec(LanguageSpec):
    """Each word's probability given the ``order`` - 1 before it, from counts: exact, explained, and learned in one pass.

    Keys: order; smoothing (kneser_ney, witten_bell, additive); delta, what additive adds to each count; prune, for each order
    the number of times that an n-gram must occur more than, 0/0/1 (the last is for all higher orders); entropy, by how many nats
    a model may change by leaving an n-gram out, 1e-8.
    """

    order: int = 5
    smoothing: str = "kneser_ney"
    delta: float = 0.1
    prune: tuple[int, ...] = ()
    entropy: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.order <= LONGEST:
            raise UsageError(f"order is {self.order}; wanted 1 to {LONGEST}.")
        smoothing(self.smoothing, self.delta)
        Additive(self.delta)
        domains.nonnegative(self, "entropy")

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
        from .estimate import estimate  # not above: it needs Numba, which answers do without

        method = smoothing(self.smoothing, self.delta)
        trie, facts = estimate(
            texts,
            vocabulary,
            order=self.order,
            smoothing=method,
            ends=ends,
            prune=self.prune,
            entropy=self.entropy,
            memory=memory,
            scratch=scratch,
            watch=watch,
        )
        return NgramModel(trie, vocabulary, ends=ends, notes={"smoothing": self.smoothing, "orders": json.dumps(facts)})

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NgramModel:
        return NgramModel.load(folder, vocabulary, ends=ends)
