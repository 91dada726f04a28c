"""The ``config.json`` of Hugging Face's Llama and Mistral, as something checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from ..core.errors import RecordError, UsageError
from ..models.transformer import TransformerSpec
from ..record import read_object

AS_IT_IS = "Score with it as it is: 'hf:PATH'."
_EVERY = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "quantization_config": None}
"""What a configuration must say, where it says anything; a Transformer of ours has nothing else."""

Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]  # the weights' shapes say more
Context = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]  # nothing else bounds the tables of positions
Number = Annotated[float, msgspec.Meta(gt=0, le=1e12)]


class Rope(msgspec.Struct):
    """Rotary positions, in the spelling of transformers 5 or that before it."""

    rope_type: str | None = None
    type: str | None = None
    rope_theta: Number | None = None


class Config(msgspec.Struct):
    """What is read of a configuration; what it leaves out is as in transformers."""

    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    max_position_embeddings: Context | None = None
    sliding_window: Count | msgspec.UnsetType | None = msgspec.UNSET
    tie_word_embeddings: bool = False
    rms_norm_eps: Number = 1e-6
    rope_theta: Number | None = None
    rope_parameters: Rope | None = None
    rope_scaling: Rope | None = None
    bos_token_id: int | list[int] | None = None
    eos_token_id: int | list[int] | None = None

    @property
    def rope(self) -> Rope:
        """The rotary positions."""
        return self.rope_parameters or self.rope_scaling or Rope()

    def spec(self, kind: str) -> TransformerSpec:
        """The spec of ours that says the same; ``kind``: llama or mistral."""
        window = 4096 if self.sliding_window is msgspec.UNSET else self.sliding_window
        return TransformerSpec(
            layers=self.num_hidden_layers,
            heads=self.num_attention_heads,
            kv_heads=self.num_key_value_heads or (self.num_attention_heads if kind == "llama" else 8),
            dim=self.hidden_size,
            head_dim=self.head_dim,
            context=self.max_position_embeddings or (2048 if kind == "llama" else 131_072),
            ffn=self.intermediate_size,
            window=window if kind == "mistral" else None,
            tied=self.tie_word_embeddings,
            theta=self.rope.rope_theta or self.rope_theta or 10_000.0,
            eps=self.rms_norm_eps,
        )

    def mark(self, key: str, given: int | None) -> int:
        """The token under ``bos_token_id`` or ``eos_token_id``, or the one ``given``."""
        found = getattr(self, key) if given is None else given
        if not isinstance(found, int) or not 0 <= found < self.vocab_size:
            argument = "start" if key == "bos_token_id" else "end"
            raise UsageError(f"{key} is {found!r}; wanted the number of one token. Name it: import_llama(…, {argument}=N).")
        return found


def read_config(path: Path) -> tuple[Config, str]:
    """What a ``config.json`` says, and of which kind of model: llama or mistral.

    Raises:
        RecordError: it is missing, damaged, or a value is of another type or size than such models have.
        UsageError: it is of another model, or one with something that ours has not.
    """
    config = read_object(path)
    folder, kind = path.parent, config.get("model_type")
    if kind not in ("llama", "mistral"):
        raise UsageError(f"{folder} is a {kind!r} model; wanted 'llama' or 'mistral'. {AS_IT_IS}")
    for key, wanted in _EVERY.items():
        if config.get(key, wanted) != wanted:
            raise UsageError(f"{folder}: {key} is {config[key]!r}; a transformer here has {wanted!r} alone. {AS_IT_IS}")
    try:
        found = msgspec.convert(dict(config), Config)
    except msgspec.ValidationError as error:
        raise RecordError(f"{path} is no configuration of {kind} ({error}). Restore it from its source.") from None
    if (scaling := found.rope.rope_type or found.rope.type or "default") != "default":
        raise UsageError(f"{folder}: rotary positions are scaled ({scaling!r}), which a transformer here cannot do. {AS_IT_IS}")
    return found, str(kind)
