"""Fused scores on threads of ours: the same bits on any number, errors from anywhere, and nothing of the caller's changed."""

from __future__ import annotations

import contextvars
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from lossworks import losses
from lossworks.core.torch_threads import torch_threads
from lossworks.engine.denormals import flushed
from lossworks.scores import Scores, chunked_head, dense, fused, heads

N, D, V = 40, 8, 300  # in bfloat16 26 positions are one chunk, 40 are not
READS_ALL = losses.build("entropy+0.1*focal")
NOTE: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="")


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tasks a step: chunks of 16 positions (unless all are one), tiles of 3, gradients of 4 positions and 64 outcomes."""
    monkeypatch.setattr(chunked_head, "_CHUNK", (16, 16))
    monkeypatch.setattr(chunked_head, "_TILE", 3 * V)
    monkeypatch.setattr(heads, "_ROWS", (4, 4))
    monkeypatch.setattr(heads, "_WIDTH", (64, 64))
    monkeypatch.setattr(heads, "_LEAST", 1)


def given(dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """Hidden states, weight and bias, and targets."""
    sizes = (N, D), (V, D), (V,)
    return [torch.randn(size, dtype=dtype).requires_grad_() for size in sizes], torch.randint(V, (N,))


def everything(tensors: list[Tensor], target: Tensor, read: Callable[[Scores], Tensor], **how: Any) -> list[Tensor]:
    """The mean, a metric, values, and gradients of the mean (twice, at two slopes) and of values."""
    hidden, weight, bias = tensors
    view = fused(hidden, weight, target, bias=bias, **how)
    mean, also = view.mean(read, also=("argmax",))
    first = torch.autograd.grad(mean, tensors, retain_graph=True)
    again = torch.autograd.grad(mean * 3, tensors)
    values = view.values(read)
    return [mean, also["argmax"], values, *first, *again, *torch.autograd.grad(values.sum(), tensors)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("positions", [{}, {"keep": torch.arange(N) % 3 > 0}])
def test_the_same_bits(dtype: torch.dtype, positions: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """On 1, 2 and 4 threads, in whatever order tasks are done and end, one caller or two at once; and they are right."""
    tensors, target = given(dtype)
    want = everything(tensors, target, READS_ALL, **positions)
    seen: set[str] = set()

    def slow(scores: Scores) -> Tensor:
        seen.add(threading.current_thread().name)
        time.sleep(random.random() * 2e-3)
        return READS_ALL(scores)

    def on(threads: int) -> list[Tensor]:
        with torch_threads(threads):
            return everything(tensors, target, slow, **positions)

    runs = [on(2), on(4)]
    assert len([name for name in seen if "lossworks-torch" in name]) >= 2
    with ThreadPoolExecutor(2) as callers:
        runs += callers.map(on, (3, 2))

    @contextmanager
    def shuffling(count: int) -> Iterator[Callable[[Sequence[Callable[[], Any]]], list[Any]]]:
        def do(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
            done = {i: tasks[i]() for i in random.sample(range(len(tasks)), len(tasks))}
            return [done[i] for i in range(len(tasks))]

        yield do

    monkeypatch.setattr(chunked_head, "team", shuffling)
    runs.append(on(1))
    for got in runs:
        assert [i for i, pair in enumerate(zip(got, want, strict=True)) if not torch.equal(*pair)] == []
    exact = [t.detach().double().requires_grad_() for t in tensors]
    kept = positions.get("keep", torch.ones(N, dtype=torch.bool))
    whole = READS_ALL(dense(exact[0] @ exact[1].T + exact[2], target))[kept].mean()
    for got, right in zip(want[3:6], torch.autograd.grad(whole, exact), strict=True):
        assert (got.double() - right).norm() < (1e-5 if dtype == torch.float32 else 0.04) * right.norm()


def test_the_caller_s_modes() -> None:
    """Tasks run as the caller would: gradients, inference mode, denormals, context variables; PyTorch on one thread each."""
    tensors, target = given(torch.float32)
    tiny, seen = torch.tensor(1e-39), set()

    def note(scores: Scores) -> Tensor:
        gradients = torch.is_grad_enabled()
        with torch.no_grad():
            flushes = float(tiny * 1) == 0
        seen.add((gradients, torch.is_inference_mode_enabled(), flushes, NOTE.get(), torch.get_num_threads()))
        return scores.logp

    def run() -> None:
        NOTE.set("mine")
        fused(tensors[0], tensors[1], target).mean(note)

    with torch_threads(2):
        contextvars.copy_context().run(run)
        assert seen == {(True, False, False, "mine", 1)}
        seen.clear()
        with flushed(), torch.inference_mode():
            fused(tensors[0], tensors[1], target).mean(note)
        assert seen == {(False, True, True, "", 1)}


def test_an_error_in_a_task() -> None:
    """It reaches the caller, from the mean and from a backward pass; threads and their number are as before, and all works on."""
    tensors, target = given(torch.float32)
    hidden, weight, _ = tensors
    fails: list[bool] = []

    def failing(scores: Scores) -> Tensor:
        if fails and (scores.target == target[22]).any():
            raise ValueError("out of tiles")
        return scores.logp

    before = threading.active_count()
    begin = ThreadPoolExecutor(1).submit(torch.get_num_threads).result()
    with torch_threads(3):
        values = fused(hidden, weight, target).values(failing)
        fails.append(True)
        for run in (lambda: fused(hidden, weight, target).mean(failing), lambda: values.sum().backward()):
            with pytest.raises(ValueError, match="out of tiles"):
                run()
            assert torch.get_num_threads() == 3
            with ThreadPoolExecutor(1) as later:
                assert later.submit(torch.get_num_threads).result() == begin
            assert threading.active_count() == before
        fails.clear()
        assert torch.isfinite(fused(hidden, weight, target).mean(failing))


@pytest.mark.parametrize(("worth", "ours", "wanted"), [(0, None, 3), (0, 2, 2), (1e9, None, 1)])
def test_threads_of_ours_where_pytorch_has_one(
    worth: float, ours: int | None, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as PyTorch had before, or as is said; small work stays on the one. Afterwards PyTorch's number counts again."""
    monkeypatch.setattr(chunked_head, "_WORTH_SHARING", worth)
    asked: list[int] = []
    team = chunked_head.team
    monkeypatch.setattr(chunked_head, "team", lambda count: asked.append(count) or team(count))
    tensors, target = given(torch.float32)
    with torch_threads(3, ours=3):
        with torch_threads(1, ours=ours):
            everything(tensors, target, READS_ALL)
        assert set(asked) == {wanted}
        asked.clear()
        with torch_threads(2), torch_threads(1):  # each gives PyTorch fewer, and none takes from ours
            everything(tensors, target, READS_ALL)
        assert set(asked) == {3 if not worth else 1}
    asked.clear()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        everything(tensors, target, READS_ALL)
        assert set(asked) == {2}
    finally:
        torch.set_num_threads(before)
