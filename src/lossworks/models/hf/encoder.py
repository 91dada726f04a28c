"""A pretrained model of transformers that only reads: of each text the mean of its tokens' last states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.seeds import first_weights, generator
from ...core.threads import available
from ...core.torch_threads import single_threaded
from ...data import Batch, valid
from ..neural.classifier import alike, padded
from ..neural.weights import check_finite
from .classifier import POOLER, check, pad_of
from .int8 import in_int8
from .library import FOLDER, kept_config, package, pretrained, quiet, told, write_config

if TYPE_CHECKING:
    from jaxtyping import Float, Int

_AUTO = "AutoModel"
_AT_ONCE = 1024  # tokens, padding included, that a thread reads at once: more take longer each, for their states leave the cache


class Encoder:
    """A model [T tokens → T states of ``size``] as it is.

    dtype: of its matrix products: "float32", "bfloat16" or, on the processor, "int8"; the mean is taken in float32.
    """

    def __init__(self, model: Any, dtype: str) -> None:
        check(model.config)
        self.model: nn.Module = model.eval().requires_grad_(False)
        self.dtype, self.pad = dtype, pad_of(model.config.get_text_config())
        self.config = model.config
        self.size: int = model.config.get_text_config().hidden_size
        if dtype == "int8":
            in_int8(model)

    @property
    def device(self) -> torch.device:
        """Where it works."""
        return next(self.model.parameters()).device

    def means(self, batch: Batch) -> NDArray[np.float32]:
        """The states [N, size] of texts, 1 or more tokens each; texts of like length are read together.

        On the processor each thread reads rows of its own, so the states are the same on any number of them.
        """
        found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        groups = alike(batch, _AT_ONCE)
        if self.device.type == "cpu":
            with single_threaded(available()) as pool:
                found += pool.map(lambda rows: (rows, self._mean(*padded(batch, rows, self.device))), groups)
        else:
            found += ((rows, self._mean(*padded(batch, rows, self.device))) for rows in groups)
        states = np.empty((len(batch), self.size), np.float32)
        for rows, means in found:
            states[rows] = means
        return states

    def mean(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B size"]:
        """The mean states of padded rows, with their graph where a gradient is wanted."""
        inside = valid(lengths, ids.shape[1])
        states = self.model(input_ids=ids.masked_fill(~inside, self.pad), attention_mask=inside.long()).last_hidden_state
        means: Tensor = states.float().masked_fill(~inside[..., None], 0.0).sum(1) / lengths[:, None]
        return means

    @torch.inference_mode()
    def _mean(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> NDArray[np.float32]:
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.dtype == "bfloat16"):
            return np.asarray(self.mean(ids, lengths).cpu().numpy())

    def cut(self, marks: Sequence[int]) -> None:
        """Deal the first vectors of tokens out among them anew, but of ``marks``: it then reads each word as another one."""
        table = self.model.get_input_embeddings().weight  # type: ignore[operator]
        tokens = np.setdiff1d(np.arange(len(table)), marks)
        with torch.no_grad():
            table[tokens] = table[generator(0, "cut").permutation(tokens)]

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        """Write the model's configuration to a run's ``folder``; its weights."""
        write_config(self.config, folder)
        return {name: value.float().cpu().numpy() for name, value in self.model.state_dict().items()}


def load_encoder(name: str, dtype: str) -> Encoder:
    """The model in a directory, or of a name at Hugging Face, without what stands behind its last states.

    Only safetensors are read, and no program from there is run. Weights are float32, whatever the files hold.

    Raises:
        UsageError: transformers is missing, the name is unknown, or the model is of a kind that gives no states here.
        RecordError: the directory is damaged.
    """
    classes, here = package("transformers"), Path(name).is_dir()
    with first_weights(0), told(name, here, _AUTO), quiet():
        model, found = pretrained(classes.AutoModel, name, output_loading_info=True, dtype=torch.float32)
        check_finite(model.named_parameters(), name)
        lacking = {key for key in found["missing_keys"] if not POOLER.fullmatch(key)}
        if lacking:
            raise ValueError(f"{len(lacking)} of its weights are missing, {min(lacking)} among them")
        return Encoder(model, dtype)


def restore_encoder(folder: Path, weights: dict[str, NDArray[Any]], dtype: str) -> Encoder:
    """The encoder whose configuration ``Encoder.save`` wrote to ``folder``, with the ``weights`` that it gave.

    Raises:
        RecordError: its configuration is missing or damaged, or of another model.
    """
    classes = package("transformers")
    with first_weights(0), told(folder / FOLDER, True, _AUTO), quiet():
        model = classes.AutoModel.from_config(kept_config(folder), dtype=torch.float32, trust_remote_code=False)
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return Encoder(model, dtype)
