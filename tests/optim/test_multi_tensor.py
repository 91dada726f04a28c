"""One compiled pass over many tensors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lossworks.optim import build, foreach, multi_tensor
from lossworks.optim.rules import lion

SIZES = (0, 1, 5, 70_000, 3, 80_000, 17, 1)  # together enough for threads, which divide them within the large ones
SPECS = (
    *("adan:weight_decay=0.1", "ademamix", "lion", "prodigy:d0=0.01", "schedule_free_adamw", "schedule_free_sgd"),
    *("adadelta", "adamax", "nadam", "radam", "rmsprop:weight_decay=0.1,coupled=true"),
)


def stepped(spec: str, weights: list[Tensor], steps: int = 3) -> list[Tensor]:
    """Where the weights end, with gradients that stand elsewhere in memory at every step."""
    parameters = [torch.nn.Parameter(w.clone(memory_format=torch.preserve_format)) for w in weights]
    optimizer = build(spec).over(parameters)
    kept = []
    for step in range(steps):
        for number, p in enumerate(parameters):
            rng = torch.Generator().manual_seed(100 * step + number)
            kept.append(torch.randn(p.numel() + 3, generator=rng).to(p.dtype)[3:].view(p.shape))
            p.grad = kept[-1]
        optimizer.step()
    return [p.detach() for p in parameters]


def alone(spec: str, weights: list[Tensor], number: int) -> Tensor:
    """Where one of them ends if it is stepped by itself: the others are there, and empty."""
    return stepped(spec, [w if n == number else w[:0] for n, w in enumerate(weights)])[number]


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_bits_however_they_are_divided(spec: str, threads: Callable[[int], None]) -> None:
    """On one thread, on three, and, where nothing is common to all, each tensor alone."""
    weights = [torch.randn(size, generator=torch.Generator().manual_seed(size)) for size in SIZES]
    threads(1)
    wanted = stepped(spec, weights)
    if not spec.startswith("prodigy"):
        assert all(torch.equal(wanted[n], alone(spec, weights, n)) for n in range(len(weights)))
    threads(3)
    assert all(map(torch.equal, wanted, stepped(spec, weights)))


def test_any_mixture_of_types_and_layouts() -> None:
    """What compiled code cannot work on goes another way, and leaves the others where they are."""
    plain = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    weights = [plain, plain.double(), plain.bfloat16(), plain.t(), plain + 1, plain.double() - 1]
    for spec in [spec for spec in SPECS if not spec.startswith("prodigy")]:
        together = stepped(spec, weights)
        assert all(torch.equal(together[n], alone(spec, weights, n)) for n in range(len(weights)))
        laid_out_anew = [w.contiguous() for w in weights]
        torch.testing.assert_close(together[3], alone(spec, laid_out_anew, 3))


def test_a_state_of_another_size_is_refused() -> None:
    """Compiled code would write past its end."""
    small, large = (build("lion").over([torch.nn.Parameter(torch.ones(size))]) for size in (3, 3000))
    for optimizer in (small, large):
        (p,) = optimizer.param_groups[0]["params"]
        p.grad = torch.ones_like(p)
        optimizer.step()
    large.load_state_dict(small.state_dict())
    with pytest.raises(RuntimeError, match="3"):
        large.step()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_loop_is_the_rule(kind: torch.dtype) -> None:
    """On every number of every tensor, and on none beside."""
    rng = torch.Generator().manual_seed(0)
    memory = [torch.randn(100, generator=rng, dtype=kind) for _ in range(3)]
    places = [slice(1, 4), slice(4, 4), slice(10, 57), slice(99, 100)]
    numbers = [(0.1 * n, 0.9, 0.8, 0.2, 0.7, 0.3) for n in range(1, 5)]
    wanted = [m.clone() for m in memory]
    for place, own in zip(places, numbers, strict=True):
        after = lion._rule.py_func(*(m[place].numpy() for m in memory), *own)
        wanted[1][place], wanted[2][place] = map(torch.from_numpy, after)
    multi_tensor.run(lion._rule, [(tuple(m[place] for m in memory), own) for place, own in zip(places, numbers, strict=True)])
    torch.testing.assert_close(memory, wanted, rtol=1e-6, atol=1e-6)
    assert all(torch.equal(m[57:99], w[57:99]) for m, w in zip(memory, wanted, strict=True))


def test_the_loop_is_compiled_once_for_all_processes() -> None:
    """A fresh process finds it on disk."""
    stepped("lion", [torch.ones(3)])
    program = """
import torch
from lossworks.optim import multi_tensor
from lossworks.optim.rules import lion
multi_tensor.run(lion._rule, [((torch.ones(3), torch.ones(3), torch.zeros(3)), (0.1, 0.9, 0.8, 0.2, 0.7, 0.3))])
stats = multi_tensor._loop(lion._rule, 3).stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("spec", SPECS)
def test_pytorch_steps_as_the_compiled_loop_does(spec: str, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where compiled code works on nothing, in several goes or in one, weights go the same way; in half precision as exactly as
    those hold numbers.
    """
    weights = [
        torch.randn(size, generator=torch.Generator().manual_seed(size), dtype=torch.float64).to(kind) for size in (5, 70, 3)
    ]
    wanted = stepped(spec, [w.double() for w in weights])
    monkeypatch.setattr("lossworks.optim.custom.runs_compiled", lambda tensors: False)
    for at_once in (2**26, 73, 1):
        monkeypatch.setattr("lossworks.optim.foreach._AT_ONCE", at_once)
        near = {"rtol": 1e-12, "atol": 1e-14} if kind == torch.float64 else {"rtol": 0.02, "atol": 0.02}
        torch.testing.assert_close([w.double() for w in stepped(spec, weights)], wanted, **near)


def test_pytorch_is_called_for_all_tensors_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often for twenty as for two: on a GPU each call takes its time."""
    monkeypatch.setattr("lossworks.optim.custom.runs_compiled", lambda tensors: False)
    called = []
    monkeypatch.setattr("lossworks.optim.foreach.Together.__add__", lambda a, b: called.append(1) or _added(a, b))
    for count in (2, 20):
        called.append(0)
        stepped("ademamix", [torch.ones(2)] * count, steps=1)
    assert called[: len(called) // 2] == called[len(called) // 2 :] == [0, *[1] * (len(called) // 2 - 1)]
    assert len(called) > 2


def _added(a: foreach.Together, b: foreach.Together | float) -> foreach.Together:
    return foreach.Together(
        [x + y for x, y in zip(a.tensors, b.tensors, strict=True)]
        if isinstance(b, foreach.Together)
        else [x + b for x in a.tensors]
    )
