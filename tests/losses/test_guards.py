"""What does not fit is refused where it comes in, naming what was got and the remedy; what fits has the right value."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from lossworks import losses
from lossworks.core.errors import UnknownName, UsageError
from lossworks.losses import Pairs, RegressionLoss
from lossworks.losses.kto import KTO, kl_baseline
from lossworks.scores import binary, dense, fused
from lossworks.scores.adaptive import AdaptiveHead
from lossworks.scores.sampled import candidates

BETWEEN = [entry.name for entry in losses.losses if issubclass(entry.thing, RegressionLoss)]


@pytest.mark.parametrize("spec", [*BETWEEN, "mse+0.5*mae"])
def test_a_column_does_not_meet_a_row(spec: str) -> None:
    """[6, 1] and [6] would be 36 values; of one shape they are 6, and the same."""
    loss, prediction, value = losses.build(spec), torch.arange(6.0), torch.ones(6)
    with pytest.raises(UsageError, match=r"predictions \(6, 1\) and values \(6,\).*squeeze"):
        loss.errors(prediction[:, None], value)  # type: ignore[attr-defined]
    column = loss.errors(prediction[:, None], value[:, None])  # type: ignore[attr-defined]
    assert torch.equal(column[:, 0], loss.errors(prediction, value))  # type: ignore[attr-defined]


LOGITS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.mark.parametrize(("target", "named"), [(-100, "target -100"), (3, "target 3"), (-1, "target -1")])
def test_a_target_that_is_no_outcome(target: int, named: str) -> None:
    """It and its position are named, and how to leave positions out, which then gives the value of those that are left."""
    given, weight = torch.tensor([0, target]), torch.eye(3)
    head = AdaptiveHead(3, (2, 3))
    for ask in (
        lambda: losses.build("cross_entropy")(LOGITS, given),
        lambda: dense(LOGITS, given),
        lambda: fused(LOGITS, weight, given),
        lambda: candidates(LOGITS, weight, given, torch.tensor([1])),
        lambda: head.scores(LOGITS, given),
        lambda: binary(LOGITS[:, 0], given),
    ):
        with pytest.raises(UsageError, match=re.escape(f"{named} at position [1] for ") + ".*keep=keep to fused") as error:
            ask()
        assert f"(target != {target})" in str(error.value)
        assert ("The largest is 3." in str(error.value)) == (target == 3)
    keep = torch.tensor([True, False])
    want = torch.logsumexp(LOGITS[0], 0) - 1
    torch.testing.assert_close(losses.build("cross_entropy")(LOGITS[keep], given[keep]), want[None])
    torch.testing.assert_close(fused(LOGITS, weight, given, keep=keep).mean(losses.build("cross_entropy")), want)


def test_targets_that_begin_at_one() -> None:
    """The largest is named, and what to subtract; not where there is a 0."""
    with pytest.raises(UsageError, match=r"for 3 outcomes, 0 to 2\. The largest is 3\. If yours begin at 1, give target - 1\."):
        losses.build("focal")(LOGITS, torch.tensor([1, 3]))
    with pytest.raises(UsageError, match=r"The largest is 3\. To leave"):
        losses.build("focal")(LOGITS, torch.tensor([0, 3]))


def test_the_position_has_all_its_axes() -> None:
    """As it stands in the target, also where others are left out before it."""
    target = torch.tensor([[0, -100, 2], [1, 7, 0]])
    with pytest.raises(UsageError, match=r"target -100 at position \[0, 1\] for 3"):
        dense(torch.zeros(2, 3, 3), target)
    with pytest.raises(UsageError, match=r"target 7 at position \[1, 1\] for 3"):
        fused(torch.zeros(2, 3, 3), torch.eye(3), target, keep=target != -100)


def test_baselines() -> None:
    """One number, or one for each answer; anything else would broadcast."""
    logp, good = torch.zeros(4), torch.tensor([True, False, True, False])
    assert KTO(beta=1.0).answers(logp, logp, good, torch.zeros(())).tolist() == [0.5] * 4
    with pytest.raises(UsageError, match=r"baseline: got \(3,\).*\(4,\)"):
        KTO().answers(logp, logp, good, torch.zeros(3))
    with pytest.raises(UsageError, match=r"baseline: got \(4, 1\)"):
        Pairs(chosen=logp, rejected=logp, baseline=torch.zeros(4, 1))
    with pytest.raises(UsageError, match="kl_baseline"):
        kl_baseline(logp[:, None], logp)


def test_the_name_of_another_kind_of_thing() -> None:
    """It says which, in a process that has not used that kind either."""
    near = r"'cosine'\. It names a kind of schedule, not of loss: give it as schedule='cosine'\. Did you mean 'info_nce' or 'sup"
    with pytest.raises(UnknownName, match=near):
        losses.build("cosine")
    with pytest.raises(UnknownName, match=r"unknown loss 'focl'\. Did you mean 'focal'"):
        losses.build("focl")
    program = "from lossworks import losses\ntry: losses.build('l1')\nexcept ValueError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "It names a kind of penalty, not of loss: give it as penalty='l1'. Known: asymmetric, " in done.stdout
