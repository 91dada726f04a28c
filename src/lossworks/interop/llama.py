"""Our Transformer as a directory of Hugging Face's Llama (with a window: Mistral), and back: the same numbers on both sides.

Nothing here needs ``transformers``; the formats are JSON and safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..core.errors import RecordError, UsageError
from ..models.neural import NeuralModel
from ..models.neural.weights import fill, read_tensors
from ..models.transformer import TransformerSpec
from ..models.transformer.model import Block, Transformer
from ..record import read_object, write_atomic, write_json
from ..tokens import Vocabulary

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_EVERY = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "quantization_config": None}
"""What a configuration must say, where it says anything; a Transformer of ours has nothing else."""


def export_llama(model: NeuralModel, folder: Path) -> None:
    """Write ``config.json``, ``generation_config.json`` and ``model.safetensors``.

    ``AutoModelForCausalLM.from_pretrained(folder)`` then gives the same logits.

    Raises:
        UsageError: the model is no Transformer of ours.
        RecordError: the folder cannot be written.
    """
    network = model.network
    if not isinstance(network, Transformer):
        raise UsageError(f"got a {type(network).__name__}; only a transformer has Llama's form. Fit one, or export to ONNX.")
    folder.mkdir(parents=True, exist_ok=True)
    marks = {"bos_token_id": model.vocabulary.start, "eos_token_id": model.vocabulary.end}
    tensors = {name: part.detach().cpu().contiguous() for name, part in _parts(network)}
    write_atomic(folder / _WEIGHTS, lambda file: save_file(tensors, file, {"format": "pt"}))
    dtype = str(network.head.weight.dtype).removeprefix("torch.")
    write_json(folder / "config.json", {**_config(network.spec, model.vocabulary.size), **marks, "dtype": dtype})
    write_json(folder / "generation_config.json", {"_from_model_config": True, **marks})


def import_llama(folder: Path, *, start: int | None = None, end: int | None = None) -> NeuralModel:
    """The model in a directory of Hugging Face's Llama or Mistral, in float32.

    Args:
        folder: the directory; its weights are safetensors, in one file or several with an index.
        start, end: the tokens that stand before and after a text, where the configuration names none (or several).

    Raises:
        RecordError: a file is missing or damaged.
        UsageError: the model has what ours has not (biases, scaled rotary positions, …), or its weights are pickles.
    """
    config = read_object(folder / "config.json")
    spec = _spec(config, folder)
    marks = [_mark(config, "bos_token_id", start, "start"), _mark(config, "eos_token_id", end, "end")]
    vocabulary = Vocabulary(int(config["vocab_size"]), None, *marks)
    network = cast(Transformer, spec.network(vocabulary.size))
    tensors = _read(folder)
    for name, part in _parts(network):
        if name not in tensors:
            raise RecordError(f"{folder}: the weight {name} is missing. Restore the directory from its source.")
        fill(part, tensors.pop(name), f"{folder}: {name}")
    allowed = ("rotary_emb.inv_freq", *(["lm_head.weight"] if spec.tied else []))
    if strange := sorted(name for name in tensors if not name.endswith(allowed)):
        raise UsageError(f"{folder} has weights that a transformer here has not: {', '.join(strange[:5])}. {_AS_IT_IS}")
    return NeuralModel(network.eval(), vocabulary)


_AS_IT_IS = "Score with it as it is: 'hf:PATH'."


def _parts(network: Transformer) -> Iterator[tuple[str, Tensor]]:
    """Every weight by its name in Llama, as a view of ours: read for export, filled for import."""
    spec = network.spec
    sizes = [spec.heads * spec.head_width, *[spec.shared_heads * spec.head_width] * 2]
    yield "model.embed_tokens.weight", network.body.embedding.weight
    for number, block in enumerate(cast(list[Block], network.body.blocks)):
        layer = f"model.layers.{number}"
        for name, part in zip("qkv", torch.split(block.qkv.weight, sizes), strict=True):
            yield f"{layer}.self_attn.{name}_proj.weight", part
        for name, part in zip(("gate", "up"), block.gate_up.weight.chunk(2), strict=True):
            yield f"{layer}.mlp.{name}_proj.weight", part
        yield f"{layer}.self_attn.o_proj.weight", block.o_proj.weight
        yield f"{layer}.mlp.down_proj.weight", block.down.weight
        yield f"{layer}.input_layernorm.weight", block.attention_norm.weight
        yield f"{layer}.post_attention_layernorm.weight", block.ffn_norm.weight
    yield "model.norm.weight", network.body.norm.weight
    if not spec.tied:
        yield "lm_head.weight", network.head.weight


def _config(spec: TransformerSpec, vocabulary: int) -> dict[str, Any]:
    kind = "Llama" if spec.window is None else "Mistral"
    return {
        "architectures": [f"{kind}ForCausalLM"],
        "model_type": kind.lower(),
        "vocab_size": vocabulary,
        "hidden_size": spec.dim,
        "intermediate_size": spec.ffn_width,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.shared_heads,
        "head_dim": spec.head_width,
        "max_position_embeddings": spec.context,
        "rms_norm_eps": spec.eps,
        "rope_theta": spec.theta,  # where transformers before version 5 looks
        "rope_parameters": {"rope_type": "default", "rope_theta": spec.theta},
        "tie_word_embeddings": spec.tied,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        **({} if spec.window is None else {"sliding_window": spec.window}),
    }


def _spec(config: dict[str, Any], folder: Path) -> TransformerSpec:
    """The spec of a configuration; what it leaves out is as in transformers."""
    kind = config.get("model_type")
    if kind not in ("llama", "mistral"):
        raise UsageError(f"{folder} is a {kind!r} model; wanted 'llama' or 'mistral'. {_AS_IT_IS}")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (scaling := rope.get("rope_type", rope.get("type", "default"))) != "default":
        raise UsageError(f"{folder}: rotary positions are scaled ({scaling!r}), which a transformer here cannot do. {_AS_IT_IS}")
    for key, wanted in _EVERY.items():
        if config.get(key, wanted) != wanted:
            raise UsageError(f"{folder}: {key} is {config[key]!r}; a transformer here has {wanted!r} alone. {_AS_IT_IS}")
    try:
        int(config["vocab_size"])
        heads = int(config["num_attention_heads"])
        return TransformerSpec(
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or (heads if kind == "llama" else 8)),
            dim=int(config["hidden_size"]),
            head_dim=None if config.get("head_dim") is None else int(config["head_dim"]),
            context=int(config.get("max_position_embeddings", 2048 if kind == "llama" else 131_072)),
            ffn=int(config["intermediate_size"]),
            window=config.get("sliding_window", 4096) if kind == "mistral" else None,
            tied=bool(config.get("tie_word_embeddings", False)),
            theta=float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
            eps=float(config.get("rms_norm_eps", 1e-6)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"{folder / 'config.json'} is no configuration of {kind} ({error}). Restore it from its source."
        ) from None


def _mark(config: dict[str, Any], key: str, given: int | None, argument: str) -> int:
    found = config.get(key) if given is None else given
    if not isinstance(found, int) or not 0 <= found < int(config["vocab_size"]):
        raise UsageError(f"{key} is {found!r}; wanted the number of one token. Name it: import_llama(…, {argument}=N).")
    return found


def _read(folder: Path) -> dict[str, Tensor]:
    if (folder / _WEIGHTS).exists():
        return read_tensors(folder / _WEIGHTS)[0]
    if (folder / _INDEX).exists():
        names = read_object(folder / _INDEX).get("weight_map")
        files = sorted(set(names.values())) if isinstance(names, dict) else []
        if not files or any(Path(file).name != file for file in files):
            raise RecordError(f"{folder / _INDEX} names no files beside it. Restore it from its source.")
        return {name: tensor for file in files for name, tensor in read_tensors(folder / file)[0].items()}
    if pickles := sorted(path.name for path in folder.glob("*.bin")):
        raise UsageError(
            f"{folder} holds its weights as pickles ({pickles[0]}), which can run any program when read. Where you trust it, "
            "write them as safetensors: AutoModelForCausalLM.from_pretrained(path).save_pretrained(other)."
        )
    raise RecordError(f"{folder} holds neither {_WEIGHTS} nor {_INDEX}. Is it a directory that save_pretrained wrote?")
