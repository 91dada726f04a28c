"""A memory: what came next in the training text where a network was in a state most like this one (a kNN language model)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import domains
from ...core.errors import UsageError
from ...core.seeds import generator
from ...data import Ragged
from ...record import read_object, write_json
from ...record.tensors import map_tensors, write_tensors
from ...tokens import Vocabulary
from ..base import build_language, models, render
from ..language import LanguageModel, LanguageSpec
from ..neural import NeuralModel

MOST = 1 << 20
"""Positions that are remembered; of more, so many are drawn."""
_AT_ONCE = 1 << 26  # distances
_FILE, _BASE = "memory.safetensors", "network"


@models.add("nearest", source="Khandelwal et al. 2020, ICLR, arXiv:1911.00172")
@dataclass(frozen=True, kw_only=True)
class NearestSpec(LanguageSpec):
    """The tokens that followed the states nearest to this one in the training text of a network; for a pool: nearest:RUN.

    Keys: k, how many neighbours have a say, 64; temperature, of their squared distances in units of the usual one to the nearest.
    """

    k: int = 64
    temperature: float = 1.0

    made_by = "it is the memory of a network that is trained: lossworks fuse RUN nearest:RUN --on VALID --out POOL."

    def __post_init__(self) -> None:
        domains.count(self, "k")
        domains.positive(self, "temperature")

    def remember(self, base: LanguageSpec, network: NeuralModel, texts: Ragged, seed: int = 0) -> NearestModel:
        """The memory of a network over its training texts."""
        states, values = network.hidden(texts), network.targets(texts)
        if len(values) > MOST:
            chosen = np.sort(generator(seed, "remembered").permutation(len(values))[:MOST])
            states, values = states[torch.from_numpy(chosen)], values[chosen]
        some = generator(seed, "distances").permutation(len(values))[:256]
        nearest = _distances(states[torch.from_numpy(some)], states).topk(2, largest=False).values[:, 1]
        return NearestModel(self, base, network, states, values, max(float(nearest.median()), 1e-12))

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NearestModel:
        base = build_language(read_object(folder / "nearest.json")["base"])
        network = base.load(folder / _BASE, vocabulary, ends=ends)
        tensors, _ = map_tensors(folder / _FILE)
        states, values = torch.from_numpy(np.array(tensors["states"])).float(), np.array(tensors["values"])
        if not isinstance(network, NeuralModel) or len(states) != len(values) or (values >= vocabulary.size).any():
            raise UsageError("the memory does not fit its network")
        return NearestModel(self, base, network, states, values, float(tensors["scale"][0]))


class NearestModel(LanguageModel):
    """p(w) ∝ Σ exp(-d² / (temperature · scale)) over the k nearest of the remembered states that w followed."""

    def __init__(
        self,
        spec: NearestSpec,
        base: LanguageSpec,
        network: NeuralModel,
        states: Tensor,
        values: NDArray[np.int64],
        scale: float,
    ) -> None:
        self.spec, self.base, self.network, self.scale = spec, base, network, scale
        self.vocabulary, self.ends = network.vocabulary, network.ends
        self.states = states.half().float()  # as they are kept
        self.values = torch.from_numpy(np.asarray(values, np.int64)).to(states.device)

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        return self.logp_from_distributions(texts, self.vocabulary.size)

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        return self.at(texts)(np.arange(len(self.targets(texts))))

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        hidden = self.network.hidden(texts)
        return lambda positions: self._answers(hidden[torch.from_numpy(positions)])

    def start(self) -> Any:
        return self.network.start()

    def advance(self, state: Any, token: int) -> Any:
        return self.network.advance(state, token)

    def next(self, state: Any) -> NDArray[np.float64]:
        return np.asarray(self._answers(state.hidden)[0])

    @property
    def context(self) -> int | None:
        return self.network.context

    def to(self, device: str) -> Self:
        self.network.to(device)
        self.states, self.values = self.states.to(device), self.values.to(device)
        return self

    def save(self, folder: Path) -> None:
        (folder / _BASE).mkdir(parents=True, exist_ok=True)
        self.network.save(folder / _BASE)
        tensors = {"states": self.states.half().cpu().numpy(), "values": self.values.cpu().numpy()}
        write_tensors(folder / _FILE, tensors | {"scale": np.array([self.scale])}, {})
        write_json(folder / "nearest.json", {"base": render(self.base)})

    @torch.inference_mode()
    def _answers(self, hidden: Tensor) -> NDArray[np.float64]:
        found = torch.zeros(len(hidden), self.vocabulary.size, dtype=torch.float64)
        step, k = max(1, _AT_ONCE // len(self.states)), min(self.spec.k, len(self.states))
        for first in range(0, len(hidden), step):
            nearest = _distances(hidden[first : first + step].float(), self.states).topk(k, largest=False)
            shares = (-nearest.values.double() / (self.spec.temperature * self.scale)).softmax(1)
            found[first : first + step].scatter_add_(1, self.values[nearest.indices].cpu(), shares.cpu())
        return np.asarray(found.log().numpy())


def _distances(states: Tensor, others: Tensor) -> Tensor:
    """Squared Euclidean distances [n, m]."""
    return (states.square().sum(1, keepdim=True) - 2 * states @ others.T + others.square().sum(1)).clamp_min(0)
