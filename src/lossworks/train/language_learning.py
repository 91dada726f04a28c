"""From token numbers to a model of language: as its family learns, or by gradients where a loss or an optimiser is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import optim
from ..batches import Ragged
from ..models import LanguageModel, build_language
from ..tokens import Vocabulary
from .control import Control
from .language_settings import LanguageSettings
from .sequences import train_sequences

_OPTIMIZER = "adam"


def learn(
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: LanguageSettings,
    control: Control,
    scratch: Path,
    *,
    valid: Ragged | None,
    ends: bool = True,
    seed: int,
) -> LanguageModel:
    """The model that ``settings`` say, learnt from ``texts``; ``valid``, where there is any, chooses when to stop.

    Raises:
        DataError, Diverged: nothing can be learnt, or training went wrong.
    """
    spec = build_language(settings.model)
    chosen = settings.of_gradients()
    if not chosen:
        memory = None if settings.memory is None else int(settings.memory)
        return spec.fit(texts, vocabulary, ends=ends, valid=valid, seed=seed, memory=memory, scratch=scratch, watch=control.watch)
    network = spec.network(texts, vocabulary, ends=ends, seed=seed)
    optimizer: Any = optim.build(chosen.pop("optimizer", _OPTIMIZER))
    if "lr" in chosen:
        optimizer = replace(optimizer, lr=float(chosen.pop("lr")))
    train_sequences(
        network, texts, vocabulary, ends=ends, valid=valid, seed=seed, optimizer=optimizer, watch=control.watch, **chosen
    )
    return network.model()
