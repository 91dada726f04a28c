"""What every loss over outcomes owes when the logits never stand whole: the same values and gradients as from dense scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor

from losses.case import Case, near
from lossworks.core.errors import UsageError
from lossworks.scores import chunked_head, dense, fused

PROPERTIES: dict[str, Callable[[Case], None]] = {}
WIDTH = 6


def chunked(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """A property of losses over fused scores."""
    PROPERTIES[check.__name__] = check
    return check


@contextmanager
def cut(chunk: int, tile: int, classes: int) -> Iterator[None]:
    """Chunks and tiles of so many rows."""
    with patch.object(chunked_head, "_CHUNK", (chunk, chunk)), patch.object(chunked_head, "_TILE", tile * classes):
        yield


def layer(case: Case, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, weight and bias that ask for gradients, and targets."""
    rng = torch.Generator().manual_seed(seed)
    sizes = (*shape, WIDTH), (case.classes, WIDTH), (case.classes,)
    given = [torch.randn(size, generator=rng, dtype=torch.float64).to(dtype).requires_grad_() for size in sizes]
    return given[0], given[1], given[2], torch.randint(case.classes, shape, generator=rng)


def by_dense(case: Case, given: tuple[Tensor, ...], weights: Tensor, **shape: float) -> tuple[Tensor, list[Tensor]]:
    """The weighted mean and its gradients, the logits whole."""
    hidden, weight, bias, target = given
    z = hidden @ weight.T + bias
    if "softcap" in shape:
        z = shape["softcap"] * torch.tanh(z / shape["softcap"])
    z = z / shape.get("temperature", 1.0)
    there = weights > 0  # what weighs nothing must not count, be it infinite
    values = case.loss(dense(z, target, **case.besides(target)))[there] * weights[there]
    mean = values.sum() / weights.sum().clamp_min(1e-300)
    return mean, list(torch.autograd.grad(mean, (hidden, weight, bias)))


def by_chunks(case: Case, given: tuple[Tensor, ...], weights: Tensor, **shape: float) -> tuple[Tensor, list[Tensor]]:
    """The same from fused scores."""
    hidden, weight, bias, target = given
    view = fused(hidden, weight, target, bias=bias, keep=weights > 0, **case.besides(target), **shape)
    mean = view.mean(case.loss, weights=weights)
    assert isinstance(mean, Tensor)
    return mean, list(torch.autograd.grad(mean, (hidden, weight, bias)))


def same(got: tuple[Tensor, list[Tensor]], want: tuple[Tensor, list[Tensor]]) -> None:
    """Equal values and gradients."""
    near(got[0], want[0], 1e-11)
    for one, other in zip(got[1], want[1], strict=True):
        near(one, other, 1e-11)


@chunked
def fused_is_dense(case: Case) -> None:
    """Any shape, mask and weights (all masked, one token), with softcap and temperature: values and gradients of dense."""
    ways: list[dict[str, float]] = [{}, {"softcap": 3.0}, {"temperature": 0.5}, {"softcap": 3.0, "temperature": 2.0}]
    for seed, (shape, kept) in enumerate((((5,), 0.3), ((2, 3), 1.1), ((), 1.1), ((1, 3, 2), 0.3), ((3,), 0.0), ((3, 0), 1.1))):
        how = ways[seed % 4]
        given = layer(case, *shape, seed=seed)
        rng = torch.Generator().manual_seed(seed)
        weights = torch.rand(shape, generator=rng, dtype=torch.float64) * (torch.rand(shape, generator=rng) < kept)
        with cut(2, 1, case.classes):
            same(by_chunks(case, given, weights, **how), by_dense(case, given, weights, **how))


@chunked
def fused_chunks(case: Case) -> None:
    """However the positions are cut into chunks and tiles."""
    given, weights = layer(case, 13), torch.rand(13, dtype=torch.float64)
    want = by_dense(case, given, weights)
    for chunk, tile in ((1, 1), (2, 5), (5, 2), (13, 4), (99, 99)):
        with cut(chunk, tile, case.classes):
            same(by_chunks(case, given, weights), want)


@chunked
def fused_values(case: Case) -> None:
    """Values one by one, differentiated by whatever is made of them: also those of dense."""
    hidden, weight, bias, target = layer(case, 3, 3)
    grad_output = torch.randn(3, 3, dtype=torch.float64)
    with cut(2, 1, case.classes):
        got = fused(hidden, weight, target, bias=bias, **case.besides(target)).values(case.loss)
        slopes = torch.autograd.grad((got * grad_output).sum(), (hidden, weight, bias))
    want = case(hidden @ weight.T + bias, target)
    same((got, list(slopes)), (want, list(torch.autograd.grad((want * grad_output).sum(), (hidden, weight, bias)))))


@chunked
def fused_precision(case: Case) -> None:
    """In float32 and bfloat16 the gradients are no further from float64's than those of dense scores in the same precision."""
    for dtype in (torch.float32, torch.bfloat16):
        errors = torch.zeros(3, 2)  # squared: ours, dense's and the size, of the hidden states and of the layer
        for seed in range(2):
            given, weights = layer(case, 150, seed=seed, dtype=dtype), torch.ones(150)
            exact = tuple(t.detach().double().requires_grad_() for t in given[:3])
            truth = _parts(by_dense(case, (*exact, given[3]), weights.double())[1])
            with cut(64, 32, case.classes):
                got = _parts(by_chunks(case, given, weights)[1])
            whole = _parts(by_dense(case, given, weights)[1])
            errors += torch.tensor([[float(part.square().sum()) for part in row] for row in (got - truth, whole - truth, truth)])
        ours, dense_ones, size = errors.sqrt()
        room = torch.finfo(dtype).eps * size / 2  # and the normaliser is rounded once more than in dense scores
        assert (ours <= 1.5 * dense_ones + room).all(), f"{dtype}: gradients are {ours.tolist()} off, {dense_ones.tolist()} dense"


def _parts(gradients: list[Tensor]) -> np.ndarray:
    """Into the hidden states, and into weight and bias together."""
    flat = [gradient.double().flatten() for gradient in gradients]
    parts = np.empty(2, dtype=object)
    parts[:] = [flat[0], torch.cat(flat[1:])]
    return parts


def fused_refuses(case: Case) -> None:
    """A loss whose positions interact is refused, with the remedy: chunks would change it."""
    hidden, weight, bias, target = layer(case, 4)
    view = fused(hidden, weight, target, bias=bias)
    for run in (view.mean, view.values):
        with pytest.raises(UsageError, match="dense"):
            run(case.loss)


REFUSAL: dict[str, Callable[[Case], None]] = {"fused_refuses": fused_refuses}
