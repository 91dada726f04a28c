"""InfoNCE against numbers worked by hand and PyTorch's cross-entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import InfoNCE


def formula(loss: InfoNCE, queries: Tensor, keys: Tensor, negatives: Tensor) -> Tensor:
    """PyTorch's cross-entropy of every pair's similarity, one by one."""
    every = torch.cat([keys, negatives])
    cosine = torch.nn.functional.cosine_similarity(queries[:, None], every, dim=-1)
    alike = cosine if loss.similarity == "cosine" else (queries[:, None] * every).sum(-1)
    return torch.nn.functional.cross_entropy(alike / loss.temperature, torch.arange(len(queries)), reduction="none")


def beside(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and as many further negatives, of width 4."""
    drawn = torch.randn(3, rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn[0].clone(), drawn[1].clone(), drawn[2].clone()


ODD: dict[str, dict[str, str]] = {"temperature=1,similarity=dot": {}, "temperature=0.5": {}, "similarity=dot,temperature=0.3": {}}
QUERIES = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
KEYS = torch.tensor([[3.0, 0.0], [5.0, 5.0]], dtype=torch.float64)


def test_by_hand() -> None:
    """By dot products the queries score (3, 5) and (0, 10); by cosine (1, √½) and (0, √½)."""
    dot = InfoNCE(temperature=1.0, similarity="dot").contrasts(QUERIES, KEYS).tolist()
    assert dot == pytest.approx([math.log(1 + math.exp(2)), math.log(1 + math.exp(-10))])
    cosine = InfoNCE(temperature=0.5).contrasts(QUERIES, KEYS).tolist()
    root = math.sqrt(0.5)
    assert cosine == pytest.approx([math.log(1 + math.exp((root - 1) / 0.5)), math.log(1 + math.exp(-root / 0.5))])


def test_limits() -> None:
    """Keys that are all alike lose log of their number; one key alone loses nothing; own keys far above all others neither."""
    alike = torch.ones(5, 3)
    assert InfoNCE().contrasts(alike, alike, torch.ones(7, 3)).tolist() == pytest.approx([math.log(12)] * 5)
    assert InfoNCE().contrasts(alike[:1], alike[1:2]).tolist() == [0.0]
    apart = 100 * torch.eye(4)
    assert InfoNCE(similarity="dot").contrasts(apart, apart).tolist() == [0.0] * 4


def test_further_negatives_only_add() -> None:
    """More negatives, more to lose; any number of them."""
    queries, keys, _ = beside(6, seed=1)
    before = InfoNCE().contrasts(queries, keys)
    for more in (1, 20):
        assert (InfoNCE().contrasts(queries, keys, torch.randn(more, 4, dtype=torch.float64)) > before).all()
    torch.testing.assert_close(InfoNCE().contrasts(queries, keys, keys[:0]), before)


def test_scores_give_accuracy() -> None:
    """The first query's best key is the second, the second's own: one of two is right; the values are -log p."""
    view = InfoNCE(similarity="dot", temperature=1.0).scores(QUERIES, KEYS)
    assert (view.argmax == view.target).tolist() == [False, True]
    assert torch.equal(-view.logp, InfoNCE(similarity="dot", temperature=1.0).contrasts(QUERIES, KEYS))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"temperature": 0.0}, r"temperature is 0.0; wanted a finite number above 0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"similarity": "euclid"}, "similarity is 'euclid'; wanted one of cosine, dot"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        InfoNCE(**keys)


def test_what_does_not_fit_is_refused() -> None:
    """As many keys as queries, all as wide."""
    with pytest.raises(UsageError, match=r"info_nce: got keys \(1, 2\) beside \(2, 2\). Give all the same shape"):
        InfoNCE().contrasts(QUERIES, KEYS[:1])
    with pytest.raises(UsageError, match=r"info_nce: got negatives \(3, 4\) for keys \(2, 2\). Give \[M, d\]"):
        InfoNCE().contrasts(QUERIES, KEYS, torch.zeros(3, 4))
