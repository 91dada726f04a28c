"""A neural network as a language model: texts in, log-probabilities out, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import UsageError
from ...data import Ragged
from ...scores import fused
from ...tokens import Vocabulary
from ..base import render
from ..language import LanguageModel
from .network import LanguageNetwork
from .weights import write_weights
from .windows import readings, stride

FORMAT = 1
FILE = "model.safetensors"
_WHOLE = 1 << 24  # numbers of whole distributions worked on at once


@dataclass(frozen=True, slots=True)
class State:
    """What was read of a text: the network's own state, what the last token led to, and the tokens that are within reach."""

    network: Any
    hidden: Tensor
    recent: tuple[int, ...]


class NeuralModel(LanguageModel):
    """A network, trained, beside the meaning of its token ids.

    A text longer than the context is read in windows: when one is full, the next begins ``stride`` tokens later, half a context
    if None. So a token is predicted from the context less the stride at least, in ``logp`` and in generation alike. The ``start``
    token is one of the outcomes, to which training gives next to no probability.
    """

    def __init__(self, network: LanguageNetwork, vocabulary: Vocabulary, *, ends: bool = True, stride: int | None = None) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.ends = ends
        self.stride = stride

    @property
    def context(self) -> int | None:
        return self.network.context

    def sliding(self, stride: int) -> LanguageModel:
        if self.context is None:
            return super().sliding(stride)
        if not 1 <= stride <= self.context:
            raise UsageError(f"stride is {stride}; wanted 1 to the model's context, {self.context} tokens.")
        return NeuralModel(self.network, self.vocabulary, ends=self.ends, stride=stride)

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        found = np.empty(len(self.targets(texts)))
        for positions, logp in self.logp_in_parts(texts):
            found[positions] = logp
        return found

    @torch.inference_mode()
    def logp_in_parts(self, texts: Ragged) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        targets = self.targets(texts)
        for positions, hidden in self._states(texts):
            wanted = torch.from_numpy(targets[positions]).to(hidden.device)
            scores = fused(hidden, self.network.head, wanted, softcap=self.network.softcap)
            yield positions, scores.values(lambda each: each.logp).double().cpu().numpy()

    @torch.inference_mode()
    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        found = np.empty((len(self.targets(texts)), self.vocabulary.size))
        for positions, hidden in self._states(texts):
            found[positions] = self._logp(hidden)
        return found

    @torch.inference_mode()
    def hidden(self, texts: Ragged) -> Tensor:
        """The states [positions, dim] from which what stands at each position is predicted."""
        found = torch.empty(0)
        for positions, hidden in self._states(texts):
            if not len(found):
                found = hidden.new_empty(len(self.targets(texts)), hidden.shape[1])
            found[torch.from_numpy(positions)] = hidden
        return found

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        hidden = self.hidden(texts)
        return torch.inference_mode()(lambda positions: self._logp(hidden[torch.from_numpy(positions)]))

    @torch.inference_mode()
    def start(self) -> State:
        self.network.eval()
        return self._after(self.network.start(), (self.vocabulary.start,), ())

    @torch.inference_mode()
    def advance(self, state: State, token: int) -> State:
        context = self.network.context
        if context is None or len(state.recent) < context:
            return self._after(state.network, (token,), state.recent)
        step = stride(context) if self.stride is None else self.stride
        return self._after(self.network.start(), (*state.recent[step:], token), ())

    @torch.inference_mode()
    def next(self, state: State) -> NDArray[np.float64]:
        logp: NDArray[np.float64] = self._logp(state.hidden)[0]
        return logp

    @torch.inference_mode()
    def logits(self, state: State) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = self.network.logits(state.hidden)[0].double().cpu().numpy()
        return logits

    def to(self, device: str) -> Self:
        self.network.to(device)
        return self

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, in whose head stands what made it: one file, for ``load_model`` or the spec's ``load``."""
        if (spec := self.network.spec) is None:
            raise UsageError(f"a {type(self.network).__name__} was made from no spec. Save its state_dict instead.")
        made = {"format": FORMAT, "model": render(spec)}
        read = {"vocabulary": asdict(self.vocabulary), "ends": self.ends}
        write_weights(self.network, folder / FILE, json.dumps(made | read))

    def _after(self, network: Any, tokens: tuple[int, ...], recent: tuple[int, ...]) -> State:
        states, after = self.network.advance(network, torch.tensor([tokens], device=self._device))
        return State(after, states[:, -1], recent + tokens if self.network.context is not None else ())

    def _states(self, texts: Ragged) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Positions, and the states that predict them, part by part."""
        self.network.eval()
        for reading in readings(texts, self.vocabulary.start, self.ends, self.context, self.stride):
            ids = reading.ids.to(self._device)
            done = 0
            rows, places = np.divmod(reading.scored.numpy(), ids.shape[1])
            for hidden in self.network.passes(ids):
                here = np.flatnonzero((places >= done) & (places < done + hidden.shape[1]))
                yield reading.positions[here], hidden[torch.from_numpy(rows[here]), torch.from_numpy(places[here] - done)]
                done += hidden.shape[1]

    def _logp(self, hidden: Tensor) -> NDArray[np.float64]:
        found = np.empty((len(hidden), self.vocabulary.size))
        rows = max(1, _WHOLE // self.vocabulary.size)
        for first in range(0, len(hidden), rows):
            logits = self.network.logits(hidden[first : first + rows])
            found[first : first + rows] = logits.double().log_softmax(-1).cpu().numpy()
        return found

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device
