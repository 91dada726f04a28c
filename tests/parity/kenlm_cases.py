"""The texts that KenLM and we both made models of, all of our own making."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import lossworks

UNKNOWN = "<unk>"
STAND_IN = "UNKNOWN"  # for the literal unknown word, which KenLM's lmplz refuses to count

Text = list[str]


@dataclass(frozen=True, slots=True)
class Case:
    """A model: of which corpus, of what order, pruned how."""

    corpus: str
    order: int
    prune: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """A name for files and tests."""
        return f"{self.corpus}-{self.order}" + "".join(f"-{threshold}" for threshold in self.prune)


CASES = (
    *(Case("words", order) for order in (2, 3, 4, 5)),
    *(Case("characters", order) for order in (2, 3, 5)),
    *(Case("zipf", order) for order in (3, 4)),
    Case("treebank", 3),
    Case("words", 4, (0, 0, 1)),
    Case("zipf", 3, (0, 1, 2)),
    Case("characters", 4, (0, 0, 1, 2)),
)


def corpora() -> dict[str, tuple[list[Text], list[Text]]]:
    """Texts to learn from and held-out ones, as lists of words."""
    with (Path(lossworks.__file__).parent / "data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        reviews = [row["text"] for row in csv.DictReader(file)]
    english = [text.lower() for text in reviews if text.isascii()]
    words = [text.split() for text in english]
    characters = [["_" if c == " " else c for c in text] for text in english[:90]]
    return {
        "words": (words[:150], words[150:200]),
        "characters": (characters[:70], characters[70:]),
        "zipf": (zipf(1, 400), zipf(2, 60)),
        "treebank": ([treebank(text) for text in words[:120]], [treebank(text) for text in words[120:150]]),
    }


def zipf(seed: int, texts: int) -> list[Text]:
    """Random words, each more probable after itself: enough counts of each kind for discounts of their own."""
    rng = random.Random(seed)
    weights = [1 / (rank + 2) for rank in range(300)]
    made = []
    for _ in range(texts):
        text = [f"w{rng.choices(range(300), weights)[0]}"]
        for _ in range(rng.randint(0, 20)):
            text.append(text[-1] if rng.random() < 0.2 else f"w{rng.choices(range(300), weights)[0]}")
        made.append(text)
    return made


def treebank(text: Text) -> Text:
    """As in the Penn Treebank's language-modelling text: long words unknown, and numbers N."""
    return [UNKNOWN if len(word) > 8 else "N" if any(c.isdigit() for c in word) else word for word in text]
