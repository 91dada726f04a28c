"""The gradients of a model's loss on texts, for whether its languages conflict."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attribution.conflict import conflict
from ..core.errors import UsageError
from ..data import Corpus, Ragged
from ..data.layouts import Positions, Windows
from ..inference import NetworkPredictor
from ..models import MICRO
from ..models.neural import CausalLM, NeuralModel
from .language import Language
from .model import Model

_WINDOW, _TOKENS = 256, 4096  # of a row where the network reads any length, and of the rows read at once


def of_label_model(model: Model, corpus: Corpus) -> dict[str, Any]:
    """``conflict`` of the languages of ``corpus``, in a classifier or regression, by its proper score before calibration.

    Raises:
        UsageError: the model is not a network, or the languages are not known.
    """
    predictor = model.predictor
    if not isinstance(predictor, NetworkPredictor):
        raise _countless(model)
    task, nothing = predictor.task, torch.empty(0)
    network = copy.deepcopy(predictor.network).eval()  # an optimizer may still take the gradients of this one
    target = task.targets(corpus)

    def losses(rows: NDArray[np.int64]) -> Tensor:
        prepared = predictor.prepared(corpus.texts(rows))
        outputs = network(prepared.batch(np.arange(len(rows)), nothing, nothing))
        return task.proper_score(outputs, torch.from_numpy(task.of_network(target[rows])).to(outputs.device))

    def gradient(rows: NDArray[np.int64]) -> tuple[Sequence[Tensor], float]:
        parts = (losses(rows[first : first + MICRO]).sum() for first in range(0, len(rows), MICRO))
        return _summed(network, parts), float(len(rows))

    return _found(network, corpus, gradient)


def of_language_model(model: Language, corpus: Corpus, texts: Ragged) -> dict[str, Any]:
    """The same of a language model, by nats a token; ``texts``: those of the corpus, in its tokens.

    Raises:
        UsageError: as of ``of_label_model``.
    """
    neural = model.model
    if not isinstance(neural, NeuralModel):
        raise _countless(model)
    network = CausalLM(neural.network.eval(), neural.vocabulary, ends=neural.ends)

    def gradient(rows: NDArray[np.int64]) -> tuple[Sequence[Tensor], float]:
        positions = Positions.of(texts.take(rows), neural.vocabulary, neural.ends)
        layout = Windows(positions, min(_WINDOW, neural.context or _WINDOW), shifted=False)
        parts = (
            layout.take(some, 0).to(next(network.parameters()).device) for some in layout.parts(np.arange(len(layout)), _TOKENS)
        )
        return _summed(network, (-network.scores(part).logp.sum() for part in parts)), float(len(positions))

    return _found(network, corpus, gradient)


def _summed(network: nn.Module, losses: Any) -> list[Tensor]:
    """The gradient of a sum of losses, made one after another."""
    parameters = list(network.parameters())
    total = [torch.zeros_like(each) for each in parameters]
    with torch.inference_mode(False), torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # it has none in evaluation
        for loss in losses:
            torch._foreach_add_(total, list(torch.autograd.grad(loss, parameters, materialize_grads=True)))
    return total


def _found(network: nn.Module, corpus: Corpus, gradient: Any) -> dict[str, Any]:
    if corpus.languages is None:
        raise UsageError("--conflict compares languages, and they are not known. Say where each row's stands: --language COLUMN.")
    weights = sum(each.numel() for each in network.parameters())
    return conflict(corpus.languages, corpus.keys, weights, gradient)


def _countless(model: Model | Language) -> UsageError:
    return UsageError(
        f"--conflict compares gradients, and {model.record['config']['model']} is counted and has none. "
        "Leave it out, or evaluate a run of linear, bag, rnn or transformer."
    )
