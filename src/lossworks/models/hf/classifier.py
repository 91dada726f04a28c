"""A sequence classifier of Hugging Face's transformers: its pretrained layers, and a last one for the labels at hand."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeds import first_weights
from ...data import valid
from ..neural.classifier import PaddedModel, begin_small
from ..neural.weights import check_finite
from .library import FOLDER, configuration, kept_config, package, pretrained, quiet, told, write_config
from .unpadded import prepared, without_padding

if TYPE_CHECKING:
    from jaxtyping import Float, Int

_AUTO = "AutoModelForSequenceClassification"


def load_classifier(name: str, outputs: int, *, lora: int | None = None, seed: int = 0) -> HfClassifier:
    """The model in a directory, or of a name at Hugging Face, with a last layer drawn anew for ``outputs`` outputs.

    Only safetensors are read, and no program from there is run. Numbers are float32, whatever the files hold.

    Args:
        name: a directory that ``save_pretrained`` wrote; else what the hub calls it.
        lora: rank of adapters on every linear layer of the pretrained body, which is then frozen but for a pooler (Hu et al.
            2021, arXiv:2106.09685); what stands behind the body is trained. None: all weights are. Needs ``peft``.

    Raises:
        UsageError: transformers or peft is missing, the name is unknown, or the model is of a kind that makes no classifier here.
        RecordError: the directory is damaged.
    """
    classes, here = package("transformers"), Path(name).is_dir()
    if here and (Path(name) / "adapter_config.json").exists():
        raise UsageError(f"{name} holds adapters alone. Merge them into their model (peft: merge_and_unload) and save that.")
    with first_weights(seed), told(name, here, _AUTO), quiet():
        model, found = pretrained(
            classes.AutoModelForSequenceClassification,
            name,
            num_labels=outputs,
            ignore_mismatched_sizes=True,  # the last layer's; others are looked for below
            output_loading_info=True,
            dtype=torch.float32,
        )
        check_finite(model.named_parameters(), name)
        network = HfClassifier(model, outputs)
        begin_small(network.head)
        lacking = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
        lacking = {key for key in lacking if key.startswith(f"{model.base_model_prefix}.") and not POOLER.fullmatch(key)}
        if lacking:
            raise ValueError(f"{len(lacking)} of its weights are missing or of another shape, {min(lacking)} among them")
        network = network if lora is None else network.adapt(lora)
        network.unpadded = prepared(network.model)
        return network


def restore_classifier(folder: Path, outputs: int, *, lora: int | None = None) -> HfClassifier:
    """The network that was kept in a run's ``folder``, its weights still to be filled in; nothing else is looked at.

    Raises:
        RecordError: its configuration is missing or damaged.
    """
    classes = package("transformers")
    with first_weights(0), told(folder / FOLDER, True, _AUTO), quiet():
        config = kept_config(folder, num_labels=outputs)
        model = classes.AutoModelForSequenceClassification.from_config(config, dtype=torch.float32, trust_remote_code=False)
        network = HfClassifier(model.eval(), outputs)
        return network if lora is None else network.adapt(lora)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a model's configuration says: the most tokens it reads (None: any number), how many tokens it has, and one that is no
    text, for where there is none.
    """

    context: int | None
    vocabulary: int
    blank: int


def outline(name: str) -> Outline:
    """Of a directory, or a name at the hub; no weights are read.

    Raises:
        UsageError, RecordError: as of ``load_classifier``.
    """
    classes, here = package("transformers"), Path(name).is_dir()
    with told(name, here, _AUTO), quiet():
        whole = configuration(name)
        check(whole)
        with torch.device("meta"):
            body = classes.AutoModel.from_config(whole, trust_remote_code=False)
    config = whole.get_text_config()
    places = getattr(config, "max_position_embeddings", None)
    context = None
    if isinstance(places, int) and places > 0:
        tables = (module for key, module in body.named_modules() if key.endswith("position_embeddings"))
        first = [module.padding_idx + 1 for module in tables if getattr(module, "padding_idx", None) is not None]
        context = places - max(first, default=0)  # RoBERTa's tokens stand behind the place of its padding
    specials = (_token(getattr(config, f"{key}_token_id", None), config.vocab_size) for key in ("bos", "eos", "pad"))
    return Outline(context, config.vocab_size, next((token for token in specials if token is not None), 0))


class HfClassifier(PaddedModel):
    """A model of transformers that gives texts logits.

    unpadded: whether its blocks are given no padding where it is trained on the processor.
    """

    unpadded = False

    def __init__(self, model: Any, outputs: int) -> None:
        super().__init__()
        check(model.config)
        self.model = model
        linear = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
        behind = [name for name in linear if not name.startswith(f"{model.base_model_prefix}.")]
        fit = [name for name in behind if model.get_submodule(name).out_features == outputs]
        if not fit:
            raise UsageError(f"a {type(model).__name__} ends in no linear layer of {outputs} outputs. Give another model.")
        self._head = fit[-1]
        config = model.config.get_text_config()
        self.pad = config.pad_token_id = pad_of(config)
        model.config.use_cache = False
        if isinstance(self.table, nn.Embedding):
            self.table.sparse = True  # of a large table a step reads few rows

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The last layer, in the model itself."""
        layer: nn.Linear = self.model.get_submodule(self._head)
        return layer

    @property
    def table(self) -> nn.Module:
        layer: nn.Module = self.model.get_input_embeddings()
        return layer

    def outputs(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B outputs"]:
        inside, unpadded = valid(lengths, ids.shape[1]), self.training and self.unpadded and ids.is_cpu
        with without_padding(self.model, lengths, ids.shape[1]) if unpadded else nullcontext():
            logits: Tensor = self.model(input_ids=ids.masked_fill(~inside, self.pad), attention_mask=inside.long()).logits
        return logits

    def adapt(self, rank: int) -> HfClassifier:
        """Freeze the body but for its pooler, and put adapters on its linear layers; itself."""
        peft, body = package("peft"), self.model.base_model
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=POOLER.pattern)
        peft.inject_adapter_in_model(config, body)
        for name, parameter in body.named_parameters():
            if POOLER.fullmatch(name):
                parameter.requires_grad_(True)
        return self

    def save_extra(self, folder: Path) -> None:
        write_config(self.model.config, folder)


POOLER = re.compile(r"(.*\.)?pooler(\..*)?")
"""A layer that only classifiers have a use for; not all pretrained models come with one."""


def check(config: Any) -> None:
    """Raise UsageError where a model is no stack of layers over one text."""
    if getattr(config, "is_encoder_decoder", False):
        raise UsageError(f"a {config.model_type} model is an encoder and a decoder. Give one that is either.")


def pad_of(config: Any) -> int:
    """A token to pad rows with: the model's own, or else any that it has."""
    size = config.vocab_size
    pads = (_token(config.pad_token_id, size), _token(getattr(config, "eos_token_id", None), size), 0)
    return next(pad for pad in pads if pad is not None)


def _token(found: Any, size: int) -> int | None:
    """The number of a token, or the first of several, where the model has it."""
    found = found[0] if isinstance(found, list) and found else found
    return found if isinstance(found, int) and 0 <= found < size else None
