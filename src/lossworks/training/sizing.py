"""What fits into the time: how large a network, and of how many different tokens; by the steps that this machine makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from ..core.seeds import generator
from ..data import Ragged
from ..data.layouts import Positions
from ..models import build_language, render
from ..models.neural import NeuralSpec
from ..models.rnn import RnnSpec
from ..models.transformer import TransformerSpec
from ..tokens import Vocabulary
from .config import TrainConfig
from .sequences import new_network
from .step_timing import ROUNDS, StepTime, step_time

Sized = TransformerSpec | RnnSpec
_LADDER = ((2, 64, 2), (4, 128, 4), (6, 192, 6), (6, 256, 8), (6, 384, 6), (8, 512, 8), (12, 768, 12))  # layers, dim, heads
_TOKENS_A_WEIGHT = 4.0
"""Tokens seen in training for each weight, at least: docs/LOG.md has what more and fewer gave."""
MOST_PASSES = 40
"""Over the texts, where the time decides: few texts are learned by heart from some 25 on (docs/LOG.md), and repeating them more
than about 40 times was worth nothing to large networks either (Muennighoff et al. 2023, arXiv:2305.16264).
"""
_VOCABULARIES = (8000, 4000, 2000, 1000, 500)
_CHARACTERS_A_TOKEN = 200  # of the training texts, for each token of a vocabulary: one that is rare teaches little
_CHARACTERS_A_SECOND = 20_000  # of the training texts, for each second there is: with more, learning to tokenize takes too much
_BATCH, _WINDOW = 2048, 64  # tokens of a step and of a row that tell how fast the machine is


@dataclass(frozen=True, slots=True)
class Probe:
    """Times steps of networks on the training texts."""

    texts: Ragged
    vocabulary: Vocabulary
    ends: bool
    device: str
    dtype: str

    def step_time(self, spec: NeuralSpec, config: TrainConfig, rounds: int = ROUNDS) -> StepTime:
        """The seconds of a step, on the number of threads that is fastest."""
        where = self.texts, self.vocabulary
        network = new_network(spec, *where, ends=self.ends, seed=0, device=self.device, dtype=self.dtype)
        return step_time(network, self.texts, self.vocabulary, config, ends=self.ends, rounds=rounds)

    def a_product(self, spec: Sized, config: TrainConfig) -> float:
        """The seconds of a multiplication, with all that goes with it."""
        probed = self.step_time(spec, replace(config, optimizer="adamw"), rounds=1)
        return probed.seconds / (config.batch_tokens * _products(spec, self.vocabulary.size, config.window))


def sized(spec: Sized, config: TrainConfig, probe: Probe, seconds: float) -> tuple[Sized, str]:
    """The largest size of the ladder that sees enough tokens a weight in the ``seconds`` and ``MOST_PASSES``, and why."""
    smallest, tried, *larger = (_at(spec, *size) for size in _LADDER)
    size = probe.vocabulary.size
    a_product = probe.a_product(tried, config)
    most = MOST_PASSES * len(Positions.of(probe.texts, probe.vocabulary, probe.ends))

    def seen(at: Sized) -> float:
        return min(seconds / (a_product * _products(at, size, config.window)), most)

    def sees_enough(at: Sized) -> bool:
        return seen(at) >= _TOKENS_A_WEIGHT * at.parameters(size)

    *_, chosen = smallest, *takewhile(sees_enough, (tried, *larger))
    weights, enough = chosen.parameters(size), f"{_TOKENS_A_WEIGHT:g} tokens each or more"
    why = f"the most that see {enough}" if sees_enough(chosen) else f"the fewest there are, though they do not see {enough}"
    return chosen, (
        f"{render(chosen)}: {weights:,} weights, {why} in {max(seconds, 0):.3g} s of steps on this machine and "
        f"{MOST_PASSES} passes (about {max(seen(chosen), 0) / weights:.2g}). Name layers or dim to choose yourself."
    )


def tokens_for(model: str, characters: int, seconds: float, device: str, dtype: str) -> tuple[str, str]:
    """The tokenizer for so many training characters where none is named, and why: of as many different tokens as the smallest
    network of the family has time to learn, for these are most of its weights.
    """
    spec = build_language(model)
    assert isinstance(spec, Sized)
    if not named(model) & {"layers", "dim", "heads"}:
        spec = smallest(spec)
    if isinstance(spec, TransformerSpec):
        spec = replace(spec, context=_WINDOW)
    wanted = [size for size in _VOCABULARIES if size * _CHARACTERS_A_TOKEN <= characters <= seconds * _CHARACTERS_A_SECOND]
    if wanted:
        vocabulary = Vocabulary(wanted[-1])
        ids = generator(0, "a text of chance").integers(3, vocabulary.size, 8 * _BATCH).astype(np.uint16)
        probe = Probe(Ragged(ids, np.array([0, len(ids)])), vocabulary, False, device, dtype)
        a_product = probe.a_product(spec, TrainConfig(batch_tokens=_BATCH, window=_WINDOW))
        for size in wanted:
            if seconds / (a_product * _products(spec, size, _WINDOW)) >= _TOKENS_A_WEIGHT * spec.parameters(size):
                return (
                    f"bpe:size={size}",
                    f"bpe:size={size}, as many tokens as there is time to learn. --tokenizer says otherwise.",
                )
    return "chars", "chars: no more different tokens fit the text and the time. --tokenizer says otherwise."


def smallest(spec: Sized) -> Sized:
    """The family at the smallest size that is chosen where none is said."""
    return _at(spec, *_LADDER[0])


def named(model: str | None) -> set[str]:
    """The keys of the model that were said."""
    return {pair.partition("=")[0].strip() for pair in (model or "").partition(":")[2].split(",")}


def _at(spec: Sized, layers: int, dim: int, heads: int) -> Sized:
    """The family at a size; of a recurrent one two layers, twice as wide."""
    if isinstance(spec, TransformerSpec):
        return replace(spec, layers=layers, dim=dim, heads=heads, kv_heads=None)
    return replace(spec, layers=2, dim=2 * dim)


def _products(spec: Sized, vocabulary: int, window: int) -> float:
    """Multiplications a token, about: one a weight, and those of attention."""
    return spec.parameters(vocabulary) + (spec.layers * spec.dim * window if isinstance(spec, TransformerSpec) else 0)
