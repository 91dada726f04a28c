"""Sums of losses: expressions and specs say the same, and what does not add up is refused."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.core.errors import UnknownName, UsageError
from lossworks.losses import (
    LDAM,
    BinaryLoss,
    CategoricalLoss,
    CrossEntropy,
    Entropy,
    Focal,
    GeneralizedCrossEntropy,
    Hinge,
    Huber,
    LogitAdjusted,
    MeanSquaredError,
    RegressionLoss,
    ZLoss,
    build,
    render,
)

SAME = {
    "cross_entropy+1e-4*z_loss": CrossEntropy() + 1e-4 * ZLoss(),
    "cross_entropy-0.1*entropy": CrossEntropy() - 0.1 * Entropy(),
    "-entropy": -1 * Entropy(),
    "2*cross_entropy": CrossEntropy() * 2,
    "focal:gamma=3+z_loss": Focal(gamma=3.0) + ZLoss(),
    "0.5*focal:gamma=0.5,class_weights=1/2-2*z_loss+entropy": 0.5 * Focal(gamma=0.5, class_weights=(1, 2))
    - 2 * ZLoss()
    + Entropy(),
    "hinge:kind=weston_watkins-z_loss": Hinge(kind="weston_watkins") - ZLoss(),
    "mse+mse": MeanSquaredError() + MeanSquaredError(),
}


@pytest.mark.parametrize("spec", SAME)
def test_a_spec_and_an_expression(spec: str) -> None:
    """Both give the same loss, and the loss gives back the spec that gives it."""
    assert build(spec) == SAME[spec]
    assert build(render(SAME[spec])) == SAME[spec]


def test_what_is_held_fixed() -> None:
    """A sum descends its value where all its terms do."""
    assert build("cross_entropy+0.5*focal").descends_value
    assert not build("cross_entropy+0.5*dynamic_fine_tuning").descends_value


def test_a_loss_alone() -> None:
    """A spec without signs and factors is the loss itself, and so is a loss."""
    assert build("focal:gamma=3") == Focal(gamma=3.0)
    assert build("1*focal") == build("+focal") == build("focal") == Focal()
    assert build(Focal()) == Focal()
    assert render(Focal(gamma=3.0)) == "focal:gamma=3.0"


def test_rendering() -> None:
    """A factor of 1 is left out, a sign stands before its term."""
    assert render(CrossEntropy() - Entropy() + 1e-4 * ZLoss()) == "cross_entropy-entropy+0.0001*z_loss"
    assert render(-2 * Entropy() - ZLoss()) == "-2.0*entropy-z_loss"
    tiny = CrossEntropy() + 1e-7 * ZLoss()
    assert build(render(tiny)) == tiny  # rendered as 1e-07, whose sign is no sign of a term


@pytest.mark.parametrize("spec", ["cross_entropy + 1e-4 * z_loss", " cross_entropy+1e-4*z_loss ", "+cross_entropy +.0001*z_loss"])
def test_spaces_and_signs(spec: str) -> None:
    """They are a matter of taste."""
    assert build(spec) == CrossEntropy() + 1e-4 * ZLoss()


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ("generalized_cross_entropy:q=1e-3+z_loss", GeneralizedCrossEntropy(q=1e-3) + ZLoss()),
        ("generalized_cross_entropy:q=1e-3-z_loss", GeneralizedCrossEntropy(q=1e-3) - ZLoss()),
        ("generalized_cross_entropy:q=1E-3+2E+1*z_loss", GeneralizedCrossEntropy(q=1e-3) + 20 * ZLoss()),
        ("z_loss+logit_adjusted:tau=-0.5", ZLoss() + LogitAdjusted(tau=-0.5)),
        ("logit_adjusted:tau=-5e-1,counts=1/2-z_loss", LogitAdjusted(tau=-0.5, counts=(1, 2)) - ZLoss()),
    ],
)
def test_whose_sign_it_is(spec: str, want: CategoricalLoss) -> None:
    """The sign of an exponent or of a value belongs to the number; the sign after a number begins a term."""
    assert build(spec) == want


def test_hyphenated_names() -> None:
    """A hyphen is an underscore where that makes a name, and a minus where it does not."""
    assert build("cross-entropy") == CrossEntropy()
    assert build("cross-entropy:label_smoothing=0.1") == CrossEntropy(label_smoothing=0.1)
    assert build("focal-entropy") == Focal() - Entropy()
    with pytest.raises(UnknownName, match="cross"):
        build("cross-entropy+z_loss")  # a difference of "cross" and "entropy": in a sum, names have underscores


def test_values() -> None:
    """Positions' values and gradients are the weighted sums of the terms'."""
    logits, target = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (2, 5))
    terms = ((1.0, CrossEntropy()), (-0.3, Entropy()), (1e-2, ZLoss()))
    want = sum(factor * loss(logits, target) for factor, loss in terms)
    got = build("cross_entropy-0.3*entropy+1e-2*z_loss")(logits, target)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in (got, want)), rtol=1e-12, atol=1e-12)


def test_values_between_numbers() -> None:
    """Losses between numbers add up in the same way."""
    loss = build("2*mse+log_likelihood:scale=2")
    prediction, value = torch.tensor(1.0), torch.tensor(3.0)
    want = 2 * 4 + 0.5 + math.log(2 * math.sqrt(2 * math.pi))
    assert isinstance(loss, RegressionLoss)
    assert loss.errors(prediction, value).item() == pytest.approx(want)
    assert loss(torch.zeros(2), torch.tensor(0)).item() == pytest.approx(1 + math.log(2))  # both terms serve outcomes too
    assert not isinstance(build("mse+huber"), CategoricalLoss)


def test_expressions_are_flat() -> None:
    """A factor goes to every term, however the expression is bracketed."""
    inner = CrossEntropy() + 2 * ZLoss()
    assert 3 * inner - Entropy() == 3 * CrossEntropy() + 6 * ZLoss() - Entropy()
    assert CrossEntropy() + (ZLoss() + Entropy()) == CrossEntropy() + ZLoss() + Entropy()
    assert CrossEntropy() - (ZLoss() - Entropy()) == CrossEntropy() - ZLoss() + Entropy()


def test_kinds() -> None:
    """A sum is a loss of what all its terms are losses of; for two outcomes, as soon as one term is."""

    class Two(BinaryLoss):
        def values(self, scores):  # type: ignore[no-untyped-def]
            return -scores.logp

    assert isinstance(CrossEntropy() + ZLoss(), CategoricalLoss)
    assert not isinstance(CrossEntropy() + ZLoss(), RegressionLoss | BinaryLoss)
    assert isinstance(CrossEntropy() + Two(), BinaryLoss)
    with pytest.raises(UsageError, match="two outcomes, got 3"):
        (CrossEntropy() + Two())(torch.zeros(3), torch.tensor(0))


def test_with_counts() -> None:
    """Every term that asks for counts gets them; those that have them, or do not ask, stay."""
    loss = build("ldam+0.5*logit_adjusted:counts=3/4+z_loss").with_counts((1.0, 2.0))
    assert loss == LDAM(counts=(1, 2)) + 0.5 * LogitAdjusted(counts=(3, 4)) + ZLoss()
    assert CrossEntropy().with_counts((1.0, 2.0)) == CrossEntropy()
    values = loss(torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))
    assert values.shape == (5,)


def test_what_does_not_add_up() -> None:
    """Losses of different kinds, and what is no loss; the error names the terms."""
    for expression in (lambda: CrossEntropy() + Huber(), lambda: build("cross_entropy+huber")):
        with pytest.raises(UsageError, match=r"cross_entropy \+ huber do not add up: they are not losses of one kind"):
            expression()
    with pytest.raises(UsageError, match=r"only losses add up to a loss, got \['CrossEntropy', 'int'\]"):
        CrossEntropy() + 1
    for factor in (math.inf, math.nan):
        with pytest.raises(UsageError, match=r"finite number, got .*(inf|nan)"):
            factor * CrossEntropy()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cross_entropy+", "cross_entropy"),
        ("cross_entropy+*z_loss", "cross_entropy"),
        ("cross_entropy+1e-4z_loss", "cross_entropy"),
        ("cross_entropy++z_loss", "cross_entropy"),
        ("cross_entropy+focl", "unknown loss 'focl'. Did you mean 'focal'"),
        ("cross_entropy+focal:gama=2", "unknown key of loss 'focal': 'gama'. Did you mean 'gamma'"),
        ("cross_entropy+focal:gamma=-2", "gamma is -2.0; wanted"),
        ("1e999*focal", "finite"),
        ("", "unknown loss ''"),
    ],
)
def test_specs_that_say_nothing(spec: str, message: str) -> None:
    """Each is refused, and the error says what of it was not understood."""
    with pytest.raises(UsageError, match=message):
        build(spec)


def test_what_is_no_spec() -> None:
    """Neither text nor a loss."""
    with pytest.raises(UsageError, match=r"got 3 as a loss. Give a spec such as 'cross_entropy'"):
        build(3)  # type: ignore[arg-type]
