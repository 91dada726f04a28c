"""What networks must say and learn on a device as in float64 on the CPU, ours and one of transformers."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from _gpu import Check, Place, Skipped, worst
from torch import Tensor, nn

from lossworks import losses
from lossworks.data import Batch
from lossworks.models.bag import BagSpec
from lossworks.models.linear import LinearSpec
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.scores import fused


def networks(on: Place) -> Iterator[Check]:
    """States, losses, gradients and some steps of networks over tokens, and of what reads bags of n-grams."""
    size: dict[str, Any] = {"dim": 16} if on.tiny else {"dim": 256}
    specs: dict[str, Any] = {
        "transformer": TransformerSpec(layers=2, heads=4, context=64, **size),
        "transformer, shared heads and a window": TransformerSpec(layers=2, heads=4, kv_heads=2, window=5, context=64, **size),
        "rnn, LSTM": RnnSpec(layers=2, cell="lstm", **size),
        "rnn, GRU": RnnSpec(layers=2, cell="gru", **size),
    }
    for name, spec in specs.items():
        for dtype, limit in (("float32", 2e-2 if "rnn" in name else 1e-3), ("bfloat16", 0.1)):  # cuDNN's products are in TF32
            yield Check(f"{name}, {dtype}", limit, partial(_network_error, on, spec.network(50), dtype, name == "transformer"))
    for name, spec in {"linear": LinearSpec(), "bag": BagSpec(hidden=8)}.items():
        yield Check(f"{name}, float32", 1e-4, partial(_bag_error, on, spec))


def _network_error(on: Place, network: nn.Module, dtype: str, packs: bool) -> float:
    ids = torch.randint(50, (4, 25), generator=torch.Generator().manual_seed(0))
    documents = torch.arange(24).div(7, rounding_mode="floor").expand(4, -1)

    def quantities(device: str, exact: bool) -> list[Tensor]:
        net = copy.deepcopy(network).to(device, torch.float64 if exact else torch.float32).train()
        given, target, entropy = ids[:, :-1].to(device), ids[:, 1:].to(device), losses.build("cross_entropy")
        before, seen = [p.detach().clone() for p in net.parameters()], []
        for apart in (None, documents.to(device) if packs else None, None):
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=dtype == "bfloat16" and not exact):
                states = net.hidden(given, apart)  # type: ignore[operator]
            states = states.to(before[0].dtype)
            mean = fused(states, net.head, target).mean(entropy)  # type: ignore[call-overload]
            mean.backward()
            seen += [mean, states]
            with torch.no_grad():
                for p in net.parameters():
                    if p.grad is not None:
                        p.sub_(p.grad, alpha=0.1)
                        p.grad = None
        moved = (p - b for p, b in zip(net.parameters(), before, strict=True))
        return [*seen, torch.cat([part.flatten() for part in moved])]

    return worst(quantities(on.device, False), quantities("cpu", True))


def _bag_error(on: Place, spec: Any) -> float:
    rng = np.random.default_rng(0)
    sizes, features = rng.integers(0, 9, 32), 500
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ids, values = rng.integers(features, size=offsets[-1]).astype(np.uint32), rng.random(offsets[-1]).astype(np.float32)
    batch = Batch(ids, offsets, values, torch.empty(0), torch.empty(0))
    network = spec.network(features, 3, 0).eval()
    with torch.no_grad():
        for number, p in enumerate(network.parameters()):
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(number)))

    def quantities(device: str, dtype: torch.dtype) -> list[Tensor]:
        net = copy.deepcopy(network).to(device, dtype)
        outputs = net(batch)
        outputs.square().sum().backward()
        return [outputs, *(p.grad for p in net.parameters() if p.grad is not None)]

    return worst(quantities(on.device, torch.float32), quantities("cpu", torch.float64))


def pretrained(on: Place) -> Iterator[Check]:
    """A small Llama of transformers with weights drawn here, and adapters on it."""
    for lora in (None, 2):
        yield Check(f"hf, lora={lora}, float32", 1e-3, partial(_hf_error, on, lora))


def _hf_error(on: Place, lora: int | None) -> float:
    try:
        import transformers
    except ImportError:
        raise Skipped("transformers is not installed") from None
    if lora is not None:
        try:
            import peft  # noqa: F401
        except ImportError:
            raise Skipped("peft is not installed") from None
    from lossworks.models.hf.model import load_hf

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    with tempfile.TemporaryDirectory() as folder:
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
        return _network_error(on, load_hf(folder, lora=lora).network, "float32", False)
