"""The name under which pools are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageSpec
from .model import PoolModel, load_pool


@models.add("pool", source="Jelinek & Mercer 1980 (linear); Hinton 2002, Neural Computation 14:1771 (log-linear)")
@dataclass(frozen=True, kw_only=True)
class PoolSpec(LanguageSpec):
    """Several trained models as one, by weights found on text that none was trained on; made by ``lossworks fuse``."""

    made_by = "a pool is made of trained models. Fit each, then: lossworks fuse RUN RUN --on VALID --out POOL."

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> PoolModel:
        return load_pool(folder, vocabulary, ends)
