"""The positions of a text or a data set: what is true there, and what sources say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from ..data import Corpus, Ragged
from ..inference import TextLanguage
from ..metrics.segments import Segments
from ..models import LanguageModel
from ..tasks import LabelTask
from ..training.token_parts import in_tokens
from .answers import At, Said, hear
from .judging import Units
from .labels import outcomes
from .sources import LabelSource

ROOM = 1 << 28
"""Numbers of whole distributions, of all sources together, that are kept; of more positions some are drawn."""


@dataclass(frozen=True, slots=True)
class Part:
    """Positions: the outcome of each [n], how many outcomes there are, and the texts that they belong to.

    texts: of labelled rows their texts, of a language model's its tokens.
    """

    targets: NDArray[np.int64]
    outcomes: int
    units: Units
    texts: list[str] | Ragged
    bytes: int = 0

    @classmethod
    def of_labels(cls, corpus: Corpus, task: LabelTask) -> Part:
        """Of labelled rows; of sets of labels each label is a position of two outcomes.

        Raises:
            DataError: a label that the task has not.
        """
        target = task.targets(corpus)
        each = 1 if target.ndim == 1 else target.shape[1]
        _, units = np.unique(corpus.keys, return_inverse=True)
        size = np.ones(len(target)) if corpus.weights is None else np.asarray(corpus.weights, np.float64)
        texts = [text for block in corpus.blocks() for text in block]
        found = Units(np.repeat(units, each), np.repeat(size, each))
        return cls(target.astype(np.int64).ravel(), len(task.labels) if each == 1 else 2, found, texts)

    @classmethod
    def of_language(cls, corpus: Corpus, base: TextLanguage, scratch: Path, *, whole: bool) -> Part:
        """Of plain texts; ``whole``: as one text, whose units are segments."""
        encoded = in_tokens(corpus.blocks, base.tokenizer, scratch, "fused", whole=whole)
        counts = Segments.of(corpus.blocks, whole=whole).of_tokens(encoded.texts, base.tokenizer, base.model.ends)
        targets = base.model.targets(encoded.texts)
        unit = np.searchsorted(counts.bounds, np.arange(len(targets)), "right") - 1
        units = Units(np.minimum(unit, len(counts.tokens) - 1), np.ones(len(targets)))
        return cls(targets, base.model.vocabulary.size, units, encoded.texts, int(encoded.bytes.sum()))

    def of_source(self, source: LabelSource | LanguageModel, task: LabelTask | None) -> At:
        """What a source answers at positions."""
        if isinstance(source, LanguageModel):
            assert isinstance(self.texts, Ragged)
            return source.at(self.texts)
        assert task is not None
        assert not isinstance(self.texts, Ragged)
        return outcomes(task, source.logits(self.texts)).__getitem__

    def heard(
        self,
        sources: Iterable[tuple[str, LabelSource | LanguageModel]],
        task: LabelTask | None,
        chosen: NDArray[np.int64],
        *,
        keep: bool,
        tell: Callable[[str], None],
        seed: int = 0,
    ) -> list[Said]:
        """What each source says of the ``chosen`` positions; ``tell`` is told its name before. seed: of permutations."""
        found = []
        for name, source in sources:
            tell(name)
            at = self.of_source(source, task)
            found.append(hear(name, _only(at, chosen), self.targets[chosen], self.outcomes, keep=keep, seed=seed))
        return found

    def drawn(self, sources: int, *, keep: bool, seed: int = 0) -> NDArray[np.int64]:
        """The positions that are looked at: all, or where whole distributions are kept as many as there is room for."""
        count, most = len(self.targets), max(1000, ROOM // (sources * self.outcomes))
        if not keep or count <= most:
            return np.arange(count)
        return np.sort(generator(seed, "positions").permutation(count)[:most])

    def at(self, chosen: NDArray[np.int64]) -> Units:
        """The units of the chosen positions."""
        return Units(self.units.of[chosen], self.units.size[chosen])


def _only(at: At, chosen: NDArray[np.int64]) -> At:
    return lambda positions: at(chosen[positions])
