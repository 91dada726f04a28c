"""How often is the verdict on an explanation wrong? Of wrong explanations, and of true ones of models with a planted shortcut.

    LOSSWORKS_DATA=… python bench/explain_verdict.py [TEXTS [FAMILY …]]

Each family is trained on sampled rows of each data set. In half of the texts of one label stands a token that no other text has:
what the model then goes by is known. TEXTS (60) held-out texts for each family and data set are explained, half of them cut to
5 to 10 words, half of them with the token.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import _bench
import numpy as np
import torch
from numpy.typing import NDArray

import lossworks
from lossworks.attribution.control import shuffled
from lossworks.attribution.explaining import methods_for, token_spans
from lossworks.attribution.explanation import Division
from lossworks.attribution.parts import spans_of
from lossworks.attribution.quantity import quantity
from lossworks.attribution.texts import LabelTexts
from lossworks.attribution.trial import FEWEST, judge
from lossworks.inference import Predictor
from lossworks.metrics.intervals import proportion

DATA = ("movie_reviews", "trec", "ag_news")
FAMILIES: dict[str, dict[str, Any]] = {
    "linear": {"epochs": 5},
    "bag": {"epochs": 8},
    "bag:hidden=32": {"epochs": 8},
    "ngram:order=3": {},
    "rnn_encoder:dim=32,vocabulary=5000": {"epochs": 6},
    "transformer_encoder:dim=64,vocabulary=5000": {"epochs": 6},
}
ROWS = 3000
TOKEN = "zorvex"
LONGEST_SHORT = 10  # parts
Shares = NDArray[np.float64]


@dataclass(slots=True)
class Remembering:
    """A predictor that reads no text twice."""

    predictor: Predictor
    known: dict[str, NDArray[Any]]

    @property
    def temperature(self) -> float:
        """Of the predictor."""
        return self.predictor.temperature

    def scores(self, texts: Sequence[str]) -> NDArray[Any]:
        """Of the predictor."""
        new = list(dict.fromkeys(text for text in texts if text not in self.known))
        self.known.update(zip(new, self.predictor.scores(new), strict=True) if new else ())
        return np.stack([self.known[text] for text in texts])


def planted(text: str, draw: random.Random) -> str:
    """The text with the token somewhere between its words."""
    words = text.split()
    words.insert(draw.randint(0, len(words)), TOKEN)
    return " ".join(words)


def short(text: str, draw: random.Random) -> str:
    """4 to 9 words of the text."""
    words, size = text.split(), draw.randint(4, 9)
    first = draw.randint(0, max(0, len(words) - size))
    return " ".join(words[first : first + size])


def trained(train: _bench.Pairs, family: str, draw: random.Random) -> tuple[str, Predictor, Predictor]:
    """The label of the token, a model trained with it, and one of the same texts under shuffled labels."""
    label = min(label for _, label in train)
    rows = [(planted(text, draw), own) if own == label and draw.random() < 0.5 else (text, own) for text, own in train]
    labels = [own for _, own in rows]
    draw.shuffle(labels)
    wrong = [(text, own) for (text, _), own in zip(rows, labels, strict=True)]
    models = [lossworks.fit(each, test=0, model=family, seed=0, **FAMILIES[family]) for each in (rows, wrong)]
    assert all(isinstance(model, lossworks.Model) for model in models)
    return label, models[0].predictor, models[1].predictor  # type: ignore[union-attr]


def drawn(test: _bench.Pairs, count: int, draw: random.Random) -> list[tuple[str, bool]]:
    """Texts to explain, and whether the token is in them."""
    texts: list[tuple[str, bool]] = []
    while len(texts) < count:
        text = draw.choice(test)[0]
        if len(text.split()) >= FEWEST:
            text = short(text, draw) if len(texts) % 2 else text
            texts.append((planted(text, draw), True) if len(texts) % 4 < 2 else (text, False))
    return texts


Wrong = Callable[["Case", int], Shares]


@dataclass(slots=True)
class Case:
    """What explanations of a family on a data set are made of: the true shares, and what wrong ones are."""

    texts: LabelTexts
    true: list[Division]
    other_class: list[Division]
    shuffled_labels: list[Division]
    counts: Counter[str]
    draw: np.random.Generator

    def words(self, number: int) -> list[str]:
        """Of a text."""
        return [self.texts.texts[number][first:last] for first, last in self.texts.spans[number].tolist()]

    def another(self, number: int) -> Shares:
        """The shares of another text of as many parts; the same in another order, where there is none."""
        own = self.true[number].shares
        alike = [each.shares for each in self.true if len(each.shares) == len(own) and each.shares is not own]
        return alike[self.draw.integers(len(alike))] if alike else self.draw.permutation(own)


WRONG: dict[str, Wrong] = {
    "random numbers": lambda case, n: case.draw.standard_normal(len(case.true[n].shares)),
    "the true shares on random parts": lambda case, n: case.draw.permutation(case.true[n].shares),
    "all alike": lambda case, n: np.full(len(case.true[n].shares), 0.1),
    "of another class": lambda case, n: case.other_class[n].shares,
    "of a model of shuffled labels": lambda case, n: case.shuffled_labels[n].shares,
    "of another text": lambda case, n: case.another(n),
    "by rarity of the word": lambda case, n: -np.log([(1 + case.counts[word.lower()]) / 1e6 for word in case.words(n)]),
    "by length of the word": lambda case, n: np.array([float(len(word)) for word in case.words(n)]),
    "the absolute values": lambda case, n: np.abs(case.true[n].shares),
}


def tried(data: str, family: str, count: int) -> list[tuple[str, str, str, str]]:
    """Verdicts: kind of the explanation, method, kind of the text, and word."""
    draw = random.Random(f"{data} {family}")
    train, test = getattr(_bench, data)(0)
    train = draw.sample(train, ROWS)
    label, model, wrong = trained(train, family, draw)
    texts, has_token = zip(*drawn(test, count, draw), strict=True)
    task = model.task
    spans = [spans_of(text, "word", token_spans(model)) for text in texts]
    answers = model.scores(texts).argmax(1)
    asked = [
        task.labels.index(label) if token else int(answer) for token, answer in zip(has_token, answers.tolist(), strict=True)
    ]
    others = [draw.choice([n for n in range(len(task.labels)) if n != own]) for own in asked]
    given = LabelTexts(texts, spans, model, [quantity(task, None, own) for own in asked])
    kinds = [
        f"{'with' if token else 'without'} the token, {'short' if len(own) <= LONGEST_SHORT else 'long'}"
        for token, own in zip(has_token, spans, strict=True)
    ]
    remembering = Remembering(model, {})
    found = []
    for number, method in enumerate(methods_for(given)):
        own = given.with_ends() if method.ends else given
        reading = replace(own, predictor=remembering)  # type: ignore[arg-type]
        true = method.divide(own)
        control = [method.divide(replace(own, predictor=shuffled(model)))]
        found += [("true", method.name, *each) for each in _verdicts(reading, true, control, kinds)]
        if number == 0:  # the wrong ones are made of those that users get
            other = method.divide(replace(own, quantities=[quantity(task, None, label) for label in others]))
            counts = Counter(word.lower() for text, _ in train for word in text.split())
            bad = method.divide(replace(own, predictor=wrong))
            case = Case(own, true, other, bad, counts, np.random.default_rng(0))
            for kind, make in WRONG.items():
                shares = [replace(each, shares=make(case, n)) for n, each in enumerate(true)]
                found += [(kind, method.name, *each) for each in _verdicts(reading, shares, control, kinds)]
    return found


def _verdicts(
    texts: LabelTexts, shares: list[Division], control: list[list[Division]], kinds: list[str]
) -> list[tuple[str, str]]:
    trials = judge(texts, shares, control)
    return [(kind, each.word) for kind, each in zip(kinds, trials, strict=True) if each.facts.get("nothing") != "few"]


def share(words: Sequence[str], word: str) -> str:
    """How many of the words are this one, with a 95 % interval."""
    if not words:
        return "–"
    found = proportion(np.array([each == word for each in words]), np.ones(len(words)))
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%}; {len(words)})"


def main(count: int, families: Sequence[str]) -> None:
    """Print the tables."""
    _bench.machine()
    torch.set_num_threads(1)
    false: dict[tuple[str, str], list[str]] = defaultdict(list)
    missed: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for family in families:
        began = time.process_time()
        for data in DATA:
            for kind, method, text, word in tried(data, family, count):
                if kind == "true":
                    missed[family, method, text].append(word)
                else:
                    false[kind, family].append(word)
                    false[kind, "all"].append(word)
        print(f"{family}: {time.process_time() - began:.0f} s of CPU time", file=sys.stderr, flush=True)
    print("False trust: wrong explanations that are called worthy of trust (95 % interval; number)\n")
    short_names = [family.partition(":")[0] + (" with a hidden layer" if "hidden" in family else "") for family in families]
    rows = [(kind, share(false[kind, "all"], "trust"), *(_percent(false[kind, f]) for f in families)) for kind in WRONG]
    first = share([word for kind in list(WRONG)[:5] for word in false[kind, "all"]], "trust")
    _bench.table(
        ("shares", "all families", *short_names), [*rows, ("the first five", first, *[""] * len(families))], "false-trust"
    )
    print("True explanations that are called worthy of trust, by what is explained\n")
    kinds = [f"{token} the token, {size}" for token in ("with", "without") for size in ("short", "long")]
    listed = dict.fromkeys((family, method) for family, method, _ in missed)
    _bench.table(
        ("family", "method", *kinds, "called not to be trusted"),
        [
            (
                family,
                method,
                *(share(missed[family, method, kind], "trust") for kind in kinds),
                share([word for kind in kinds for word in missed[family, method, kind]], "do not trust"),
            )
            for family, method in listed
        ],
        "true-trust",
    )


def _percent(words: Sequence[str]) -> str:
    return f"{np.mean([word == 'trust' for word in words]):.1%}"


if __name__ == "__main__":
    told = sys.argv[1:]
    main(int(told[0]) if told else 60, tuple(told[1:]) or tuple(FAMILIES))
