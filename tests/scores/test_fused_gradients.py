"""Fused scores in every way that PyTorch takes a gradient: twice, under checkpoints, tied, in half precision, compiled."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import lossworks
from lossworks import losses
from lossworks.core.errors import UsageError
from lossworks.scores import dense, fused
from scores.layer import CLASSES, LOSS, WIDTH, Counted, close, layer

# --- ways of taking gradients


def test_backward_twice() -> None:
    """With retain_graph the same gradient again, though the first was handed out; without, PyTorch's error."""
    hidden, weight, target = layer(20)
    mean = fused(hidden, weight, target).mean(LOSS)
    first = torch.autograd.grad(mean, (hidden, weight), retain_graph=True)
    kept = [g.clone() for g in first]
    (3 * mean).backward(retain_graph=True)
    close([hidden.grad, weight.grad], [3 * g for g in kept])
    close(list(first), kept)  # what was handed out was not written to
    mean.backward()
    close([hidden.grad, weight.grad], [4 * g for g in kept])
    with pytest.raises(RuntimeError, match="second time"):
        mean.backward()


def test_a_change_between_two_backwards_is_noticed() -> None:
    """The gradient is made again from what was given: a step in between would falsify it."""
    hidden, weight, target = layer(20)
    mean = fused(hidden, weight, target).mean(LOSS)
    mean.backward(retain_graph=True)
    with torch.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        mean.backward()


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant: bool) -> None:
    """Under gradient checkpointing of either kind, for the mean and for values."""
    hidden, weight, target = layer(20)
    for run in (lambda h, w: fused(h, w, target).mean(LOSS), lambda h, w: fused(h, w, target).values(LOSS).mean()):
        want = torch.autograd.grad(run(hidden, weight), (hidden, weight))
        checkpoint(run, hidden, weight, use_reentrant=reentrant).backward()
        close([hidden.grad, weight.grad], list(want))
        hidden.grad = weight.grad = None


def test_tied_weights() -> None:
    """The embedding and the head are one parameter: its gradient is the sum."""
    _, weight, target = layer(20)
    inputs = torch.randint(CLASSES, (20,))
    got, want = (
        torch.autograd.grad(run(functional.embedding(inputs, weight)), weight)[0]
        for run in (lambda h: fused(h, weight, target).mean(LOSS), lambda h: LOSS(dense(h @ weight.T, target)).mean())
    )
    close(got, want)


@pytest.mark.parametrize(("of_hidden", "of_weight"), [(True, True), (True, False), (False, True), (False, False)])
def test_no_product_for_what_wants_no_gradient(of_hidden: bool, of_weight: bool) -> None:
    """Each chunk's logits, and one product more for each of the two that wants a gradient; four, with values."""
    hidden, weight, target = layer(16)
    hidden.requires_grad_(of_hidden), weight.requires_grad_(of_weight)
    want = LOSS(dense(hidden @ weight.T, target)).mean()
    with Counted() as counted:
        got = fused(hidden, weight, target).mean(LOSS)
    close(got, want)
    assert counted.ran["mm"] + counted.ran["addmm_"] == 2 * (1 + of_hidden + of_weight)  # two chunks
    if of_hidden or of_weight:
        with Counted() as counted:
            fused(hidden, weight, target).values(LOSS).sum().backward()
        assert counted.ran["mm"] + counted.ran["addmm_"] == 2 * (2 + of_hidden + of_weight)
    with Counted() as counted, torch.no_grad():
        fused(hidden, weight, target).mean(LOSS)
    assert counted.ran["mm"] + counted.ran["addmm_"] == 2


class LowRank(nn.Module):
    """A frozen matrix and a trained one of low rank: what LoRA makes of a head."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(WIDTH, CLASSES, dtype=torch.float64).requires_grad_(False)
        self.down = nn.Linear(WIDTH, 2, bias=False, dtype=torch.float64)
        self.up = nn.Linear(2, CLASSES, bias=False, dtype=torch.float64)
        self.drop = nn.Dropout(0.5)

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.base(hidden) + self.up(self.drop(self.down(hidden)))
        return logits


def test_a_module_as_the_head() -> None:
    """Its own parameters get their gradients, the frozen ones none; what is random cannot be made twice, and says so."""
    hidden, _, target = layer(20)
    head = LowRank().eval()
    trained = [hidden, head.down.weight, head.up.weight]
    for run in (lambda s: s.mean(LOSS), lambda s: s.values(LOSS).mean()):
        got, want = run(fused(hidden, head, target)), LOSS(dense(head(hidden), target)).mean()
        close(got, want)
        close(*(torch.autograd.grad(value, trained) for value in (got, want)))
    head.train()
    fused(hidden, head, target).mean(LOSS).backward()
    assert head.base.weight.grad is None
    with pytest.raises(UsageError, match="at random"):
        fused(hidden, head, target).values(LOSS)


def test_autocast() -> None:
    """Under autocast the products run in its dtype, and the gradients come back in the parameters' own."""
    hidden, weight, target = layer(64, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        view = fused(hidden, weight, target)
        got, want = view.mean(LOSS), LOSS(dense(hidden @ weight.T, target)).mean()
    assert "bfloat16" in view.explain()
    close(got, want, 1e-5)
    for one, other in zip(*(torch.autograd.grad(value, (hidden, weight)) for value in (got, want)), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize("head", [nn.Linear(WIDTH, CLASSES), nn.Sequential(nn.Linear(WIDTH, 4), nn.Linear(4, CLASSES))])
def test_autocast_of_modules(head: nn.Module) -> None:
    """Layers and other modules too run in autocast's dtype, whatever the states come in, also when the logits are made again."""
    target = torch.randint(CLASSES, (40,))
    for dtype in (torch.float32, torch.bfloat16):
        hidden = torch.randn(40, WIDTH).to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            view = fused(hidden, head, target)
            got, again, want = view.mean(LOSS), view.values(LOSS).mean(), LOSS(dense(head(hidden), target)).mean()
        slopes = [torch.autograd.grad(value, [hidden, *head.parameters()]) for value in (got, again, want)]
        close([got, again], [want, want], 1e-5)
        for one, other, whole in zip(*slopes, strict=True):
            assert max((one - whole).norm(), (other - whole).norm()) < 0.03 * whole.norm()


def test_float16_keeps_small_gradients() -> None:
    """Dividing by the number of positions comes last: a loss scale finds gradients that are not yet zero."""
    hidden, weight, target = layer(64, dtype=torch.float16)
    (65536.0 * fused(hidden, weight, target).mean(LOSS, denom=64e4)).backward()
    exact = [t.detach().double().requires_grad_() for t in (hidden, weight)]
    (65536.0 * LOSS(dense(exact[0] @ exact[1].T, target)).sum() / 64e4).backward()
    for got, want in zip((hidden, weight), exact, strict=True):
        assert got.grad is not None
        assert want.grad is not None
        assert (got.grad.double() - want.grad).norm() < 5e-3 * want.grad.norm()


def test_gradients_add_up_in_float32() -> None:
    """A thousand chunks' equal bfloat16 gradients: their sum is right to one rounding."""
    hidden = torch.ones(4096, WIDTH, dtype=torch.bfloat16)
    weight = torch.zeros(CLASSES, WIDTH, dtype=torch.bfloat16, requires_grad=True)
    fused(hidden, weight, torch.zeros(4096, dtype=torch.int64)).mean(losses.build("cross_entropy"), denom=1).backward()
    assert weight.grad is not None
    want = torch.full((CLASSES,), 4096 / CLASSES)
    want[0] -= 4096
    torch.testing.assert_close(weight.grad[:, 0].float(), want, rtol=1 / 128, atol=0)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler looks at every tensor that crosses the break
def test_compiled() -> None:
    """torch.compile breaks the graph here and gives the same; where a whole graph is demanded, it says what broke it."""
    hidden, weight, target = layer(20)

    def step(h: Tensor, w: Tensor) -> Tensor:
        mean: Tensor = lossworks.fused(LOSS, h.tanh(), w, target) * 2
        return mean

    compiled = torch.compile(step, backend="eager")
    close(*(torch.autograd.grad(run(hidden, weight), (hidden, weight)) for run in (compiled, step)))
    torch.compiler.reset()
    with pytest.raises(Exception, match=r"chunk by chunk"):
        torch.compile(step, backend="eager", fullgraph=True)(hidden, weight)


def test_no_second_derivative_in_silence() -> None:
    """A gradient of the gradient is refused, with the remedy."""
    hidden, weight, target = layer(20)
    for value in (fused(hidden, weight, target).mean(LOSS), fused(hidden, weight, target).logp.sum()):
        with pytest.raises(UsageError, match="dense"):
            torch.autograd.grad(value, hidden, create_graph=True)
