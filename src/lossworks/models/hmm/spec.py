"""The hyperparameters of hidden Markov models, and their training by EM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core import domains
from ...core.errors import DataError, RecordError, UsageError
from ...core.seeds import derive
from ...data import Ragged
from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageSpec, Watch
from .blocks import blocks_of_tokens
from .chain import Chain, random_chain
from .em import BaumWelch, Trained
from .expectation import sizes
from .model import HmmModel, load_model
from .network import HmmNetwork
from .packing import pack

_TRANSITIONS = ("dense", "low_rank", "blocked")
_COARSE = 20  # iterations of the small chain that sorts tokens into blocks


@models.add("hmm", source="Baum et al. 1970, Ann. Math. Statist. 41(1); Rabiner 1989, Proc. IEEE 77(2)")
@dataclass(frozen=True, kw_only=True)
class HmmSpec(LanguageSpec):
    """A hidden Markov model: ``states`` that follow one another and emit one token each. Trained by EM (Baum–Welch).

    Keys: states; transitions, dense, low_rank (with rank; for thousands of states) or blocked (with blocks; each token is
    emitted by one block of states); iterations, at most; tolerance, in nats a token; patience, iterations without a better
    held-out score; prior, pseudo-count of each start, transition and emission; restarts, of which the best by held-out
    likelihood is taken; dtype, float64 or float32; device.
    """

    states: int = 64
    transitions: str = "dense"
    rank: int = 64
    blocks: int = 16
    iterations: int = 100
    tolerance: float = 1e-4
    patience: int = 3
    prior: float = 0.01
    restarts: int = 1
    dtype: str = "float64"
    device: str = "cpu"

    def __post_init__(self) -> None:
        domains.count(self, "states", "rank", "blocks", "iterations", "patience", "restarts")
        domains.nonnegative(self, "tolerance", "prior")
        if self.transitions not in _TRANSITIONS:
            raise UsageError(f"transitions is {self.transitions!r}; wanted {', '.join(_TRANSITIONS)}.")
        if self.transitions == "blocked" and self.states % self.blocks:
            raise UsageError(f"got {self.states} states in {self.blocks} blocks; wanted a multiple.")
        if self.dtype not in ("float64", "float32"):
            raise UsageError(f"dtype is {self.dtype!r}; wanted float64 or float32.")
        if self.transitions == "blocked" and self.device != "cpu":
            raise UsageError("blocked transitions run on the CPU. Leave device out, or choose low_rank.")

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
    ) -> HmmModel:
        """As ``LanguageSpec.fit``; tells ``watch`` of each "iteration" and "restart"."""
        best: Trained | None = None
        chains = [self.first(texts, vocabulary, ends=ends, seed=derive(seed, "restart", n)) for n in range(self.restarts)]
        width, rows = sizes(chains[0], memory)
        end = vocabulary.end if ends else None
        batches = list(pack(texts, vocabulary.size, end, width, rows, self.device))
        held_out = None if valid is None else list(pack(valid, vocabulary.size, end, width, rows, self.device))
        em = BaumWelch(iterations=self.iterations, tolerance=self.tolerance, prior=self.prior, patience=self.patience, rows=rows)
        for number, chain in enumerate(chains, 1):
            which = {"restart": number, "restarts": self.restarts}

            def tell(fields: dict[str, Any], which: dict[str, int] = which) -> None:
                watch("iteration", which | fields)

            found = em.run(chain, batches, held_out or None, tell)
            watch("restart", which | {"score": found.score, "nll": found.nll[-1], "iterations": len(found.nll)})
            best = found if best is None or found.score < best.score else best
        assert best is not None
        return HmmModel(best.chain, vocabulary, ends=ends)

    def first(self, texts: Ragged, vocabulary: Vocabulary, *, ends: bool = True, seed: int = 0) -> Chain:
        """The chain that EM starts from: random, around how often each token occurs.

        Raises:
            DataError: there is nothing to learn from, or a token is none of the vocabulary.
            UsageError: there are more blocks than tokens.
        """
        counts = _counts(texts, vocabulary, ends)
        rank = self.rank if self.transitions == "low_rank" else None
        blocks = self.blocks if self.transitions == "blocked" else 1
        block = None
        if blocks > 1:
            small = replace(self, states=blocks, transitions="dense", restarts=1, iterations=_COARSE)
            block = blocks_of_tokens(small.fit(texts, vocabulary, ends=ends, seed=seed).chain, counts)
        chain = random_chain(counts, self.states, seed, rank=rank, blocks=blocks, block=block)
        return chain.to(self.device, getattr(torch, self.dtype))

    def sequence_network(self, texts: Ragged, vocabulary: Vocabulary, *, ends: bool = True, seed: int = 0) -> HmmNetwork:
        """A network of this shape to train by gradients; it begins as EM does."""
        chain = self.first(texts, vocabulary, ends=ends, seed=derive(seed, "restart", 0))
        return HmmNetwork(chain, vocabulary, ends=ends)

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> HmmModel:
        model = load_model(folder, vocabulary, ends=ends)
        if model.chain.states != self.states:
            raise RecordError(f"{folder} holds a model of {model.chain.states} states, not of {self.states}. Fit again.")
        model.chain = model.chain.to(self.device)
        return model


def _counts(texts: Ragged, vocabulary: Vocabulary, ends: bool) -> NDArray[np.int64]:
    """How often each token is to be emitted; -1 for those that never are.

    Raises:
        DataError: there is nothing to learn from, or a token is none of the vocabulary.
    """
    ids = texts.ids[: texts.offsets[-1]]
    if not len(ids) and not (ends and len(texts)):
        raise DataError("the training texts hold no tokens, so there is nothing to learn from.")
    if len(ids) and int(ids.max()) >= vocabulary.size:
        raise DataError(f"a text holds the token {int(ids.max())}; the vocabulary has 0 to {vocabulary.size - 1}.")
    counts = np.bincount(ids.astype(np.int64), minlength=vocabulary.size)
    counts[vocabulary.end] += len(texts) if ends else 0
    for special in (vocabulary.start, *(() if ends else (vocabulary.end,))):
        counts[special] = counts[special] or -1
    return counts
