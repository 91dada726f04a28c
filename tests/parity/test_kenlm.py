"""Our n-gram models are KenLM's, probability by probability; ``make_kenlm_reference.py`` recorded those."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lossworks.data import Ragged
from lossworks.models.ngram import NgramModel, NgramSpec
from lossworks.tokens import Vocabulary
from parity.kenlm_cases import CASES, STAND_IN, UNKNOWN, Case, Text, corpora

KENLM = Path(__file__).parent / "kenlm"
CORPORA = corpora()


class Words:
    """Numbers of words. Where the unknown word occurs, it is 0, and what KenLM calls so is a word that never does."""

    def __init__(self, texts: list[Text]) -> None:
        occur = {word for text in texts for word in text}
        first = [STAND_IN, "<s>", "</s>", UNKNOWN] if UNKNOWN in occur else [UNKNOWN, "<s>", "</s>"]
        self.numbers = {word: number for number, word in enumerate([*first, *sorted(occur - {UNKNOWN})])}
        self.vocabulary = Vocabulary(len(self.numbers))

    def encoded(self, texts: list[Text]) -> Ragged:
        """Texts as numbers; words not learnt are KenLM's unknown one."""
        stand_in = {UNKNOWN: self.numbers.get(STAND_IN, 0)}
        rows = [[stand_in.get(word, self.numbers.get(word, self.numbers[UNKNOWN])) for word in text] for text in texts]
        return Ragged(np.array([n for row in rows for n in row], np.uint16), np.cumsum([0, *map(len, rows)]))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def both(request: pytest.FixtureRequest) -> tuple[Case, Words, NgramModel]:
    """A case and our model of it."""
    case: Case = request.param
    train, _ = CORPORA[case.corpus]
    words = Words(train)
    return case, words, NgramSpec(order=case.order, prune=case.prune).fit(words.encoded(train), words.vocabulary)


def recorded(case: Case) -> Iterator[tuple[list[str], float, float]]:
    """KenLM's n-grams, log10 probabilities and back-offs."""
    for line in gzip.decompress((KENLM / f"{case.name}.arpa.gz").read_bytes()).decode().split("\n"):
        parts = line.split("\t")
        if len(parts) > 1:
            yield parts[1].split(" "), float(parts[0]), float(parts[2]) if len(parts) > 2 else 0.0


def test_every_probability_and_backoff(both: tuple[Case, Words, NgramModel]) -> None:
    """To 1e-5 in log10, for every n-gram that KenLM has, and no n-gram is missing or too many."""
    case, words, model = both
    found = [0] * (case.order + 1)
    for gram, log10, backoff in recorded(case):
        ids = [words.numbers[word] for word in gram]
        found[len(ids)] += 1
        if gram != ["<s>"]:
            state: tuple[int, ...] = ()
            for word in ids[:-1]:
                state = model.advance(state, word)
            assert model.next(state)[ids[-1]] / math.log(10) == pytest.approx(log10, abs=1e-5), gram
        if len(ids) < case.order:
            places, _ = model.query.walk(*model._sequence(ids), len(ids))
            assert math.log10(model.query.backoff(len(ids), places[-1][-1:])[0]) == pytest.approx(backoff, abs=1e-5), gram
    ours = [len(level.count) for level in model.trie.levels[1:] if level.count is not None]
    assert found[1:] == ours


def test_perplexity(both: tuple[Case, Words, NgramModel]) -> None:
    """Of held-out texts, as KenLM's query says, with and without unknown words."""
    case, words, model = both
    wanted = json.loads((KENLM / "perplexity.json").read_text("utf-8"))[case.name]
    texts = words.encoded(CORPORA[case.corpus][1])
    logp, known = model.logp(texts), model.targets(texts) != words.numbers[UNKNOWN]
    assert (~known).sum() == wanted["unknown"]
    assert math.exp(-logp.mean()) == pytest.approx(wanted["including"], rel=2e-5)
    assert math.exp(-logp[known].mean()) == pytest.approx(wanted["excluding"], rel=2e-5)
