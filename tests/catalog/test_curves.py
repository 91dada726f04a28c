"""Curves at points worked by hand."""

from __future__ import annotations

import math

import pytest

from lossworks.catalog import Curve, find
from lossworks.catalog.curve import Line, Panel


def at(curve: Curve, x: float, panel: int = 0, *, reference: bool = False) -> float:
    """The y of the panel's own line, or of what stands reference it, at the point nearest to ``x``."""
    place = min(range(len(curve.x)), key=lambda i: abs(curve.x[i] - x))
    assert curve.x[place] == pytest.approx(x, abs=1e-9), f"no point at {x}"
    y = next(line.y[place] for line in curve.panels[panel].lines if line.reference == reference)
    assert y is not None
    return y


def only(spec: str) -> Curve:
    """The one curve of a spec."""
    (curve,) = find(spec)[0].curves
    return curve


def test_cross_entropy() -> None:
    """-log p, and the gradient p - 1 into the target's logit."""
    for p in (0.01, 0.5, 0.9):
        assert at(only("cross_entropy"), p) == pytest.approx(-math.log(p))
        assert at(only("cross_entropy"), p, 1) == pytest.approx(p - 1)
        assert at(only("focal"), p, reference=True) == pytest.approx(-math.log(p))


def test_focal() -> None:
    """gamma = 0 lies on cross-entropy; gamma = 2 at p = 1/2 is a quarter of it."""
    same, plain = only("focal:gamma=0"), only("cross_entropy")
    for one, other in zip(same.panels, plain.panels, strict=True):
        assert one.lines[0].y == pytest.approx(other.lines[0].y)
    assert at(only("focal"), 0.5) == pytest.approx(math.log(2) / 4)


def test_more_classes() -> None:
    """Three class weights make three outcomes: x is still the target's probability, and its weight the last."""
    curve = only("cross_entropy:class_weights=1/2/3")
    assert at(curve, 0.5) == pytest.approx(3 * math.log(2))
    assert at(curve, 0.5, reference=True) == pytest.approx(math.log(2))


def test_teacher() -> None:
    """The forward divergence and its gradient vanish at the teacher's 0.9; negatives add -log(1 - p) of the other outcome."""
    assert at(only("forward_kl"), 0.9) == pytest.approx(0, abs=1e-12)
    assert at(only("forward_kl"), 0.9, 1) == pytest.approx(0, abs=1e-12)
    assert at(only("unlikelihood"), 0.3) == pytest.approx(-2 * math.log(0.3))


def test_a_sum() -> None:
    """A sum's curve is the sum of its terms'; log Σ exp z is -log(1 - p) where the other logit is 0."""
    curve = only("cross_entropy+0.1*z_loss")
    assert at(curve, 0.8) == pytest.approx(-math.log(0.8) + 0.1 * math.log(0.2) ** 2)


def test_binary() -> None:
    """One curve for a label that is, one for a label that is not, each against the probability that it is."""
    there, absent = find("binary_cross_entropy:positive_weight=3")[0].curves
    assert at(there, 0.2) == pytest.approx(-3 * math.log(0.2))
    assert at(absent, 0.2) == pytest.approx(-math.log(0.8))
    assert at(absent, 0.2, 1) == pytest.approx(0.2)
    of_two, _ = find("binary_cross_entropy:positive_weight=3/5")[0].curves
    assert at(of_two, 0.2) == pytest.approx(-3 * math.log(0.2))


def test_numbers() -> None:
    """Huber's gradient is held at delta; the squared error stands reference; a loss of both kinds has both curves."""
    huber = only("huber:delta=0.5")
    assert [at(huber, e, 1) for e in (-2, 0.25, 2)] == pytest.approx([-0.5, 0.25, 0.5])
    assert at(huber, 2, reference=True) == pytest.approx(4)
    outcome, number = find("mse")[0].curves
    assert at(outcome, 0.5) == pytest.approx(0.5)
    assert at(number, 3, 1) == pytest.approx(6)
    assert len(number.panels[0].lines) == 1


def test_pairs_and_rows() -> None:
    """DPO without a margin loses log 2; a ranking reached by its margin costs nothing; a cosine of 1/2 is worked by hand."""
    assert at(only("dpo"), 0) == pytest.approx(math.log(2))
    assert at(only("dpo"), 10) == pytest.approx(math.log(1 + math.exp(-1)))
    assert at(only("margin_ranking"), 1.5) == 0
    assert at(only("margin_ranking"), 0, 1) == -1
    assert at(only("info_nce:temperature=0.5"), 0.5) == pytest.approx(math.log(1 + math.exp(-1)))
    assert at(only("supervised_contrastive:temperature=0.5"), 0.5) == pytest.approx(math.log(1 + math.exp(-1)))
    assert at(only("triplet:distance=cosine"), 0.5) == pytest.approx(0.5)


def test_sampled() -> None:
    """Of 1000 outcomes, 64 noise outcomes at log((1 - p)/999), each standing for 64/1000."""
    p = 0.5
    assert at(only("sampled_softmax"), p) == pytest.approx(math.log(p + 1000 * (1 - p) / 999) - math.log(p))
    assert at(only("sampled_softmax"), p, reference=True) == pytest.approx(math.log(2))


def test_penalties() -> None:
    """L1's flow takes half of the unit from each side and stops at exactly 0; L2's is exponential decay."""
    l1 = only("l1:strength=0.1")
    assert [at(l1, w, 1) for w in (-0.5, 0.25, 0.5)] == [0, 0, 0]
    assert at(l1, 2, 1) == pytest.approx(1.5)
    assert at(l1, -2) == pytest.approx(0.2)
    assert at(only("l2"), 2, 1) == pytest.approx(2 * math.exp(-0.5))
    assert at(only("l2:strength=0"), 2, 1) == 2


def test_risks() -> None:
    """What each of ten losses weighs: all a tenth, or the two worst a half; group DRO turns to the worst groups."""
    assert [at(only("mean"), k) for k in (1, 10)] == pytest.approx([0.1, 0.1])
    assert [at(only("cvar"), k) for k in (1, 8, 9, 10)] == pytest.approx([0, 0, 0.5, 0.5])
    assert [at(only("worst_group"), k) for k in (8, 9)] == pytest.approx([0, 0.5])
    gathered = [math.exp(100 * 0.01 * mean) for mean in (1.5, 3.5, 5.5, 7.5, 9.5)]
    assert at(only("group_dro"), 10) == pytest.approx(gathered[-1] / sum(gathered) / 2)


def test_limits() -> None:
    """What stands reference is cut off where it spans far more; a flat line has room, and bars start at 0."""

    def limits(own: tuple[float, ...], reference: tuple[float, ...] | None = None, *, bars: bool = False) -> tuple[float, float]:
        lines = [Line(name="own", y=own)] + [Line(name="reference", y=reference, reference=True)] * (reference is not None)
        return Panel(title="", lines=tuple(lines), bars=bars).limits()

    assert limits((1, 2), (0, 4)) == (0, 4)
    assert limits((1, 2), (0, 40)) == (1, 2)
    assert limits((1, 1 + 1e-15)) == pytest.approx((0.5, 1.5))
    assert limits((3, 4), bars=True) == (0, 4)
