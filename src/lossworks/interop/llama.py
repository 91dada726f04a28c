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
from ..models.neural.weights import fill, read_shapes, read_tensors
from ..models.transformer import TransformerSpec
from ..models.transformer.model import Block, Transformer
from ..record import read_object, write_atomic, write_json
from ..tokens import Vocabulary
from .llama_config import AS_IT_IS, read_config

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"


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
    config, kind = read_config(folder / "config.json")
    try:
        spec = config.spec(kind)
    except UsageError as error:
        raise RecordError(f"{folder / 'config.json'}: {error}") from None
    vocabulary = Vocabulary(config.vocab_size, None, config.mark("bos_token_id", start), config.mark("eos_token_id", end))
    files = _files(folder)
    _check_shapes(spec, vocabulary.size, {name: shape for file in files for name, shape in read_shapes(file).items()}, folder)
    network = cast(Transformer, spec.network(vocabulary.size))
    tensors = {name: tensor for file in files for name, tensor in read_tensors(file)[0].items()}
    for name, part in _parts(network):
        fill(part, tensors.pop(name), f"{folder}: {name}")
    return NeuralModel(network.eval(), vocabulary)


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


def _files(folder: Path) -> list[Path]:
    """The files of weights."""
    if (folder / _WEIGHTS).exists():
        return [folder / _WEIGHTS]
    if (folder / _INDEX).exists():
        names = read_object(folder / _INDEX).get("weight_map")
        files = set(names.values() if isinstance(names, dict) and all(isinstance(name, str) for name in names.values()) else [])
        if not files or any(Path(file).name != file for file in files):
            raise RecordError(f"{folder / _INDEX} names no files beside it. Restore it from its source.")
        return [folder / file for file in sorted(files)]
    if pickles := sorted(path.name for path in folder.glob("*.bin")):
        raise UsageError(
            f"{folder} holds its weights as pickles ({pickles[0]}), which can run any program when read. Where you trust it, "
            "write them as safetensors: AutoModelForCausalLM.from_pretrained(path).save_pretrained(other)."
        )
    raise RecordError(f"{folder} holds neither {_WEIGHTS} nor {_INDEX}. Is it a directory that save_pretrained wrote?")


def _check_shapes(spec: TransformerSpec, vocabulary: int, shapes: dict[str, list[int]], folder: Path) -> None:
    """Compare the files' heads with the configuration, before memory is taken for either.

    Raises:
        RecordError, UsageError: they do not fit together.
    """
    wanted = _shapes(spec, vocabulary)
    names = 0
    for name, shape in wanted:
        names += 1
        if name not in shapes:
            raise RecordError(f"{folder}: the weight {name} is missing. Restore the directory from its source.")
        if shapes[name] != shape:
            raise RecordError(
                f"{folder}: {name} is {shapes[name]}; wanted {shape} by config.json. Restore both from their source."
            )
    if names == len(shapes):
        return
    known = {name for name, _ in _shapes(spec, vocabulary)}
    allowed = ("rotary_emb.inv_freq", *(["lm_head.weight"] if spec.tied else []))
    if strange := sorted(name for name in shapes.keys() - known if not name.endswith(allowed)):
        raise UsageError(f"{folder} has weights that a transformer here has not: {', '.join(strange[:5])}. {AS_IT_IS}")


def _shapes(spec: TransformerSpec, vocabulary: int) -> Iterator[tuple[str, list[int]]]:
    """The name and shape of every weight, by the spec alone."""
    dim, queries, keys = spec.dim, spec.heads * spec.head_width, spec.shared_heads * spec.head_width
    block = {
        "self_attn.q_proj": [queries, dim],
        "self_attn.k_proj": [keys, dim],
        "self_attn.v_proj": [keys, dim],
        "self_attn.o_proj": [dim, queries],
        "mlp.gate_proj": [spec.ffn_width, dim],
        "mlp.up_proj": [spec.ffn_width, dim],
        "mlp.down_proj": [dim, spec.ffn_width],
        "input_layernorm": [dim],
        "post_attention_layernorm": [dim],
    }
    yield "model.embed_tokens.weight", [vocabulary, dim]
    for layer in range(spec.layers):
        yield from ((f"model.layers.{layer}.{name}.weight", shape) for name, shape in block.items())
    yield "model.norm.weight", [dim]
    if not spec.tied:
        yield "lm_head.weight", [vocabulary, dim]
