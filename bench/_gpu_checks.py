"""What must come out the same on a device as in float64 on the CPU, layer by layer: scores and optimisers."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fused as of_fused
import optimizers as of_optimizers
import torch
from _gpu import DTYPES, Check, Place, worst
from torch import Tensor, distributed, nn
from torch.nn import functional

from lossworks import losses
from lossworks.optim import Optimizer, Stepper, build, optimizers
from lossworks.scores import Scores, TopK, dense, fused, sharded

SCORES = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 4e-2}
"""Limits of values and gradients."""
MOVED = {"float64": 1e-4, "float32": 2e-2}
"""Limits of weights after some steps, as a share of the way that they went."""
_FINE = ("lbfgs", "soap")
"""A search and a basis make much of the rounding of float32."""
_JUMPS = ("hinge", "total_variation")
"""Losses whose gradient jumps where two numbers are equal, as they often are in bfloat16."""
Given = dict[str, Any]


def fused_scores(on: Place) -> Iterator[Check]:
    """Every loss over outcomes, its mean, values and gradients; options of the head; statistics."""
    every = [entry.name for entry in losses.losses if of_fused._whole(entry.name)]
    names = on.some(every, "cross_entropy", "entmax15", "forward_kl")
    cases: list[tuple[str, str, Given]] = [(name, name, {}) for name in names]
    cases += [
        ("label smoothing", "cross_entropy:label_smoothing=0.1", {}),
        ("teacher of the largest alone", "forward_kl", {"top": True}),
        ("positions left out", "cross_entropy", {"keep": True, "shift": 1}),
        ("softcap, temperature, bias", "cross_entropy", {"softcap": 5.0, "temperature": 0.7, "bias": True}),
    ]
    for dtype in DTYPES:
        for name, spec, how in cases:
            if spec not in _JUMPS or dtype == "float32":
                limit = 0.03 if spec in _JUMPS else SCORES[dtype]
                yield Check(f"{name}, {dtype}", limit, partial(_fused_error, on, dtype, spec, how))


def _sizes(on: Place) -> tuple[int, int, int]:
    return (48, 16, 40) if on.tiny else (512, 256, 2000)


def _fused_error(on: Place, dtype: str, spec: str, how: Given) -> float:
    n, d, v = _sizes(on)
    hidden, weight, target = of_fused.layer(n, d, v, DTYPES[dtype])
    loss: Any = losses.build(spec).with_counts(tuple(float(1 + i % 100) for i in range(v)))
    rng = torch.Generator().manual_seed(1)
    said, bias = torch.randn(n, v, generator=rng), torch.randn(v, generator=rng).to(DTYPES[dtype])
    negatives, keep = torch.randint(v, (n, 4), generator=rng), torch.rand(n, generator=rng) < 0.5
    options = {key: how[key] for key in ("softcap", "temperature", "shift") if key in how}

    def beside(device: str, at: torch.dtype) -> Given:
        logits = said.to(device, at)
        top = logits.log_softmax(-1).topk(8)
        teacher = TopK(top.indices, top.values) if "top" in how else dense(logits, target.to(device))
        return {"teacher": teacher, "negatives": negatives.to(device)}

    def ours() -> list[Tensor]:
        states, table = (t.detach().to(on.device).requires_grad_() for t in (hidden, weight))
        given = options | beside(on.device, torch.float32)
        given |= {"keep": keep.to(on.device)} if "keep" in how else {}
        given |= {"bias": bias.to(on.device)} if "bias" in how else {}
        scores = fused(states, table, target.to(on.device), **given)
        mean, also = scores.mean(loss, also=("logp", "entropy"))
        values = scores.values(loss)
        by_mean = torch.autograd.grad(mean, (states, table))
        return [mean, values, also["logp"], also["entropy"], *by_mean, *torch.autograd.grad(values.sum(), (states, table))]

    def plain() -> list[Tensor]:
        states, table = (t.detach().double().requires_grad_() for t in (hidden, weight))
        z = states @ table.T + (bias.double() if "bias" in how else 0.0)
        z = z if "softcap" not in how else how["softcap"] * (z / how["softcap"]).tanh()
        shift, last = how.get("shift", 0), torch.arange(n) < n - how.get("shift", 0)
        rows = (last & keep.roll(-shift) if "keep" in how else last).nonzero()[:, 0]
        scores = dense(z / how.get("temperature", 1.0), target.roll(-shift), **beside("cpu", torch.float64)).rows(rows)
        each = [torch.zeros(n, dtype=z.dtype).index_copy(0, rows, x) for x in (loss(scores), scores.logp, scores.entropy)]
        slopes = torch.autograd.grad(each[0].sum(), (states, table))
        return [each[0].sum() / len(rows), *each, *(slope / len(rows) for slope in slopes), *slopes]

    return worst(ours(), plain())


def sharded_scores(on: Place) -> Iterator[Check]:
    """The outcomes divided among one process: the same all-reduces, by NCCL on CUDA and by gloo elsewhere."""
    for spec in ("cross_entropy", "focal", "entropy", "forward_kl"):
        yield Check(f"{spec}, float32", SCORES["float32"], partial(_sharded_error, on, spec))


@contextmanager
def _alone(on: Place) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        if on.is_cuda:
            torch.cuda.set_device(torch.device(on.device).index or 0)
        meet = f"file://{Path(folder).resolve()}/meet"
        distributed.init_process_group("nccl" if on.is_cuda else "gloo", init_method=meet, rank=0, world_size=1)
        try:
            yield
        finally:
            distributed.destroy_process_group()


def _sharded_error(on: Place, spec: str) -> float:
    n, _, v = _sizes(on)
    loss, rng = losses.build(spec), torch.Generator().manual_seed(0)
    logits, said = torch.randn(n, v, generator=rng), torch.randn(n, v, generator=rng)
    target = torch.randint(v, (n,), generator=rng)

    def quantities(make: Callable[..., Scores], device: str, dtype: torch.dtype) -> list[Tensor]:
        z, aim = logits.clone().to(device, dtype).requires_grad_(), target.to(device)
        values = loss(make(z, aim, teacher=make(said.to(device, dtype), aim)))  # type: ignore[operator]
        values.sum().backward()
        return [values, z.grad]

    with _alone(on):
        found = quantities(sharded, on.device, torch.float32)
    return worst(found, quantities(dense, "cpu", torch.float64))


def all_optimizers(on: Place) -> Iterator[Check]:
    """Every registered optimiser over some steps of a small Transformer; PyTorch's own, fused and by foreach, in our stepper."""
    for name in on.some([entry.name for entry in optimizers], "adamw", "muon", "sophia", "soap"):
        for dtype in ("float64",) if name in _FINE else MOVED:
            coarse = name == "muon" and dtype == "float32"  # in bfloat16 on some processors: then on both sides of the comparison
            limit = 0.2 if coarse else MOVED[dtype]
            spec = "soap:max_dim=16" if name == "soap" else name  # of a side that gradients do not fill, any basis will do
            spec = "muon:precision=bfloat16" if coarse else spec
            yield Check(f"{name}, {dtype}", limit, partial(_moved_error, on, dtype, build(spec)))
    for how in ("fused", "foreach"):
        options: dict[str, Any] = {"lr": 1e-3, how: True}
        of_torch = build(partial(torch.optim.AdamW, **options))
        yield Check(f"AdamW of PyTorch, {how}, float32", MOVED["float32"], partial(_moved_error, on, "float32", of_torch))
    plain = build("adamw:weight_decay=0.1,coupled=true,decay_all=true")
    error = partial(_moved_error, on, "float32", plain, clip=0.5, ema=0.9)
    yield Check("adamw, coupled decay, clipped, averaged", MOVED["float32"], error)


def _moved_error(on: Place, dtype: str, optimizer: Optimizer, **how: Any) -> float:
    start = _small(torch.float64)
    before = [p.detach().clone() for p in start.parameters()]

    def after(device: str, at: torch.dtype) -> list[Tensor]:
        model = copy.deepcopy(start).to(device, at)
        ids, drawn = _ids().to(device), _ids(1)[:, 1:].flatten().to(device)

        def outputs() -> Tensor:
            return model(ids[:, :-1]).flatten(0, 1)

        trial = of_optimizers.Trial(
            model,
            lambda number, stepper: functional.cross_entropy(outputs(), ids[:, 1:].flatten()),
            lambda number, stepper: (functional.cross_entropy(outputs(), drawn), len(drawn)),
            lambda: 0.0,
        )
        stepper = Stepper(optimizer, model, **how)
        for number in range(6):
            of_optimizers._step(trial, stepper, number)
        stepper.eval_weights()
        return [p.detach().cpu().double() - b for p, b in zip(model.parameters(), before, strict=True)]

    return worst(after(on.device, getattr(torch, dtype)), after("cpu", torch.float64))


def _small(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return of_optimizers.Characters(20, width=16, context=16).to(dtype)


def _ids(seed: int = 0) -> Tensor:
    return torch.randint(20, (6, 17), generator=torch.Generator().manual_seed(seed))
