"""Texts restrained, searched for and chosen, by every family of language models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from lossworks.api import Language
from lossworks.core.errors import UsageError

from .language import fitted, neural

FAMILIES: dict[str, Callable[[], Language]] = {
    "ngram": fitted,
    "hmm": lambda: fitted("hmm:states=4,iterations=2"),
    "rnn": lambda: fitted("rnn:dim=8", epochs=1),
    "transformer": neural,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding(family: str) -> None:
    """No pair of tokens comes twice; a penalty makes for more kinds of them; choices are judged by ``score``."""
    model = FAMILIES[family]()
    for how in ({"seed": 3}, {"beam": 2, "samples": 2}):
        for text in model.generate("the ", no_repeat_ngram=2, max_new_tokens=30, **how):  # type: ignore[arg-type]
            assert len(set(pairwise(text))) == len(text) - 1
    plain = model.generate("the ", max_new_tokens=40, temperature=0)[0]
    penalised = model.generate("the ", max_new_tokens=40, temperature=0, repetition_penalty=1e6)[0]
    assert len(set(penalised)) / len(penalised) > len(set(plain)) / len(plain)
    choices = ["cat", "dog sat", "mat"]
    ranked = model.choose("the ", choices)
    logp = np.array([model.score([f"the {choice}"])[0].logp for choice, _ in ranked])
    assert [p for _, p in ranked] == pytest.approx(np.exp(logp) / np.exp(logp).sum())
    assert sorted(choice for choice, _ in ranked) == sorted(choices)
    assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)


def test_beam_is_no_sampling() -> None:
    """What does not go together is refused by name; the widest greedy search is a beam of one."""
    model = fitted()
    assert model.generate("the c", beam=1) == model.generate("the c", temperature=0)
    for wrong, said in (
        ({"length_penalty": 2.0}, "length_penalty is for beam search"),
        ({"beam": 2, "temperature": 0.5}, "beam search draws nothing"),
        ({"beam": 2, "samples": 3}, "finds no more than 2"),
        ({"beam": 0}, "beam is 0"),
    ):
        with pytest.raises(UsageError, match=said):
            model.generate("the", **wrong)  # type: ignore[call-overload]
    for choices in ([], ["a"], ["a", "a"], ["a", ""]):
        with pytest.raises(UsageError, match="two or more texts"):
            model.choose("the", choices)
