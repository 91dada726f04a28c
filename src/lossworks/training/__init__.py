"""Training: settings, the data made ready, and from both, by the engine or in one call, to something trained and judged.

settings, resolving      what a fit is told, and every choice made      fitting      the one way in
applicable, choices      which family it is for, and how it is told     assembling   labelled rows made ready
division, token_parts    texts made ready, in tokens                    sequences    networks over tokens, trained
classifier, refit        networks over features                        lr_search    a rate found by short runs
language, planning       language models                               generative   classes by language models
examples, tokens         what the engine trains on                     arrays       linear models, without PyTorch
judging                  metrics on rows never seen
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .choices import chosen, toml
    from .fitting import Fitted, fit_corpora, is_labelled
    from .sequences import train_sequences
    from .settings import Settings

__all__ = ["Fitted", "Settings", "chosen", "fit_corpora", "is_labelled", "toml", "train_sequences"]

lazy.package(__name__)
