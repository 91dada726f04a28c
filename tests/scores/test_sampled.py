"""The proposal against its definition, the candidates against the whole head."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, MeanSquaredError
from lossworks.scores import dense
from lossworks.scores.sampled import Noise, candidates, sampled

CLASSES = 12
NOISES = {
    "uniform": Noise.uniform(CLASSES),
    "log_uniform": Noise.log_uniform(CLASSES),
    "from_counts": Noise.from_counts(torch.arange(1, CLASSES + 1)),
    "from_counts, unigram": Noise.from_counts(torch.arange(1, CLASSES + 1), power=1),
}
every_noise = pytest.mark.parametrize("name", NOISES)


def head(*shape: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, weight and bias that ask for gradients, and targets."""
    sizes = (*shape, 4), (CLASSES, 4), (CLASSES,)
    hidden, weight, bias = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in sizes)
    return hidden, weight, bias, torch.randint(CLASSES, shape)


def test_probabilities_by_hand() -> None:
    """Each named proposal's own formula."""
    ids = torch.tensor([0, 2])
    uniform, zipf = NOISES["uniform"].log_prob(ids).exp(), NOISES["log_uniform"].log_prob(ids).exp()
    assert uniform.tolist() == pytest.approx([1 / 12, 1 / 12])
    assert zipf.tolist() == pytest.approx([math.log(2) / math.log(13), math.log(4 / 3) / math.log(13)])
    total = sum(i**0.75 for i in range(1, 13))
    assert NOISES["from_counts"].log_prob(ids).exp().tolist() == pytest.approx([1 / total, 3**0.75 / total])
    assert NOISES["from_counts, unigram"].log_prob(ids).exp().tolist() == pytest.approx([1 / 78, 3 / 78])


@every_noise
def test_draws_follow_the_probabilities(name: str) -> None:
    """They sum to 1, and of 100,000 draws each outcome has its share, within 5 standard deviations."""
    noise, count = NOISES[name], 100_000
    p = noise.log_prob(torch.arange(CLASSES)).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    seen = torch.bincount(noise.draw(count, torch.Generator().manual_seed(0)), minlength=CLASSES)
    assert len(seen) == CLASSES
    assert ((seen - count * p).abs() < 5 * (count * p * (1 - p)).sqrt()).all()


def test_the_generator_decides() -> None:
    """The same state draws the same, another one others; the global state is left alone."""
    noise = NOISES["log_uniform"]
    first, again, other = (noise.draw(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    before = torch.random.get_rng_state()
    noise.draw(5, torch.Generator())
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_edges_of_the_unit_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest and the largest number that can be drawn give the first and the last outcome; a bound belongs above."""
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64))
    assert Noise.from_counts(torch.tensor([1e-9, 1, 1e-9])).draw(2).tolist() == [0, 2]
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.5], dtype=torch.float64))
    assert NOISES["uniform"].draw(1).tolist() == [6]  # the first half of the interval, 0.5 not included, is that of 0 to 5


def test_candidates_are_rows_of_the_head() -> None:
    """Their logits are those of the whole head, biased or not; the counts are K q; hits are where noise is the target."""
    hidden, weight, bias, target = head(2, 3)
    ids = torch.tensor([3, 0, 3, 11])
    noise = NOISES["log_uniform"]
    for added in (None, bias):
        logits = hidden @ weight.T + (0 if added is None else added)
        got = candidates(hidden, weight, target, ids, noise=noise, bias=added)
        torch.testing.assert_close(got.target, logits.gather(-1, target[..., None])[..., 0])
        torch.testing.assert_close(got.noise, logits[..., ids])
    torch.testing.assert_close(got.target_log_count, noise.log_prob(target) + math.log(4))
    torch.testing.assert_close(got.noise_log_count, noise.log_prob(ids) + math.log(4))
    assert torch.equal(got.hits, ids == target[..., None])
    chosen = candidates(hidden, weight, target, ids)
    assert not chosen.target_log_count.any()
    assert not chosen.noise_log_count.any()


def test_every_outcome_once_is_the_whole_head() -> None:
    """With all outcomes as noise, drawn alike or chosen, any loss has the value and the gradients that it has on all logits."""
    for loss in (CrossEntropy(), MeanSquaredError(), CrossEntropy(label_smoothing=0)):
        for noise in (None, NOISES["uniform"]):
            hidden, weight, bias, target = head(5)
            want = loss(dense(hidden @ weight.T + bias, target))
            got = loss(sampled(hidden, weight, target, torch.arange(CLASSES), noise=noise, bias=bias))
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
            slopes = [torch.autograd.grad(values.sum(), (hidden, weight, bias)) for values in (got, want)]
            for ours, theirs in zip(*slopes, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@every_noise
def test_the_normaliser_is_estimated_without_bias(name: str) -> None:
    """The mean of 1,000 estimates from 3 draws each is Σ exp z, within 5 standard errors, the target's share included."""
    hidden, weight, _, target = (tensor.detach() for tensor in head(1))
    rng = torch.Generator().manual_seed(1)
    noise = NOISES[name]
    views = (sampled(hidden, weight, target, noise.draw(3, rng), noise=noise) for _ in range(1000))
    draws = torch.cat([view.logsumexp for view in views]).exp()
    want = (hidden @ weight.T).exp().sum()
    assert (draws.mean() - want).abs() < 5 * draws.std() / math.sqrt(len(draws))
    assert draws.std() > 0.01 * want  # they do differ


def test_only_sampled_rows_get_a_gradient() -> None:
    """Every other row of the head's gradient is 0, and nothing that does not ask is read: it may be nan."""
    hidden, weight, _, target = head(3)
    ids = torch.tensor([5, 7])
    read = torch.cat([target, ids]).unique()
    holes = torch.full_like(weight, math.nan).index_copy(0, read, weight.detach()[read]).requires_grad_()
    view = sampled(hidden, holes, target, ids)
    slope = torch.autograd.grad(view.logp.sum(), holes)[0]
    assert view.logp.isfinite().all()
    touched = slope.abs().sum(-1).nonzero().flatten()
    assert torch.equal(touched, read)


def test_nothing_of_the_size_of_the_vocabulary_is_made() -> None:
    """Over a million outcomes, the largest tensor that forward makes is the sampled rows."""
    weight = torch.zeros(1_000_000, 4)
    hidden, target, ids = torch.randn(8, 4), torch.arange(8), torch.randint(1_000_000, (16,))
    sizes = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = func(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                sizes.append(result.numel())
            return result

    noise = Noise.log_uniform(1_000_000)
    with Watch():
        _ = sampled(hidden, weight, target, ids, noise=noise).logp
    assert max(sizes) <= 8 * 17


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_in_float32(dtype: torch.dtype) -> None:
    """The counts are subtracted in float32; the gradient comes back in the head's own type."""
    hidden, weight, bias, target = (tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in head(6))
    weight = weight.detach().requires_grad_()
    view = sampled(hidden, weight, target, torch.arange(4), noise=NOISES["uniform"], bias=bias)
    assert view.logp.dtype == torch.float32
    assert torch.autograd.grad(view.logp.sum(), weight)[0].dtype == dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": torch.zeros(3, 5)}, r"hidden \(3, 5\), weight \(12, 4\)"),
        ({"target": torch.zeros(4, dtype=torch.int64)}, r"target \(4,\)"),
        ({"target": torch.zeros(3)}, "Give class numbers"),
        ({"ids": torch.zeros(3, 2, dtype=torch.int64)}, r"ids \(3, 2\); wanted .* \[K\]"),
        ({"noise": Noise.uniform(11)}, "noise over 11 outcomes for a weight of 12"),
    ],
)
def test_what_does_not_fit(change: dict[str, object], message: str) -> None:
    """Is refused before anything broadcasts."""
    ids = torch.zeros(3, dtype=torch.int64)
    keys = {"hidden": torch.zeros(3, 4), "weight": torch.zeros(12, 4), "target": ids, "ids": ids[:2]}
    with pytest.raises(UsageError, match=message):
        sampled(**(keys | change))


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0], [1.0, math.nan], [1.0, math.inf], [], [[1.0]]])
def test_weights_of_a_proposal(weights: list[float]) -> None:
    """What could never be drawn is refused, with the remedy."""
    with pytest.raises(UsageError, match="finite and above 0"):
        Noise.from_counts(torch.tensor(weights))
