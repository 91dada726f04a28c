"""The predictor of networks over features: ``linear``, ``bag`` and encoders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from ..data import Features, Selected
from ..models.base import ModelSpec, TextModel, build
from ..models.neural.weights import read_tensors
from ..record import write_atomic
from ..record.tensors import under
from ..tasks import LabelTask
from .predictor import CHUNK, Predictor

_NETWORK, _FEATURES = "network.", "features."


@dataclass(slots=True)
class NetworkPredictor(Predictor):
    """Features learned from the training texts, and a network over them."""

    spec: ModelSpec
    features: Features
    network: TextModel

    def prepared(self, texts: Sequence[str]) -> Selected:
        return self.features.select(self.features.read(texts))

    def scores_of(self, prepared: Selected) -> NDArray[Any]:
        rows = np.arange(len(prepared))
        chunks = (rows[start : start + CHUNK] for start in range(0, max(len(rows), 1), CHUNK))
        return self.task.readable(np.concatenate([self._outputs(prepared, chunk) for chunk in chunks]))

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        return self.features.remarks(blocks)

    def to(self, device: str) -> NetworkPredictor:
        self.features.to(device)
        self.network.to(device)
        return self

    def write(self, folder: Path) -> None:
        tensors = {f"{_NETWORK}{name}": value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        tensors |= {f"{_FEATURES}{name}": torch.from_numpy(array) for name, array in self.features.save(folder).items()}
        self.network.save_extra(folder)
        write_atomic(folder / "model.safetensors", lambda part: save_file(tensors, part))

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> NetworkPredictor:
        tensors, _ = read_tensors(folder / "model.safetensors")
        built = build(spec)
        features = built.features()
        features.load(folder, {name: value.numpy() for name, value in under(tensors, _FEATURES).items()})
        network = built.restored(folder, len(features), task.outputs)
        network.load_state_dict(under(tensors, _NETWORK))
        return cls(task, built, features, network.eval())

    @torch.inference_mode()
    def _outputs(self, selected: Selected, rows: NDArray[np.int64]) -> NDArray[Any]:
        nothing = torch.empty(0)
        if self.network.training:  # to say it to all of its modules takes as long as a short text
            self.network.eval()
        return np.asarray(self.network(selected.batch(rows, nothing, nothing)).cpu().numpy())
