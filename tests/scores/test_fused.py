"""Fused scores: every statistic against dense, in every way that PyTorch lets a gradient be taken, at the promised cost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import lossworks
from lossworks import losses
from lossworks.core.errors import UsageError
from lossworks.scores import Scores, TopK, dense, fused, sweep

WIDTH, CLASSES = 6, 11
LOSS = losses.build("cross_entropy:label_smoothing=0.1+1e-3*z_loss")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 8 positions, tiles of 3."""
    monkeypatch.setattr(sweep, "_CHUNK", (8, 8))
    monkeypatch.setattr(sweep, "_TILE", 3 * CLASSES)


def layer(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states and a weight that ask for gradients, and targets."""
    hidden, weight = torch.randn(*shape, WIDTH, dtype=dtype), torch.randn(CLASSES, WIDTH, dtype=dtype)
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randint(CLASSES, shape)


def close(got: Any, want: Any, tolerance: float = 1e-11) -> None:
    """Equal tensors, or sequences of them."""
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


class Counted(TorchDispatchMode):
    """Which operations ran, how large the largest tensor was that they made, and how many rows were multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[str] = Counter()
        self.largest = 0
        self.rows = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.ran[name] += 1
        made = out if isinstance(out, tuple | list) else (out,)
        self.largest = max([self.largest, *(t.numel() for t in made if isinstance(t, Tensor))])
        if name == "mm" and args[1].shape[1] == CLASSES:
            self.rows += len(args[0])
        return out


# --- statistics

IDS = torch.randint(CLASSES, (5, 7, 2))
Q = torch.rand(CLASSES, dtype=torch.float64)
Q_EACH = torch.rand(5, 7, CLASSES, dtype=torch.float64)
STATISTICS: dict[str, Callable[[Scores], Tensor]] = {
    "logp": lambda s: s.logp,
    "mean_logp": lambda s: s.mean_logp,
    "entropy": lambda s: s.entropy,
    "logsumexp": lambda s: s.logsumexp,
    "runner_up": lambda s: s.runner_up,
    "square_sum": lambda s: s.square_sum(),
    "square_sum, weighted": lambda s: s.square_sum(Q),
    "logp_of": lambda s: s.logp_of(IDS),
    "expected_logp": lambda s: s.expected_logp(Q),
    "expected_logp, each": lambda s: s.expected_logp(Q_EACH),
    "sum": lambda s: s.sum(lambda logp, q, each, one: (logp * q).sin() + each * logp * one, Q, Q_EACH, Q_EACH[..., :1]),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_those_of_dense(name: str) -> None:
    """Values, and gradients into the hidden states and the weight."""
    hidden, weight, target = layer(5, 7)
    got, want = (STATISTICS[name](s) for s in (fused(hidden, weight, target), dense(hidden @ weight.T, target)))
    outer = torch.randn_like(want)
    close(got, want)
    close(*(torch.autograd.grad((value * outer).sum(), (hidden, weight)) for value in (got, want)))


def test_argmax_and_what_is_given_besides() -> None:
    """Metrics come with the mean, at no further product; positions that are not kept hold 0."""
    hidden, weight, target = layer(4, 9)
    keep = torch.rand(4, 9) > 0.5
    view, want = fused(hidden, weight, target, keep=keep), dense(hidden @ weight.T, target)
    with Counted() as counted:
        _, also = view.mean(LOSS, also=("values", "logp", "entropy", "argmax"))
    assert counted.rows == keep.sum()
    for name, part in also.items():
        whole = LOSS(want) if name == "values" else getattr(want, name)
        close(part, torch.where(keep, whole, 0).detach())
    assert torch.equal(fused(hidden, weight, target).argmax, want.argmax)


def test_a_teacher_and_negatives_are_cut_alike() -> None:
    """Fused, dense and top-k teachers; each position meets its own."""
    hidden, weight, target = layer(3, 8)
    taught, keep = torch.randn(3, 8, WIDTH, dtype=torch.float64), torch.rand(3, 8) > 0.3
    whole = (taught @ weight.T).detach()
    top = whole.log_softmax(-1).topk(4)
    loss = losses.build("forward_kl+unlikelihood")
    negatives = torch.randint(-1, CLASSES, (3, 8, 2))
    for small, large in (
        (fused(taught, weight.detach(), target), dense(whole, target)),
        (dense(whole, target), dense(whole, target)),
        (TopK(top.indices, top.values), TopK(top.indices, top.values)),
    ):
        got = fused(hidden, weight, target, keep=keep, teacher=small, negatives=negatives).mean(loss)
        want = loss(dense(hidden @ weight.T, target, teacher=large, negatives=negatives))[keep].mean()
        close(got, want)
        close(*(torch.autograd.grad(value, (hidden, weight)) for value in (got, want)))


def test_sequence_losses_are_exact() -> None:
    """DPO over summed log-probabilities: what interacts is combined outside, and the backward pass makes the logits again."""
    hidden, weight, target = layer(4, 5)

    def dpo(logp: Tensor) -> Tensor:
        sums = logp.sum(-1)
        return -functional.logsigmoid(0.1 * (sums[:2] - sums[2:])).mean()

    got, want = dpo(fused(hidden, weight, target).logp), dpo(dense(hidden @ weight.T, target).logp)
    close(got, want)
    close(*(torch.autograd.grad(value, (hidden, weight)) for value in (got, want)))


# --- arguments


def test_shift_scores_against_what_follows() -> None:
    """Position t against the target at t + shift; mask and weights stand with the targets."""
    hidden, weight, target = layer(3, 9)
    keep, weights = torch.rand(3, 9) > 0.3, torch.rand(3, 9, dtype=torch.float64)
    for shift in (1, 3, 9):
        got = fused(hidden, weight, target, keep=keep, shift=shift).mean(LOSS, weights=weights)
        counted = (weights * keep)[:, shift:]
        want = (LOSS(dense(hidden[:, :-shift] @ weight.T, target[:, shift:])) * counted).sum() / counted.sum().clamp_min(1e-9)
        close(got, want)


def test_a_common_denominator() -> None:
    """Two micro-batches over the weight of both make the mean of the whole."""
    hidden, weight, target = layer(20)
    parts = [fused(hidden[a:b], weight, target[a:b]).mean(LOSS, denom=20) for a, b in ((0, 7), (7, 20))]
    close(parts[0] + parts[1], fused(hidden, weight, target).mean(LOSS))


def test_from_the_top() -> None:
    """lossworks.fused takes a spec, and a layer whole."""
    hidden, _, target = layer(20, dtype=torch.float32)
    head = nn.Linear(WIDTH, CLASSES)
    want = functional.cross_entropy(head(hidden), target)
    for how in ({"weight": head}, {"weight": head.weight, "bias": head.bias}):
        close(lossworks.fused("cross_entropy", hidden, target=target, **how), want, 1e-6)
    mean, also = lossworks.fused("cross_entropy", hidden, head, target, also=("argmax",))
    assert mean.requires_grad
    assert torch.equal(also["argmax"], head(hidden).argmax(-1))


def test_explain_says_which_way() -> None:
    """Positions kept and left out, chunks, precision."""
    hidden, weight, target = layer(20, dtype=torch.bfloat16)
    said = fused(hidden, weight, target, keep=torch.arange(20) < 17).explain()
    for part in ("17 of 20 positions", "3 chunks of 8", "bfloat16", "float32", "3 products"):
        assert part in said, said
    assert "whole in memory" in dense(hidden @ weight.T, target).explain()


def test_a_loss_of_bare_logits() -> None:
    """What a loss takes straight out of the logits is kept, though their memory is used again; with cap and temperature too."""
    hidden, weight, target = layer(20)
    for how in ({}, {"softcap": 2.0, "temperature": 0.5}):
        view = fused(hidden, weight, target, **how)
        z = hidden @ weight.T
        z = 2 * torch.tanh(z / 2) / 0.5 if how else z
        for read in (lambda s: s.logits[:, 0], lambda s: s.logits.sum(-1)):
            got, want = view.mean(read), read(dense(z, target)).mean()
            close(got, want)
            close(view.values(read), read(dense(z, target)))
            close(*(torch.autograd.grad(value, (hidden, weight), retain_graph=True) for value in (got, want)))


def test_nothing_kept() -> None:
    """No positions, or none kept: shapes and dtypes as ever, a mean of 0, gradients of 0."""
    for shape, keep in (((3, 4), torch.zeros(3, 4, dtype=torch.bool)), ((0, 4), None)):
        hidden, weight, target = layer(*shape, dtype=torch.bfloat16)
        view = fused(hidden, weight, target, keep=keep)
        mean, also = view.mean(LOSS, also=("argmax", "logp"))
        mean.backward()
        assert mean == 0
        assert weight.grad is not None
        assert not weight.grad.any()
        assert (also["argmax"].dtype, also["logp"].dtype, also["logp"].shape) == (torch.int64, torch.float32, shape)
        assert view.logp_of(target.unsqueeze(-1).expand(*shape, 3)).shape == (*shape, 3)
        assert view.sum(lambda logp: logp).shape == shape


def test_evaluating_first_leaves_nothing_behind() -> None:
    """What is kept of a loss's values a class in inference mode can be trained with."""
    hidden, weight, target = layer(20)
    loss = losses.build("cross_entropy:class_weights=" + "/".join(map(str, range(1, CLASSES + 1))))
    with torch.inference_mode():
        fused(hidden, weight, target).mean(loss)
    fused(hidden, weight, target).mean(loss).backward()
    loss(hidden @ weight.T, target).sum().backward()


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


# --- cost


def test_logits_never_stand_whole() -> None:
    """No tensor is larger than a chunk's logits, a weight or the states, forward or backward."""
    hidden, weight, target = layer(500)
    with Counted() as counted:
        fused(hidden, weight, target).mean(LOSS).backward()
        fused(hidden, weight, target).entropy.sum().backward()
    assert counted.largest == 500 * WIDTH


def test_what_is_masked_costs_nothing() -> None:
    """Positions masked, or of no weight, are dropped before the products."""
    hidden, weight, target = layer(100)
    keep, weights = torch.rand(100) < 0.5, (torch.rand(100) < 0.5).double()
    with Counted() as counted:
        fused(hidden, weight, torch.where(keep, target, -100), keep=keep).mean(LOSS, weights=weights)
    assert counted.rows == (keep & (weights > 0)).sum()


def test_nothing_waits_for_the_device() -> None:
    """No number is read back on the way: forward and backward run ahead of the device (but for a look at the slope on a CPU)."""
    hidden, weight, target = layer(40)
    view = fused(hidden, weight, target)
    with Counted() as counted:
        mean, _ = view.mean(LOSS, also=("logp", "argmax"))
        view.logp.sum().backward()
    assert not {"_local_scalar_dense", "nonzero", "is_nonzero", "equal"} & counted.ran.keys()
    with Counted() as counted:
        mean.backward()
    assert counted.ran["_local_scalar_dense"] + counted.ran["is_nonzero"] <= 1


# --- bad input

HIDDEN, WEIGHT, TARGET = torch.randn(4, WIDTH), torch.randn(CLASSES, WIDTH), torch.tensor([0, 1, 2, 3])
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "target's shape": ({"target": TARGET[:3]}, "one target a position"),
    "target's dtype": ({"target": TARGET.float()}, "class numbers"),
    "target out of range": ({"target": TARGET + 8}, r"from 8 to 11 for 11 outcomes.*keep="),
    "ignored by a number": ({"target": TARGET.where(TARGET > 0, -100)}, r"keep=\(labels != -100\)"),
    "weight's shape": ({"weight": WEIGHT.T}, r"Give \[V, D\]"),
    "dtypes mixed": ({"hidden": HIDDEN.bfloat16()}, "autocast"),
    "bias": ({"bias": torch.zeros(3)}, "for 11 outcomes"),
    "keep's dtype": ({"keep": TARGET}, "boolean"),
    "softcap": ({"softcap": 0.0}, "softcap"),
    "temperature": ({"temperature": -1.0}, "temperature"),
    "shift": ({"shift": 5}, "shift"),
    "a function as the head": ({"weight": lambda h: h @ WEIGHT.T}, "nn.Module"),
    "negatives": ({"negatives": TARGET}, "negatives"),
    "teacher": ({"teacher": dense(torch.zeros(3, CLASSES), TARGET[:3])}, "teacher"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    """What does not fit is said, with what was wanted."""
    given, said = BAD[name]
    with pytest.raises(UsageError, match=said):
        fused(**({"hidden": HIDDEN, "weight": WEIGHT, "target": TARGET} | given))


def test_what_fused_scores_refuse() -> None:
    """Logits, adjustment from outside, weights that want gradients, losses of another kind: each with its remedy."""
    view = fused(HIDDEN, WEIGHT, TARGET)
    for ask, said in (
        (lambda: view.logits, "scores.dense"),
        (lambda: view.adjusted(scale=2.0), "inside a loss"),
        (lambda: view.mean(LOSS, weights=torch.ones(4, requires_grad=True)), "no gradient"),
        (lambda: view.mean(LOSS, weights=torch.ones(3)), "weights"),
        (lambda: fused(HIDDEN, WEIGHT, TARGET, keep=TARGET > 1).rows(slice(2)), "without keep"),
        (lambda: lossworks.fused("huber", HIDDEN, WEIGHT, TARGET), "not over outcomes"),
        (lambda: view.sum(lambda logp, x: logp * x, torch.ones(CLASSES, requires_grad=True)), "no tensor besides"),
        (lambda: view.expected_logp(torch.ones(CLASSES, requires_grad=True)), "no tensor besides"),
        (lambda: view.mean(LOSS, denom=torch.ones((), requires_grad=True)), "divided by"),
        (lambda: view.mean(LOSS, also="argmax"), "a list of names"),
        (lambda: view.mean(LOSS, also=["logits"]), "a list of names"),
        (lambda: view.mean(lambda s: s.logp.sum()), "Want one each"),
    ):
        with pytest.raises(UsageError, match=said):
            ask()


def test_importing_loads_no_compiler() -> None:
    """PyTorch's compiler takes a second to load: only those who compile wait for it."""
    program = (
        "import sys, lossworks.losses, lossworks.train; list(lossworks.losses.losses); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
