"""Networks as ONNX files, for any runtime: language models from token numbers, classifiers from their features."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim

from ..core.errors import UsageError
from ..data import OrderedFeatures, StateFeatures
from ..inference import NetworkPredictor
from ..models.neural import Classifier, LanguageNetwork, NeuralModel
from ..models.rnn.model import Layer, Rnn, RnnEncoder
from ..record import write_atomic

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def export_onnx(model: NeuralModel | NetworkPredictor, path: Path) -> None:
    """Write the network as one ONNX file, in float32.

    A language model takes ``ids`` [batch, length] (the start token first; pad on the right by any token) and gives ``logits``
    [batch, length, V] of the next token. A predictor takes features as ``Selected.batch`` has them, ``ids`` [nnz],
    ``offsets`` [examples + 1] and ``values`` [nnz], and gives the network's ``outputs`` [examples, outputs]; one that reads
    tokens in their order takes ``ids`` [examples, length], padded likewise, and ``lengths`` [examples], the marks counted. The
    marks, or the task, labels and temperature, stand in the file's metadata as JSON, under ``lossworks.…``.

    Raises:
        UsageError: the packages are missing, or PyTorch cannot write this network as ONNX.
        RecordError: the file cannot be written.
    """
    form = _of_language(model) if isinstance(model, NeuralModel) else _of_predictor(model)
    program = _program(form)
    program.model.metadata_props.update({f"lossworks.{name}": json.dumps(value) for name, value in form.facts.items()})
    write_atomic(path, lambda file: program.save(str(file), external_data=False))


@dataclass(frozen=True, slots=True)
class _Form:
    """A module, an example of what it is given, the axes that may be of any length, and what the file says besides."""

    module: nn.Module
    given: dict[str, Tensor]
    shapes: dict[str, dict[int, Dim]]
    result: str
    facts: dict[str, Any]


def _program(form: _Form) -> Any:
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError("onnxscript is not installed. Install all that ONNX needs: pip install 'lossworks[onnx]'.") from None
    try:
        with torch.no_grad(), _quietly():
            traced = torch.export.export(form.module, (), form.given, dynamic_shapes=form.shapes, strict=False)
            return torch.onnx.export(traced, output_names=[form.result], dynamo=True, verbose=False)
    except (RuntimeError, ValueError) as error:  # what torch.export and the exporter raise, and much of what models do
        raise UsageError(f"PyTorch cannot write this network as ONNX: {str(error).strip().splitlines()[0]}") from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """PyTorch's exporter warns of its own parts and of packages that are not needed here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _of_language(model: NeuralModel) -> _Form:
    network = copy.deepcopy(model.network).cpu().float().eval()
    if isinstance(network, Rnn):
        network.layers = _recurrences(network.layers)
    # Traced with more tokens than a window has, for then its mask is written too; what is written is right for fewer.
    window = getattr(getattr(network, "spec", None), "window", None)
    least = 1 if window is None else min(window + 1, network.context or window + 1)
    ids = torch.zeros(2, max(least, min(8, network.context or 8)), dtype=torch.long)
    shapes = {"ids": {0: Dim("batch"), 1: Dim("length", min=least, max=network.context)}}
    facts = {"start": model.vocabulary.start, "end": model.vocabulary.end}
    return _Form(_Logits(network), {"ids": ids}, shapes, "logits", facts)


class _Logits(nn.Module):
    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return self.network.logits(self.network.hidden(ids))


def _recurrences(layers: nn.ModuleList) -> nn.ModuleList:
    return nn.ModuleList(_Recurrence(layer) for layer in cast(list[Layer], layers))


class _Recurrence(nn.Module):
    """A ``Layer`` from its beginning, as ONNX's own operator; traced, PyTorch's is a loop as long as the example."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        lstm = isinstance(layer.cell, nn.LSTM)
        self.operator, order = ("LSTM", (0, 3, 1, 2)) if lstm else ("GRU", (1, 0, 2))  # of the gates, as ONNX has them
        self.more = {} if lstm else {"linear_before_reset": 1}
        self.width = layer.out
        into, recurrent, *biases = (
            torch.cat([weight.detach().chunk(len(order))[gate] for gate in order]) for weight in layer.cell.all_weights[0]
        )
        weights = (into, recurrent, torch.cat(biases))
        self.weights = nn.ParameterList(nn.Parameter(weight[None], requires_grad=False) for weight in weights)

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """ONNX begins at zeros by itself."""
        return ()

    def forward(
        self, x: Float[Tensor, "B T into"], state: tuple[Tensor, ...]
    ) -> tuple[Float[Tensor, "B T out"], tuple[Tensor, ...]]:
        states = torch.onnx.ops.symbolic(
            self.operator,
            [x.transpose(0, 1), *self.weights],
            {"hidden_size": self.width, **self.more},
            dtype=x.dtype,
            shape=(x.shape[1], 1, x.shape[0], self.width),
        )
        return states.squeeze(1).transpose(0, 1), ()


def _of_predictor(model: NetworkPredictor) -> _Form:
    facts = {"task": model.task.kind, "labels": model.task.labels, "temperature": model.temperature}
    if isinstance(model.features, OrderedFeatures):
        if not isinstance(model.network, Classifier):
            raise UsageError("a classifier of Hugging Face is not written as ONNX. Its weights are in the run's safetensors.")
        return _of_encoder(model.network, model.features, facts)
    if isinstance(model.features, StateFeatures):
        raise UsageError("a layer over frozen states is not written as ONNX. Its weights are in the run's safetensors.")
    nnz = Dim("nnz")
    given = {"ids": torch.zeros(5, dtype=torch.long), "offsets": torch.tensor([0, 2, 2, 5]), "values": torch.ones(5)}
    shapes = {"ids": {0: nnz}, "offsets": {0: Dim("ends", min=3)}, "values": {0: nnz}}
    return _Form(_FromFeatures(model.network).cpu().eval(), given, shapes, "outputs", facts)


def _of_encoder(network: Classifier, features: OrderedFeatures, facts: dict[str, Any]) -> _Form:
    network = copy.deepcopy(network).cpu().eval()
    if isinstance(encoder := network.encoder, RnnEncoder):
        encoder.forwards, encoder.backwards = _recurrences(encoder.forwards), _recurrences(encoder.backwards)
    size = min(8, features.context)
    given = {"ids": torch.zeros(2, size, dtype=torch.long), "lengths": torch.tensor([size, 1])}
    batch = Dim("batch")
    shapes = {"ids": {0: batch, 1: Dim("length", max=features.context)}, "lengths": {0: batch}}
    return _Form(_FromTokens(network), given, shapes, "outputs", facts | {"start": features.tokenizer.vocabulary.start})


class _FromTokens(nn.Module):
    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B outputs"]:
        return self.network.outputs(ids, lengths)


class _FromFeatures(nn.Module):
    """The network, its table replaced by one that ONNX can have."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.copy(network)
        self.network._modules = {**network._modules, "table": _Bags(cast(Any, network.table).weight)}

    def forward(self, ids: Int[Tensor, "nnz"], offsets: Int[Tensor, "ends"], values: Float[Tensor, "nnz"]) -> Tensor:
        outputs: Tensor = self.network((ids, offsets, values))
        return outputs


class _Bags(nn.Module):
    """What ``SparseEmbedding`` does: for each example, the sum of its ids' rows times their values."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, batch: tuple[Tensor, Tensor, Tensor]) -> Float[Tensor, "N width"]:
        ids, offsets, values = batch
        begun = torch.cat([torch.zeros_like(ids), ids.new_zeros(1)]).index_add(0, offsets, torch.ones_like(offsets)).cumsum(0)
        rows = self.weight[ids] * values[:, None]
        return rows.new_zeros(offsets.shape[0] - 1, rows.shape[1]).index_add(0, begun[:-1] - 1, rows)
