"""The supervised contrastive loss against numbers worked by hand and the formula of its source, term by term."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import InfoNCE, SupervisedContrastive


def formula(loss: SupervisedContrastive, anchors: Tensor, keys: Tensor, labels: Tensor) -> Tensor:
    """Khosla et al.'s sum over an anchor's positives of the log of a quotient, one by one."""
    found = []
    for i in range(len(anchors)):
        others = [j for j in range(len(keys)) if j != i]
        exps = {j: (torch.cosine_similarity(anchors[i], keys[j], dim=0) / loss.temperature).exp() for j in others}
        terms = [(exps[j] / sum(exps.values())).log() for j in others if labels[j] == labels[i]]
        found.append(-sum(terms) / len(terms) if terms else 0 * anchors[i].sum())
    return torch.stack(found)


def beside(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors and keys of width 4, and labels of three kinds, of which the first row's is its alone."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, rows, 4, generator=rng, dtype=torch.float64)
    labels = torch.randint(1, 4, (rows,), generator=rng)
    labels[:1] = 0
    return drawn[0].clone(), drawn[1].clone(), labels


ODD: dict[str, dict[str, str]] = {"temperature=1": {}, "temperature=0.5": {}}
STATES = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, -1.0]], dtype=torch.float64)


def test_by_hand() -> None:
    """Of cosines 0, 1, 0 to the others, the first two of one label, at the temperature ½; who is alone costs nothing."""
    e2 = math.exp(2)
    values = SupervisedContrastive(temperature=0.5).contrasts(STATES, STATES, torch.tensor([0, 0, 0, 1])).tolist()
    first = -(math.log(1 / (e2 + 2)) + math.log(e2 / (e2 + 2))) / 2
    second = math.log(2 + math.exp(-2))
    assert values == pytest.approx([first, second, first, 0.0])


def test_limits() -> None:
    """Rows that are all alike lose log of the keys' number; labels that are far apart nothing; of pairs it is InfoNCE."""
    alike, labels = torch.ones(6, 3, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1, 1])
    assert SupervisedContrastive().contrasts(alike, alike, labels).tolist() == pytest.approx([math.log(5)] * 6)
    apart = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]]
    assert SupervisedContrastive(temperature=0.01).contrasts(apart, apart, labels[[0, 0, 3, 3]]).tolist() == pytest.approx(
        [0.0] * 4
    )
    query, own, other = torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    every = torch.cat([query, own, other])
    found = SupervisedContrastive(temperature=0.3).contrasts(every, every, torch.tensor([7, 7, 8]))
    torch.testing.assert_close(found[:1], InfoNCE(temperature=0.3).contrasts(query, own, other))


def test_what_does_not_fit_is_refused() -> None:
    """As many keys and labels as anchors; a temperature above 0."""
    with pytest.raises(UsageError, match=r"supervised_contrastive: got keys \(1, 2\) beside \(4, 2\)"):
        SupervisedContrastive().contrasts(STATES, STATES[:1], torch.zeros(4))
    with pytest.raises(UsageError, match=r"got labels \(3,\) for 4 rows. Give one a row"):
        SupervisedContrastive().contrasts(STATES, STATES, torch.zeros(3))
    with pytest.raises(UsageError, match=r"temperature is 0.0; wanted a finite number above 0"):
        SupervisedContrastive(temperature=0.0)
