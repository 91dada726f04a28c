"""The predictor of networks over features: ``linear``, ``bag`` and encoders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Features, Selected
from ..models.base import ArraySpec, ModelSpec, Weights, build
from ..record import write_atomic
from ..record.tensors import map_tensors, not_finite, under
from ..tasks import LabelTask
from .predictor import CHUNK, Predictor
from .quantized import FILE as QUANTIZED
from .quantized import read_quantized

if TYPE_CHECKING:
    from ..models.networks import TextModel

_NETWORK, _FEATURES = "network.", "features."


@dataclass(slots=True)
class NetworkPredictor(Predictor):
    """Features learned from the training texts, and a network over them.

    learned: the network; of an ``ArraySpec`` that was read its weights, until somebody asks for the network.
    """

    spec: ModelSpec
    features: Features
    learned: TextModel | Weights

    @property
    def network(self) -> TextModel:
        """The network, to be looked into or trained further."""
        if isinstance(self.learned, dict):
            import torch

            made = self.spec.network(len(self.features), self.task.outputs, 0)
            made.load_state_dict({name: torch.from_numpy(array) for name, array in self.learned.items()})
            self.learned = made.eval()
        return self.learned

    def prepared(self, texts: Sequence[str]) -> Selected:
        return self.features.select(self.features.read(texts))

    def scores_of(self, prepared: Selected) -> NDArray[Any]:
        rows = np.arange(len(prepared))
        if len(rows) <= CHUNK:
            return self.task.readable(self._outputs(prepared, rows))
        chunks = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
        return self.task.readable(np.concatenate([self._outputs(prepared, chunk) for chunk in chunks]))

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        return self.features.remarks(blocks)

    def to(self, device: str) -> NetworkPredictor:
        self.features.to(device)
        if device != "cpu" or not isinstance(self.learned, dict):
            self.network.to(device)
        return self

    def size(self) -> dict[str, int]:
        """How many weights there are, and how many of them are zero."""
        whole: list[Any] = list(self.learned.values()) if isinstance(self.learned, dict) else list(self.network.parameters())
        return {
            "weights": sum(math.prod(each.shape) for each in whole),
            "zero_weights": sum(int((each == 0).sum()) for each in whole),
        }

    def write(self, folder: Path) -> None:
        if isinstance(self.learned, dict):
            from safetensors.numpy import save_file as save_arrays

            arrays = {f"{_NETWORK}{name}": array for name, array in self.learned.items()}
            arrays |= {f"{_FEATURES}{name}": array for name, array in self.features.save(folder).items()}
            write_atomic(folder / "model.safetensors", lambda part: save_arrays(arrays, part))
            return
        import torch
        from safetensors.torch import save_file

        tensors = {f"{_NETWORK}{name}": value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        tensors |= {f"{_FEATURES}{name}": torch.from_numpy(array) for name, array in self.features.save(folder).items()}
        self.network.save_extra(folder)
        write_atomic(folder / "model.safetensors", lambda part: save_file(tensors, part))

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> NetworkPredictor:
        built, path, small = build(spec), folder / "model.safetensors", (folder / QUANTIZED).exists()
        features = built.features()
        if isinstance(built, ArraySpec):
            arrays = _finite(folder / QUANTIZED, read_quantized(folder)) if small else _finite(path, _arrays(path))
            features.load(folder, under(arrays, _FEATURES))
            return cls(task, built, features, _checked(under(arrays, _NETWORK), built.shapes(len(features), task.outputs)))
        from ..models.neural.weights import read_tensors

        if small:
            import torch

            read = _finite(folder / QUANTIZED, read_quantized(folder))
            tensors = {name: torch.from_numpy(array) for name, array in read.items()}
        else:
            tensors, _ = read_tensors(path)
        features.load(folder, {name: value.numpy() for name, value in under(tensors, _FEATURES).items()})
        network = built.restored(folder, len(features), task.outputs)
        network.load_state_dict(under(tensors, _NETWORK))
        return cls(task, built, features, network.eval())

    def _outputs(self, selected: Selected, rows: NDArray[np.int64]) -> NDArray[Any]:
        if isinstance(self.learned, dict):
            assert isinstance(self.spec, ArraySpec)
            return self.spec.outputs(selected.bags(rows), self.learned)
        import torch

        nothing = torch.empty(0)
        if self.network.training:  # to say it to all of its modules takes as long as a short text
            self.network.eval()
        with torch.inference_mode():
            return np.asarray(self.network(selected.batch(rows, nothing, nothing)).cpu().numpy())


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a model's file, writable, as compiled code wants them.

    Raises:
        RecordError: it is missing or damaged.
    """
    return {name: np.array(array) for name, array in map_tensors(path)[0].items()}


def _finite(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of a file; RecordError where a number is not finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise not_finite(path, name)
    return arrays


def _checked(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """The weights; ValueError where they are not float32 of these shapes."""
    found = {name: (array.shape, array.dtype.name) for name, array in weights.items()}
    wanted = {name: (shape, "float32") for name, shape in shapes.items()}
    if found != wanted:
        raise ValueError(f"the weights are {found}; wanted {wanted}")
    return weights
