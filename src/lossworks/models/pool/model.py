"""Language models over the same tokens, pooled: a language model itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...data import Ragged
from ..base import render
from ..language import LanguageModel, LanguageSpec, parts
from .files import write_pool
from .rule import Rule


class PoolModel(LanguageModel):
    """Sources, each with the spec that can load it, and the rule that makes them one."""

    def __init__(self, sources: Sequence[tuple[LanguageSpec, LanguageModel]], rule: Rule) -> None:
        self.specs, self.sources = [spec for spec, _ in sources], [model for _, model in sources]
        self.rule, self.vocabulary, self.ends = rule, self.sources[0].vocabulary, self.sources[0].ends

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        if self.rule.kind == "linear" and self.rule.slopes is None:
            return self.rule.of_targets(np.stack([source.logp(texts) for source in self.sources]), self.vocabulary.size)
        return self.logp_from_distributions(texts, self._numbers)

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        every = parts(len(self.targets(texts)), self._numbers)
        return np.concatenate([np.empty((0, self.vocabulary.size)), *map(self.at(texts), every)])

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        each = [source.at(texts) for source in self.sources]
        return lambda positions: self.rule.combine(np.stack([answers(positions) for answers in each]))

    def start(self) -> tuple[Any, ...]:
        return tuple(source.start() for source in self.sources)

    def advance(self, state: tuple[Any, ...], token: int) -> tuple[Any, ...]:
        return tuple(source.advance(each, token) for source, each in zip(self.sources, state, strict=True))

    def next(self, state: tuple[Any, ...]) -> NDArray[np.float64]:
        answers = [source.next(each) for source, each in zip(self.sources, state, strict=True)]
        return np.asarray(self.rule.combine(np.stack(answers)[:, None])[0])

    def sliding(self, stride: int) -> LanguageModel:
        moved = [source if source.context is None else source.sliding(stride) for source in self.sources]
        if self.context is None:
            raise UsageError("none of its sources has a context that could slide over a text. Leave --stride out.")
        return type(self)(list(zip(self.specs, moved, strict=True)), self.rule)

    @property
    def context(self) -> int | None:
        """The shortest of its sources'."""
        return min((source.context for source in self.sources if source.context is not None), default=None)

    def to(self, device: str) -> Self:
        for source in self.sources:
            source.to(device)
        return self

    @property
    def _numbers(self) -> int:
        """In memory for each position."""
        return len(self.sources) * self.vocabulary.size

    def save(self, folder: Path) -> None:
        write_pool(folder, self.rule, [(render(spec), each) for spec, each in zip(self.specs, self.sources, strict=True)])

    @property
    def facts(self) -> dict[str, Any]:
        return {"pool": self.rule.kind, "weights": self.rule.weights.tolist(), "sources": [render(spec) for spec in self.specs]}
