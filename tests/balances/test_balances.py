"""Balances: shares worked by hand, what every one keeps to, and their limits."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.balances import balances, build, render
from lossworks.core.errors import UsageError

SIZES = np.array([1000.0, 10.0, 190.0, 400.0])


def test_worked_by_hand() -> None:
    """UniMax fills the smallest first, and divides what they cannot take; alpha is a power of the shares."""
    assert build("unimax:repeats=2").shares(SIZES) * 1600 == pytest.approx([600, 20, 380, 600])  # 1600 - 20 - 380 in halves
    assert build("alpha:0.5").shares(np.array([900.0, 100.0])) == pytest.approx([0.75, 0.25])
    assert build("unimax:repeats=2").rates(SIZES) == pytest.approx([0.6, 2, 2, 1.5])
    assert render(build("alpha:0.5")) == "alpha:0.5"


def test_what_every_balance_keeps_to() -> None:
    """Shares are of all that is drawn, in the order of sizes; of the same size the same; of one language all of it."""
    for spec in [entry.name for entry in balances] + ["alpha:0", "unimax:repeats=1.5"]:
        shares = build(spec).shares(np.concatenate([SIZES, SIZES]))
        assert shares.sum() == pytest.approx(1)
        assert shares[:4] == pytest.approx(shares[4:])
        assert (np.diff(shares[:4][np.argsort(SIZES)]) >= -1e-12).all()
        assert build(spec).rates(np.array([7.0])) == pytest.approx([1.0])


def test_limits() -> None:
    """Where a balance is another."""
    for spec, other in (("alpha:1", "proportional"), ("unimax:repeats=1", "proportional"), ("unimax:repeats=1000", "alpha:0")):
        assert build(spec).shares(SIZES) == pytest.approx(build(other).shares(SIZES))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("alpha:1.5", "exponent is 1.5; wanted 0 to 1"),
        ("unimax:repeats=0.5", "repeats is 0.5; wanted a finite number, 1 or more"),
        ("unimx", "Did you mean 'unimax'"),
    ],
)
def test_wrong_ones(spec: str, said: str) -> None:
    """A value outside its domain, or a name that is none."""
    with pytest.raises(UsageError, match=said):
        build(spec)
