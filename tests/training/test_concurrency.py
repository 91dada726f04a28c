"""Fits at once, in threads of one process, end in the bits of each alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

import lossworks

pytestmark = pytest.mark.usefixtures("once")

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
ROWS = [(f"{WORDS[n % 6]} {WORDS[n * n % 5]} n{n % 17}", "yes" if n % 6 < 2 else "no") for n in range(160)]
TEXTS = [text for text, _ in ROWS]
LM: dict[str, Any] = {"task": "lm", "tokenizer": "chars"}
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "linear": (ROWS, {"model": "linear:bits=12,chars=3", "epochs": 3}),
    "bag": (ROWS, {"model": "bag:dim=8,hidden=4,dropout=0.3,bits=12", "epochs": 3}),
    "encoder": (ROWS, {"model": "transformer_encoder:dim=8,heads=2,layers=1,dropout=0.3,context=16", "epochs": 2}),
    "ngram": (TEXTS, {**LM, "model": "ngram:order=3"}),
    "hmm": (TEXTS, {**LM, "model": "hmm:states=3,iterations=3"}),
    "transformer": (TEXTS, {**LM, "model": "transformer:layers=1,dim=8,heads=2,context=16,dropout=0.3", "steps": 12}),
    "rnn": (TEXTS, {**LM, "model": "rnn:layers=1,dim=8,dropout=0.3,weight_drop=0.2", "steps": 12}),
}


def answers(family: str, seed: int) -> Any:
    """What a fitted model says of some texts, exactly."""
    data, choices = FAMILIES[family]
    model = lossworks.fit(data, seed=seed, **choices)
    if isinstance(model, lossworks.Language):
        return [scored.nats.tolist() for scored in model.score(TEXTS[:5])]
    return model.predict_proba(TEXTS[:5]).tolist()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """The results of works that run in threads of their own, begun together."""
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda n=n, work=work: found.update({n: work()})) for n, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[n] for n in range(len(works))]


@pytest.mark.parametrize("family", FAMILIES)
def test_two_of_a_family(family: str) -> None:
    """Of two seeds, dropout on."""
    alone = [answers(family, seed) for seed in (0, 1)]
    assert at_once(lambda: answers(family, 0), lambda: answers(family, 1)) == alone


def test_beside_another_family() -> None:
    """And of two families; PyTorch's generator and threads are as they were."""
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    alone = answers("bag", 0), answers("transformer", 0)
    assert tuple(at_once(lambda: answers("bag", 0), lambda: answers("transformer", 0))) == alone
    assert torch.equal(random, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_under_no_grad() -> None:
    """A fit works within no_grad and inference_mode, and gives the same."""
    alone = answers("bag", 0)
    with torch.no_grad():
        assert answers("bag", 0) == alone
    with torch.inference_mode():
        assert answers("bag", 0) == alone
