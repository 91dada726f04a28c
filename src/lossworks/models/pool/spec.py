"""The name under which pools are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...tokens import Vocabulary
from ..base import build_language, models
from ..language import LanguageModel, LanguageSpec
from .by_text import TextPoolModel
from .files import read_pool
from .model import PoolModel
from .rule import BY_TEXT, Rule


@models.add("pool", source="Jelinek & Mercer 1980 (linear); Hinton 2002, Neural Computation 14:1771 (log-linear)")
@dataclass(frozen=True, kw_only=True)
class PoolSpec(LanguageSpec):
    """Several trained models as one, by weights found on text that none was trained on; made by ``lossworks fuse``."""

    made_by = "a pool is made of trained models. Fit each, then: lossworks fuse RUN RUN --on VALID --out POOL."

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> PoolModel:
        rule, found = read_pool(folder)
        specs = [(build_language(spec), place) for spec, place in found]
        return pool([(spec, spec.load(place, vocabulary, ends=ends)) for spec, place in specs], rule)


def pool(sources: Sequence[tuple[LanguageSpec, LanguageModel]], rule: Rule) -> PoolModel:
    """Models, each with the spec that loads it, as one by the rule."""
    return (TextPoolModel if rule.kind == BY_TEXT else PoolModel)(sources, rule)
