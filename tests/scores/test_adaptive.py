"""Adaptive softmax against PyTorch's own and against its whole distribution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from losses.case import near
from losses.odd import cases
from lossworks.core.errors import UsageError
from lossworks.losses import BinaryLoss, CategoricalLoss, CrossEntropy, losses
from lossworks.scores import AdaptiveHead
from lossworks.scores.teacher import TopK

DIM, CUTOFFS = 16, (4, 10, 23)
SPECS = [entry.name for entry in losses if issubclass(entry.thing, CategoricalLoss) and not issubclass(entry.thing, BinaryLoss)]


def head(dtype: torch.dtype = torch.float64) -> AdaptiveHead:
    """A short list of 4 and clusters of 6 and 13, with weights large enough to matter."""
    made = AdaptiveHead(DIM, CUTOFFS).to(dtype)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


def some(*shape: int) -> tuple[Tensor, Tensor]:
    """Hidden states that ask for gradients, and targets."""
    return torch.randn(*shape, DIM, dtype=torch.float64, requires_grad=True), torch.randint(CUTOFFS[-1], shape)


def test_agrees_with_pytorch() -> None:
    """Given the same weights, by the same names: log-probabilities, those of the targets, and every gradient."""
    theirs = nn.AdaptiveLogSoftmaxWithLoss(DIM, 23, [4, 10], div_value=4.0).double()
    ours = AdaptiveHead(DIM, CUTOFFS).double()
    ours.load_state_dict(theirs.state_dict())
    hidden, target = some(60)
    torch.testing.assert_close(ours.log_probabilities(hidden), theirs.log_prob(hidden), rtol=1e-12, atol=1e-12)
    got, want = ours.scores(hidden, target).logp, theirs(hidden, target).output
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(v.sum(), (hidden, *m.parameters())) for v, m in ((got, ours), (want, theirs))]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_widths() -> None:
    """Each cluster reads ``div`` times fewer numbers than the one before, and at least one."""
    made = AdaptiveHead(20, (2, 4, 6, 8), div=5.0)
    assert [part[0].out_features for part in made.tail] == [4, 1, 1]
    assert [part[1].out_features for part in made.tail] == [2, 2, 2]
    assert (made.classes, made.head.out_features) == (8, 5)


def test_probabilities_sum_to_one() -> None:
    """Over all outcomes; those of the targets are among them, whatever the leading axes."""
    made = head()
    for shape in ((), (0,), (5,), (2, 3)):
        hidden, target = some(*shape)
        p = made.log_probabilities(hidden).exp()
        torch.testing.assert_close(p.sum(-1), torch.ones(shape, dtype=torch.float64))
        view = made.scores(hidden, target)
        torch.testing.assert_close(view.logp.exp(), p.gather(-1, target[..., None])[..., 0])
        assert view.argmax.shape == view.logsumexp.shape == shape


def test_derivatives() -> None:
    """The gradient into the hidden states is that of the values, with targets in the short list and in each cluster."""
    made = head()
    hidden, _ = some(4)
    gradcheck(lambda h: made.scores(h, torch.tensor([0, 22, 5, 22])).logp, (hidden,))


def test_only_needed_clusters_are_worked_on() -> None:
    """And only for the positions whose targets are there."""
    made, seen = head(), []
    for i, part in enumerate(made.tail):
        part.register_forward_hook(lambda _, given, __, i=i: seen.append((i, len(given[0]))))
    hidden, _ = some(5)
    _ = made.scores(hidden, torch.tensor([0, 3, 1, 2, 0])).logp
    assert seen == []
    _ = made.scores(hidden, torch.tensor([0, 12, 22, 2, 10])).logp
    assert seen == [(1, 3)]
    _ = made.scores(hidden, torch.tensor([4, 12, 9, 2, 10])).logp
    assert seen[1:] == [(0, 2), (1, 2)]


def test_ids() -> None:
    """``logp_of`` takes ids of any cluster, one twice, with their gradients, and none at all; negatives and a top-k teacher."""
    made = head()
    hidden, target = some(2, 3)
    ids = torch.randint(23, (2, 3, 7))
    ids[..., 1] = ids[..., 0]
    got = made.scores(hidden, target).logp_of(ids)
    want = made.log_probabilities(hidden).gather(-1, ids)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(v.square().sum(), (hidden, *made.parameters())) for v in (got, want)]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    assert made.scores(hidden, target).logp_of(ids[..., :0]).shape == (2, 3, 0)
    given = {"teacher": TopK(torch.tensor([22, 0]).expand(2, 3, 2), torch.full((2, 3, 2), -1.0)), "negatives": ids[..., :2] - 1}
    view = made.scores(hidden, target, **given)
    f = lambda p, q: q.exp() * (q - p)  # noqa: E731
    torch.testing.assert_close(view.against_teacher(f), view.whole().against_teacher(f))
    for part, whole in zip(view.logp_of_negatives(), view.whole().logp_of_negatives(), strict=True):
        torch.testing.assert_close(part, whole)
    torch.testing.assert_close(view.rows(slice(1, 4)).against_teacher(f), view.against_teacher(f).flatten()[1:4])


def test_argmax_is_exact() -> None:
    """A cluster may be more probable than every outcome, and hold none that is the most probable."""
    made = head()
    hidden, target = some(500)
    view = made.scores(hidden, target)
    want = made.log_probabilities(hidden).argmax(-1)
    assert torch.equal(view.argmax, want)
    greedy = made.top(hidden).argmax(-1) >= CUTOFFS[0]
    assert (greedy & (want < CUTOFFS[0])).any()  # where looking into the likeliest cluster alone goes wrong
    assert all(((want >= start) & (want < stop)).any() for start, stop in [(0, 4), (4, 10), (10, 23)])


def test_asked_without_gradients_first() -> None:
    """A statistic that was first read under no_grad still has its gradient afterwards."""
    view = head().scores(*some(3))
    with torch.no_grad():
        _ = view.logp, view.argmax
    assert view.logp.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_in_float32(dtype: torch.dtype) -> None:
    """From the logits on; the gradient comes back in the head's own type."""
    made = head(dtype)
    hidden, target = some(9)
    values = made.scores(hidden.to(dtype), target).logp
    assert values.dtype == torch.float32
    assert torch.autograd.grad(values.sum(), made.head.weight)[0].dtype == dtype


@pytest.mark.parametrize("name", SPECS)
def test_losses(name: str) -> None:
    """A loss has the value and the gradient that it has over the whole distribution, or refuses with the remedy."""
    for case in cases(name).values():
        made = AdaptiveHead(DIM, (1, 2, case.classes) if case.classes > 2 else (1, 2)).double()
        hidden, target = some(6)
        target = target % case.classes
        beside = case.beside(target, case.classes) if case.beside else {}
        view = made.scores(hidden, target, **beside)
        try:
            got = case.loss(view)
        except UsageError as error:
            assert "scores.whole()" in str(error)  # noqa: PT017 - refusing is one of two right answers
            continue
        want = case.loss(view.whole())
        near(got, want)
        near(torch.autograd.grad(got.sum(), hidden)[0], torch.autograd.grad(want.sum(), hidden)[0], 1e-11)


def test_losses_of_the_target_run() -> None:
    """Cross-entropy, with class weights and without, is among those that do not refuse; smoothing asks for every outcome."""
    view = head().scores(*some(5))
    assert CrossEntropy()(view).isfinite().all()
    assert CrossEntropy(class_weights=(2.0,) * 23)(view).tolist() == pytest.approx((-2 * view.logp).tolist())
    with pytest.raises(UsageError, match=r"mean_logp needs them all. Give scores.whole\(\)"):
        CrossEntropy(label_smoothing=0.1)(view)


@pytest.mark.parametrize(
    "name", ["mean_logp", "entropy", "max_other_logp", "rest_logp", "logits", "square_sum", "expected_logp", "sum", "adjusted"]
)
def test_what_needs_every_cluster_refuses(name: str) -> None:
    """And names itself and the remedy; the whole has it."""
    view = head().scores(*some(3))
    given = {"expected_logp": (torch.ones(23),), "sum": (torch.exp,)}.get(name, ())
    with pytest.raises(UsageError, match=rf"{name} needs them all. Give scores.whole\(\)"):
        _ = asked(*given) if callable(asked := getattr(view, name)) else asked
    assert hasattr(view.whole(), name)


def test_explain() -> None:
    """The short list and the clusters."""
    assert head().scores(*some(3)).explain().startswith("adaptive: a short list of 4 outcomes and clusters of 6, 13")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cutoffs": (5,)}, "at least two that grow"),
        ({"cutoffs": (0, 5)}, r"cutoffs are \(0, 5\)"),
        ({"cutoffs": (5, 5)}, "at least two that grow"),
        ({"cutoffs": (5, 9), "div": 0.5}, "div is 0.5; wanted a finite number, at least 1"),
    ],
)
def test_heads_that_cannot_be(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        AdaptiveHead(8, **keys)


@pytest.mark.parametrize(
    ("hidden", "target", "message"),
    [
        (torch.zeros(3, 15), torch.zeros(3).long(), r"hidden \(3, 15\).* reads 16 features"),
        (torch.zeros(3, 16), torch.zeros(4).long(), r"target \(4,\)"),
        (torch.zeros(3, 16), torch.zeros(3), "Give class numbers"),
    ],
)
def test_what_does_not_fit(hidden: Tensor, target: Tensor, message: str) -> None:
    """Is refused before anything broadcasts."""
    with pytest.raises(UsageError, match=message):
        AdaptiveHead(16, (2, 5)).scores(hidden, target)


@pytest.mark.parametrize("target", [-1, 23])
def test_targets_out_of_range(target: int) -> None:
    """No outcome is numbered below 0 or from V on."""
    with pytest.raises(UsageError, match=f"target {target} at position .* for 23 outcomes, 0 to 22"):
        _ = head(torch.float32).scores(torch.zeros(DIM), torch.tensor(target)).logp
