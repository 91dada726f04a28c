"""What `unlikelihood` does to the repetitions of a language model, on real text.

    LOSSWORKS_DATA=… python bench/repetition.py [SEEDS]

News descriptions, words, and a recurrent network in a loop of its own, as in docs/guides/repetition.md; negatives of a position
are the words before it. Figures are of 30 words after the first five of held-out texts: the share of words, and of four words in
a row, that stand earlier in the same text (the second: seq-rep-4 of Welleck et al. 2020), and how many different words there are.
"""

from __future__ import annotations

import csv
import sys
import time
from typing import Any

import _bench
import torch
from torch import Tensor, nn

import lossworks
from lossworks import optim, tokens

SPECS = ("cross_entropy", "unlikelihood:alpha=0.2", "unlikelihood", "unlikelihood:alpha=4")
WIDTH, WORDS, LONGEST, EPOCHS, BATCH = 96, 3000, 45, 5, 32
GIVEN, LENGTH, TEST = 5, 30, 500


class Model(nn.Module):
    """The states before the last layer; the embedding is that layer too."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding, self.body = nn.Embedding(size, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        states: Tensor = self.body(self.embedding(ids.clamp_min(0)))[0]
        return states


def mean(spec: str, model: Model, ids: Tensor) -> Any:
    """The loss of each next word; its negatives are the words before it."""
    earlier = ids[:, None, :-1].expand(-1, ids.shape[1] - 1, -1)
    before = torch.ones_like(earlier, dtype=torch.bool).tril()
    negatives = earlier.where(before, -1) if "unlikelihood" in spec else None
    hidden, target = model(ids)[:, :-1], ids[:, 1:]
    weight = model.embedding.weight
    return lossworks.fused(spec, hidden, weight, target.clamp_min(0), keep=target >= 0, negatives=negatives)


@torch.no_grad()
def said(model: Model, begun: Tensor, marks: list[int | None], *, drawn: bool) -> list[list[int]]:
    """What follows the first words of texts: the most probable words, or drawn ones; none of the marks."""
    text, draw = begun, torch.Generator().manual_seed(0)
    for _ in range(LENGTH):
        logits = model(text)[:, -1] @ model.embedding.weight.T
        logits[:, marks] = -torch.inf
        following = torch.multinomial(logits.softmax(-1), 1, generator=draw) if drawn else logits.argmax(-1, keepdim=True)
        text = torch.cat([text, following], 1)
    return text[:, begun.shape[1] :].tolist()


def repeated(texts: list[list[int]], n: int) -> float:
    """The share of n words in a row that stand in their text before."""
    grams = [[tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for text in texts]
    return 1 - sum(len(set(each)) for each in grams) / sum(map(len, grams))


def told(texts: list[list[int]]) -> str:
    """The figures of texts, in words."""
    different = len({word for text in texts for word in text})
    return f"{repeated(texts, 1):6.1%} of words, {repeated(texts, 4):5.1%} of four words, {different:5,} different words"


def main() -> None:
    """Print a line for the text itself, and for each loss and seed one of what is most probable and one of what is drawn."""
    with (_bench.data() / "ag-news" / "ag_news_test.csv").open(encoding="utf-8") as file:
        texts = [row[2] for row in csv.reader(file)]
    tokenizer = tokens.build(f"words:max_size={WORDS}").learn([texts[TEST:]])
    vocabulary = tokenizer.vocabulary
    marks = [vocabulary.unknown, vocabulary.start, vocabulary.end]
    rows = [torch.tensor([vocabulary.start, *tokenizer.encode([text])[0].tolist()[:LONGEST], vocabulary.end]) for text in texts]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
    test, train = ids[:TEST], ids[TEST:]
    begun = test[:, : 1 + GIVEN]
    every = tokens.build("words").learn([texts])
    whole = [every.encode([text])[0].tolist()[GIVEN : GIVEN + LENGTH] for text in texts[:TEST]]
    whole = [text for text in whole if len(text) == LENGTH]
    print(f"{vocabulary.size:,} words; the texts themselves ({len(whole)}): {told(whole)}", flush=True)
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        for spec in SPECS:
            torch.manual_seed(seed)
            model, began = Model(vocabulary.size), time.monotonic()
            optimizer = optim.build("adamw:lr=0.003").over(model)
            for _ in range(EPOCHS):
                order = torch.randperm(len(train))
                for batch in (train[order[first : first + BATCH]] for first in range(0, len(train), BATCH)):
                    optimizer.zero_grad()
                    mean(spec, model, batch[:, : int((batch >= 0).sum(1).max())]).backward()
                    optimizer.step()
            with torch.no_grad():
                nats = mean("cross_entropy", model, test).item()
            print(f"seed {seed}  {spec:23} {nats:.3f} nats a word, {time.monotonic() - began:.0f} s")
            for name, drawn in (("searched", False), ("drawn", True)):
                print(f"    {name:9} {told(said(model, begun, marks, drawn=drawn))}", flush=True)


if __name__ == "__main__":
    main()
