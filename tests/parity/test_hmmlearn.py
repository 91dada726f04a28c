"""Our Baum–Welch goes where hmmlearn's does; ``make_hmmlearn.py`` says how the numbers were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossworks.data import Ragged
from lossworks.models.hmm import BaumWelch, Chain, HmmModel, expectation
from lossworks.models.hmm.packing import Packed, pack
from lossworks.tokens import Vocabulary
from models.hmm.cases import tables

CASES: dict[str, Any] = json.loads(Path(__file__).with_name("hmmlearn_reference.json").read_text())["cases"]


def made(name: str) -> tuple[dict[str, Any], Chain, Ragged, list[Packed]]:
    """A case, its first chain, its texts, and these in batches."""
    case = CASES[name]
    texts = Ragged(np.array(case["ids"], np.uint32), np.cumsum([0, *case["lengths"]]))
    first = tables(**case["first"])
    return case, first, texts, list(pack(texts, len(first.emission), None, 100, 10**6))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("alongside", [0, 10**9])
def test_the_same_way(name: str, alongside: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log-likelihood of every iteration to 1e-8, and the tables after the last."""
    monkeypatch.setattr(expectation, "_ALONGSIDE", alongside)
    case, first, texts, batches = made(name)
    em = BaumWelch(iterations=len(case["logp"]), tolerance=-1.0, prior=0.0, patience=1, rows=10**6)
    trained = em.run(first, batches)
    assert len(case["logp"]) >= 25
    np.testing.assert_allclose(-np.array(trained.nll) * len(texts.ids), case["logp"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(trained.chain.start, case["last"]["start"], atol=1e-8)
    np.testing.assert_allclose(trained.chain.transitions, case["last"]["transitions"], atol=1e-8)
    np.testing.assert_allclose(trained.chain.emission.T, case["last"]["emission"], atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_the_same_states(name: str) -> None:
    """The most probable path and the posteriors under hmmlearn's last tables."""
    case, _, texts, _ = made(name)
    last = tables(**case["last"])
    model = HmmModel(last, Vocabulary(len(last.emission), None), ends=False)
    assert model.viterbi(texts).tolist() == case["path"]
    np.testing.assert_allclose(model.posteriors(texts)[:20], case["posteriors"], atol=1e-8)
