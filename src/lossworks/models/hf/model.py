"""Any causal language model of Hugging Face's transformers, as one of ours: scored, generated from, and trained with any loss.

model = lossworks.models.hf.model.load_hf("gpt2")             # named, so downloaded where it is not in the cache
model = lossworks.models.hf.model.load_hf("runs/mine", lora=8)  # adapters of rank 8 get gradients, nothing else
network = model.network
loss = lossworks.fused("focal", network.hidden(ids), network.head, target, softcap=network.softcap)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from ...record.files import write_folder
from ...tokens import Vocabulary
from ..neural.model import NeuralModel
from ..neural.network import LanguageNetwork, check_length
from ..neural.weights import check_finite
from .library import FOLDER, configuration, package, pretrained, told

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def load_hf(
    name: str | Path,
    *,
    lora: int | None = None,
    context: int | None = None,
    start: int | None = None,
    end: int | None = None,
    ends: bool = True,
) -> NeuralHf:
    """The model in a directory, or of a name at Hugging Face. Only safetensors are read, and no program from there is run.

    Args:
        name: a directory that ``save_pretrained`` (or ``write`` of such a model) wrote; else what the hub calls it.
        lora: rank of adapters to train on every linear layer but the last, the rest frozen (Hu et al. 2021, arXiv:2106.09685);
            None: all weights as they are. Needs ``peft``.
        context: tokens to read at once; None: as many as the model was made for.
        start, end: the tokens before and after a text; None: those that the configuration names. A model without a start
            token gets its end token there, as GPT-2 was trained.
        ends: whether the end of a text is predicted.

    Raises:
        UsageError: transformers or peft is missing, the model is none of these, or its last layer does more than
            multiply, add a bias and cap.
        RecordError: the directory is damaged.
    """
    model = _pretrained(name)
    if lora is not None:
        model = _adapted(model, lora)
    with told(name, Path(name).is_dir()):  # it is run once, which a damaged configuration can make fail
        network = HfNetwork(model, context)
    return NeuralHf(network.eval(), _vocabulary(model.config, network.outputs, start, end), ends=ends)


def outline(name: str | Path) -> tuple[Vocabulary, int | None]:
    """The outputs and the context of such a model, from its configuration: no weights are read.

    Raises:
        UsageError, RecordError: as of ``load_hf``.
    """
    here = Path(name).is_dir()
    with told(name, here):
        if here and (Path(name) / "adapter_config.json").exists():
            base = package("peft").PeftConfig.from_pretrained(name).base_model_name_or_path
            return outline(base)
        config = configuration(name)
    text = config.get_text_config(decoder=True)
    return _vocabulary(config, int(text.vocab_size), None, None), getattr(text, "max_position_embeddings", None)


@dataclass(frozen=True, slots=True)
class Read:
    """What a model keeps of the texts that it read, and the texts: for a branch they are read again."""

    cache: Any
    ids: Tensor


class HfNetwork(LanguageNetwork):
    """A causal model of transformers, or one with adapters, seen as states and a last layer."""

    def __init__(self, model: Any, context: int | None = None) -> None:
        super().__init__()
        self.model = model
        config = model.config.get_text_config(decoder=True)
        made_for = getattr(config, "max_position_embeddings", None)
        self.context = made_for if context is None else context
        self.softcap = getattr(config, "final_logit_softcapping", None)
        if self.context is not None and (self.context < 1 or (made_for is not None and self.context > made_for)):
            raise UsageError(f"context is {context}; wanted 1 to {made_for}, what the model was made for.")
        self._check()

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        """The last layer, in the model itself."""
        layer: nn.Module = self.model.get_output_embeddings()
        return layer

    @property
    def outputs(self) -> int:
        """How many tokens there are."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    def hidden(self, ids: Int[Tensor, "B T"], documents: Int[Tensor, "B T"] | None = None) -> Float[Tensor, "B T d"]:
        if documents is not None:
            raise UsageError("a model of transformers reads one document a row. Give each document a row of its own.")
        check_length(ids.shape[1], self.context)
        states: Tensor = self._base(input_ids=ids, use_cache=False).last_hidden_state
        return states

    def start(self, rows: int = 1) -> Read:
        return Read(None, torch.empty(rows, 0, dtype=torch.long, device=self.model.device))

    @torch.no_grad()
    def advance(self, state: Read, ids: Int[Tensor, "B T"]) -> tuple[Float[Tensor, "B T d"], Read]:
        ids_so_far = torch.cat([state.ids, ids], 1)
        check_length(ids_so_far.shape[1], self.context)
        cache = state.cache if state.cache is not None and state.cache.get_seq_length() == state.ids.shape[1] else None
        found = self._base(input_ids=ids_so_far if cache is None else ids, past_key_values=cache, use_cache=True)
        return found.last_hidden_state[:, -ids.shape[1] :], Read(found.past_key_values, ids_so_far)

    @property
    def _base(self) -> Any:
        """The model without its last layer; adapters stand inside it."""
        return getattr(self.model, "get_base_model", lambda: self.model)().base_model

    @torch.no_grad()
    def _check(self) -> None:
        """Some models scale or shift their logits in ways of their own: see whether ours are theirs."""
        if self.model.get_output_embeddings() is None:
            raise UsageError(f"a {type(self.model).__name__} has no last layer over tokens. Give a causal language model.")
        self.model.eval()
        ids = torch.arange(min(4, self.context or 4), device=self.model.device)[None] % self.outputs
        wanted = self.model(input_ids=ids).logits.double()
        off = float((self.logits(self.hidden(ids)).double() - wanted).abs().max())
        if not off <= 1e-3 * (1 + float(wanted.abs().max())):
            raise UsageError(
                f"the logits of {type(self.model).__name__} are not its last layer's (they differ by {off:.2g}): it does "
                "something to them that is not known here. Use its own logits, with lossworks.scores.dense."
            )


class NeuralHf(NeuralModel):
    """A model of transformers as a language model; its files are those of transformers (and of peft)."""

    def save(self, folder: Path) -> None:
        """Write them into a folder of their own: a run's would be overwritten by some of theirs."""
        write_folder(folder / FOLDER, self.write, "*config.json")

    def write(self, folder: Path) -> None:
        """Write the directory that ``load_hf`` (and ``from_pretrained``) reads; of adapters, them alone."""
        self.network.model.save_pretrained(folder)  # type: ignore[operator, union-attr]


def _pretrained(name: str | Path) -> Any:
    classes = package("transformers")
    folder = Path(name)
    here = folder.is_dir()
    with told(name, here):
        if here and (folder / "adapter_config.json").exists():
            model = package("peft").AutoPeftModelForCausalLM.from_pretrained(folder, is_trainable=True)
        else:
            model = pretrained(classes.AutoModelForCausalLM, name)
    check_finite(model.named_parameters(), name)
    return model


def _adapted(model: Any, rank: int) -> Any:
    if rank < 1:
        raise UsageError(f"lora is {rank}; wanted a rank of 1 or more.")
    peft = package("peft")
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    return peft.get_peft_model(model, config)


def _vocabulary(config: Any, outputs: int, start: int | None, end: int | None) -> Vocabulary:
    """Of so many outputs, with the special tokens that are given, else those that the configuration names."""
    config = config.get_text_config(decoder=True)
    end = _special(config.eos_token_id if end is None else end, outputs, "eos_token_id", "end")
    start = _special(config.bos_token_id if start is None else start, outputs, "bos_token_id", "start", other=end)
    return Vocabulary(outputs, None, start, end)


def _special(found: Any, outputs: int, key: str, argument: str, other: int | None = None) -> int:
    if found is None and other is not None:
        return other
    if isinstance(found, list | tuple) and found:
        found = found[0]
    if not isinstance(found, int) or not 0 <= found < outputs:
        raise UsageError(f"the model's {key} is {found!r}; wanted a token below {outputs}. Name it: load_hf(…, {argument}=N).")
    return found
