"""Networks as ONNX in int8, by onnxruntime's dynamic quantisation: weights beforehand, the rest as it comes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..api import Language, Model
from ..core.errors import UsageError
from ..data import OrderedFeatures, Ragged, Selected
from ..inference import NetworkPredictor
from ..models.neural import NeuralModel
from ..models.neural.windows import readings
from ..record import write_atomic
from ..record.scratch import temporary
from .onnx import export_onnx


def write_int8(model: Model | Language, path: Path) -> tuple[Model | Language, list[int]]:
    """Write the network as ONNX, as ``export_onnx``, with its weights in int8.

    Returns: the model that answers by that file, and the bytes of the ONNX in float32 and of this one.

    Raises:
        UsageError: the model is no network, or a package is missing. RecordError: the file cannot be written.
    """
    network = model.model if isinstance(model, Language) else model.predictor
    if not isinstance(network, NeuralModel | NetworkPredictor):
        raise UsageError(f"an ONNX file holds networks, and {model.path} holds none. ARPA files hold n-grams: --to arpa.")
    try:
        from onnxruntime import InferenceSession
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ModuleNotFoundError:
        raise UsageError("onnxruntime is not installed. Install all that ONNX needs: pip install 'lossworks[onnx]'.") from None
    with temporary() as scratch:
        whole = scratch / "whole.onnx"
        export_onnx(network, whole)
        with _quietly():
            write_atomic(path, lambda part: quantize_dynamic(whole, part, per_channel=True, weight_type=QuantType.QInt8))
        sizes = [file.stat().st_size for file in (whole, path)]
    session = InferenceSession(path)
    if isinstance(network, NeuralModel):
        assert isinstance(model, Language)
        answering = _Sequences(session, network)
        return replace(model, trained=replace(model.trained, model=answering)), sizes
    assert isinstance(model, Model)
    fields = {name: getattr(network, name) for name in ("task", "spec", "features", "learned", "temperature", "thresholds")}
    return replace(model, predictor=_Texts(**fields, session=session)), sizes


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """It recommends to prepare models for it, which those of ``export_onnx`` need not."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@dataclass(slots=True)
class _Texts(NetworkPredictor):
    """A predictor whose network is in a session of onnxruntime."""

    session: Any = field(kw_only=True)

    def _outputs(self, selected: Selected, rows: NDArray[np.int64]) -> NDArray[Any]:
        bags = selected.bags(rows)
        if not isinstance(self.features, OrderedFeatures):
            given = {"ids": bags.ids.astype(np.int64), "offsets": bags.offsets, "values": bags.values}
            return np.asarray(self.session.run(None, given)[0])
        lengths = np.diff(bags.offsets)
        ids = np.zeros((len(rows), lengths.max(initial=1)), np.int64)
        ids[np.arange(ids.shape[1]) < lengths[:, None]] = bags.ids
        return np.asarray(self.session.run(None, {"ids": ids, "lengths": lengths})[0])


class _Sequences(NeuralModel):
    """A language model whose network is in a session of onnxruntime."""

    def __init__(self, session: Any, like: NeuralModel) -> None:
        super().__init__(like.network, like.vocabulary, ends=like.ends, stride=like.stride)
        self.session = session

    def sliding(self, stride: int) -> _Sequences:
        found = super().sliding(stride)
        assert isinstance(found, NeuralModel)
        return _Sequences(self.session, found)

    def logp_in_parts(self, texts: Ragged) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        targets = self.targets(texts)
        for reading in readings(texts, self.vocabulary.start, self.ends, self.context, self.stride):
            rows, places = np.divmod(reading.scored.numpy(), reading.ids.shape[1])
            for row in range(len(reading.ids)):
                logits = torch.from_numpy(self.session.run(None, {"ids": reading.ids[row : row + 1].numpy()})[0][0])
                here = rows == row
                positions = reading.positions[here]
                logp = logits[torch.from_numpy(places[here])].double().log_softmax(-1)
                yield positions, logp.gather(1, torch.from_numpy(targets[positions])[:, None])[:, 0].numpy()
