"""What is timed on a device: the last layer with cross-entropy, steps of a GPT, steps of optimisers; each beside its peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import fused as of_fused
import torch
from _gpt import Gpt
from _gpu import Place, Skipped, timed
from torch import Tensor, nn

from lossworks import losses, scores
from lossworks.models.transformer import TransformerSpec
from lossworks.optim import build
from lossworks.scores import chunked_head

Figures = dict[str, float]


@dataclass(frozen=True)
class Timing:
    """One row of a table: a ``name`` among the sides of ``what``; ``measure()`` gives its figures."""

    what: str
    name: str
    measure: Callable[[], Figures]


def last_layer(on: Place) -> Iterator[Timing]:
    """The last layer and cross-entropy, forward and backward, in bfloat16: D 4,096, V 128k."""
    for n in (64,) if on.tiny else (8192, 16_384, 32_768):
        d, v = (16, 96) if on.tiny else (4096, 131_072)
        eager, chunked = of_fused.SIDES["eager"], of_fused.SIDES["torch chunked"]
        sides = {"ours": of_fused.ours, "eager": eager, "PyTorch's, in chunks": chunked, "Liger": _liger, "CCE": _cce}
        sides |= {"ours, chunks of 4,096": _in_chunks}
        for name, side in sides.items():
            yield Timing(f"last layer, {n:,} x {d:,} x {v:,}", name, partial(_layer_time, on, side, n, d, v))


def _layer_time(on: Place, side: Any, n: int, d: int, v: int) -> Figures:
    hidden, weight, target = of_fused.layer(n, d, v, torch.bfloat16, on.device)
    found = timed(side(hidden, weight, target), on)
    return found | {"TFLOP/s": 6 * n * d * v / found["ms"] / 1e9}


def _in_chunks(hidden: Tensor, weight: Tensor, target: Tensor) -> Callable[[], None]:
    step = of_fused.ours(hidden, weight, target)

    def run() -> None:
        with mock.patch.object(chunked_head, "_CHUNK", (256, 4096)):
            step()

    return run


def _liger(hidden: Tensor, weight: Tensor, target: Tensor) -> Callable[[], None]:
    try:
        from liger_kernel.transformers.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyLoss
    except ImportError:
        raise Skipped("not installed (liger-kernel)") from None
    loss = LigerFusedLinearCrossEntropyLoss()
    return of_fused._step(hidden, weight, lambda: loss(weight, hidden, target))


def _cce(hidden: Tensor, weight: Tensor, target: Tensor) -> Callable[[], None]:
    try:
        from cut_cross_entropy import linear_cross_entropy
    except ImportError:
        raise Skipped("not installed (cut-cross-entropy)") from None
    return of_fused._step(hidden, weight, lambda: linear_cross_entropy(hidden, weight, target))


def gpt(on: Place) -> Iterator[Timing]:
    """Training of a GPT of 124 million weights at 1,024 tokens a row, in bfloat16, by AdamW; MFU against a large product."""
    peak = _product(on)
    sides: dict[str, tuple[Callable[..., Any], bool]] = {
        "ours": (_ours, False),
        "plain": (_plain, False),
        "plain, torch.compile": (_plain, True),
        "ours, torch.compile": (_ours, True),
    }
    for name, (side, compiled) in sides.items():
        if not (compiled and on.tiny):  # on a CPU it takes a minute
            yield Timing(f"GPT, MFU of {peak:.4g} TFLOP/s measured", name, partial(_gpt_time, on, side, compiled, peak))


def _product(on: Place) -> float:
    """TFLOP/s of a large matrix product in bfloat16."""
    n = 64 if on.tiny else 8192
    a, b = (torch.randn(n, n, device=on.device).bfloat16() for _ in range(2))
    return 2 * n**3 / timed(lambda: a @ b, on)["ms"] / 1e9


def _gpt_time(on: Place, side: Callable[..., Any], compiled: bool, peak: float) -> Figures:
    sizes = (1, 2, 16, 16) if on.tiny else (12, 12, 768, 1024)
    shape = dict(zip(("layers", "heads", "width", "context"), sizes, strict=True))
    vocabulary, rows = (100, 2) if on.tiny else (50_304, 16)
    ids = torch.randint(vocabulary, (rows, shape["context"] + 1), device=on.device)
    torch.manual_seed(0)
    model, loss, optimizer = side(on, vocabulary, shape, compiled)
    given, target = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    def step() -> None:
        loss(given, target).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    found, size = timed(step, on), sum(p.numel() for p in model.parameters())
    speed = 1e3 * given.numel() / found["ms"]
    products = 6 * size + 12 * shape["layers"] * shape["width"] * shape["context"]  # a token: Chowdhery et al. 2022, appendix B
    return found | {"tokens/s": speed, "MFU": speed * products / peak / 1e12, "weights": float(size)}


def _ours(on: Place, vocabulary: int, shape: dict[str, int], compiled: bool) -> Any:
    spec = TransformerSpec(layers=shape["layers"], heads=shape["heads"], dim=shape["width"], context=shape["context"])
    model, entropy = spec.network(vocabulary).to(on.device), losses.build("cross_entropy")
    hidden: Any = torch.compile(model.hidden) if compiled else model.hidden

    def loss(given: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(torch.device(on.device).type, torch.bfloat16):
            states = hidden(given)
            return scores.fused(states, model.head, target).mean(entropy)  # type: ignore[call-overload]

    return model, loss, build("adamw:lr=6e-4,weight_decay=0.1").over(model)


def _plain(on: Place, vocabulary: int, shape: dict[str, int], compiled: bool) -> Any:
    model = Gpt(vocabulary, shape["layers"], shape["heads"], shape["width"], shape["context"]).to(on.device)
    run: Any = torch.compile(model) if compiled else model

    def loss(given: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(torch.device(on.device).type, torch.bfloat16):
            return run(given, target)

    return model, loss, torch.optim.AdamW(model.parameters(), 6e-4, weight_decay=0.1, fused=True)


def optimizer_steps(on: Place) -> Iterator[Timing]:
    """A step of 100 million weights in 24 matrices, gradients there: ours, and PyTorch's where it has the same."""
    torchs: dict[str, Callable[..., Any]] = {
        "adamw": partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.1, fused=True),
        "sgd": partial(torch.optim.SGD, lr=1e-3, fused=True),
        "adagrad": partial(torch.optim.Adagrad, lr=1e-3, foreach=True),
        "adafactor": partial(torch.optim.Adafactor, lr=1e-3),
        "muon": partial(torch.optim.Muon, lr=1e-3, adjust_lr_fn="match_rms_adamw"),
    }
    for name in (*torchs, "lion", "adan", "prodigy", "schedule_free_adamw", "soap"):
        yield Timing("optimisers, 24 x 2048 x 2048", f"{name}, ours", partial(_step_time, on, name, None))
        if name in torchs:
            yield Timing("optimisers, 24 x 2048 x 2048", f"{name}, PyTorch's", partial(_step_time, on, name, torchs[name]))


def _step_time(on: Place, name: str, theirs: Callable[..., Any] | None) -> Figures:
    count, width = (2, 8) if on.tiny else (24, 2048)
    model = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(count)).to(on.device)
    for p in model.parameters():
        p.grad = torch.randn_like(p) * 1e-3
    optimizer = build(name).over(model) if theirs is None else theirs(model.parameters())
    return timed(optimizer.step, on)
