"""From texts to a model: count, smooth, and put the n-grams together as a trie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError, UsageError
from ...core.memory import available
from ...data import Ragged
from ...tokens import Vocabulary
from .codes import coded
from .columns import gathered
from .counting import Counted, count, needed
from .positions import length
from .pruning import prune as entropy_pruned
from .scanning import Way
from .smoothing import Smoothing
from .trie import LONGEST, Level, Trie


def estimate(
    texts: Ragged,
    vocabulary: Vocabulary,
    *,
    order: int,
    smoothing: Smoothing,
    ends: bool = True,
    prune: Sequence[int] = (),
    entropy: float = 0.0,
    memory: int | None = None,
    scratch: Path | None = None,
    watch: Callable[[str, dict[str, Any]], None] = lambda event, fields: None,
) -> tuple[Trie, list[dict[str, Any]]]:
    """The n-grams of ``texts`` with their probabilities, and for each order facts for the record.

    Args:
        prune: for each order how often an n-gram must occur more than, to be kept; the last is for all higher orders too.
        entropy: n-grams whose loss changes the model by less, in nats, are left out; see ``pruning.py``.
        memory, scratch: bytes to stay below, with files in ``scratch`` for what is beyond; the arrays are then mapped from
            there. None: half of what is free, where all does not fit into that.

    Raises:
        DataError: no tokens, an order longer than any text, or a token number that is not a word's.
        UsageError: an order or thresholds that make no sense.
    """
    way = Way(order, vocabulary.size, vocabulary.start, smoothing.raw, _thresholds(prune, order))
    _check(texts, vocabulary, order, ends)
    if memory is None and needed(length(texts, ends), np.uint32, order) > (half := available() / 2):  # the model takes some too
        memory = int(half)
    folder = scratch if memory is not None else None
    counted = count(
        texts,
        vocabulary,
        way,
        ends=ends,
        memory=memory,
        scratch=folder,
        tell=lambda done, of: watch("count", {"done": done, "of": of}),
    )
    facts = []
    for k in range(1, order + 1):
        told = smoothing.learn(counted.of_counts[k], k, lambda text: watch("note", {"text": text}))
        kept = int(counted.of_counts[1, 5]) if k == 1 else counted.levels[k - 2].word.size
        facts.append({"order": k, "ngrams": kept, "before_pruning": int(counted.of_counts[k, 5]), **told})
    trie = _trie(counted, smoothing, vocabulary, folder)
    if entropy:
        trie = entropy_pruned(trie, vocabulary, entropy)
        for fact, level in zip(facts[1:], trie.levels[2:], strict=True):
            fact["ngrams"] = 0 if level.word is None else len(level.word)
    return trie, facts


def _trie(counted: Counted, smoothing: Smoothing, vocabulary: Vocabulary, folder: Path | None) -> Trie:
    words = vocabulary.size - 1  # all but the start of a text
    order = len(counted.levels) + 1

    def followed(contexts: NDArray[np.int64], k: int) -> dict[str, Any]:
        return dict(zip(("total", "backoff"), smoothing.context(contexts, k, words), strict=True))

    few = [np.count_nonzero(counted.counts == n) for n in (1, 2)]
    above = np.count_nonzero(counted.counts > 2)
    empty = np.array([[counted.counts.sum(), *few, above, 0]])
    root = Level(begin=np.array([0, vocabulary.size], np.uint32), context=np.zeros(1, np.uint8), **followed(empty, 1))
    codes, table = coded(counted.counts.astype(np.uint32)[:, None])
    counts = table[:, 0].astype(np.int64)
    first = Level(count=codes, counts=counts, mass=smoothing.mass(counts, 1))
    if order > 1:
        contexts, kinds = coded(counted.first[:, :5].astype(np.uint32))
        first.begin = _begin(iter([counted.first[:, 5]]), vocabulary.size, counted.levels[0].word.size, None, "")
        first.context = contexts
        first.total, first.backoff = smoothing.context(kinds.astype(np.int64), 2, words)
    levels = [root, first]
    for k, level in enumerate(counted.levels, 2):
        last = k == order
        held = Level(
            word=level.word.whole(folder, f"word-{k}"),
            count=level.count.whole(folder, f"count-{k}"),
            counts=level.counts,
            mass=smoothing.mass(level.counts, k),
        )
        if not last:
            after = counted.levels[k - 1].word.size
            held.begin = _begin(iter(level.children), level.word.size, after, folder, f"begin-{k}")
            held.context = level.context.whole(folder, f"context-{k}")
            held.total, held.backoff = smoothing.context(level.contexts, k + 1, words)
        levels.append(held)
    return Trie(levels, smoothing.flat)


def _begin(children: Iterator[NDArray[Any]], size: int, after: int, folder: Path | None, name: str) -> NDArray[Any]:
    """Where the children of each n-gram begin, from how many each has; and where the last one's end."""
    dtype = np.uint32 if after < 1 << 32 else np.uint64

    def running() -> Iterator[NDArray[Any]]:
        at = 0
        yield np.zeros(1, dtype)
        for piece in children:
            ends = np.cumsum(piece, dtype=np.int64) + at
            at = int(ends[-1]) if len(ends) else at
            yield ends.astype(dtype)

    return gathered(running(), size + 1, dtype, folder, name)


def _thresholds(prune: Sequence[int], order: int) -> NDArray[np.int64]:
    given = [int(each) for each in prune]
    if len(given) > order:
        raise UsageError(
            f"prune has {len(given)} thresholds for n-grams of 1 to {order} words. Give one for each order, or fewer."
        )
    if given and (given[0] != 0 or min(given) < 0 or given != sorted(given)):
        raise UsageError(
            f"prune is {'/'.join(map(str, given))}; wanted 0 for single words, and no threshold below the one before. "
            "To leave out rare words, give the tokenizer a min_count."
        )
    return np.array([0, *given, *[given[-1] if given else 0] * (order - len(given))])


def _check(texts: Ragged, vocabulary: Vocabulary, order: int, ends: bool) -> None:
    if not 1 <= order <= LONGEST:
        raise UsageError(f"order is {order}; wanted 1 to {LONGEST}.")
    if not len(texts) or texts.offsets[-1] == texts.offsets[0]:
        raise DataError("the texts hold no tokens. Give some text to count.")
    longest = int(np.diff(texts.offsets).max()) + 1 + ends
    if order > longest:
        raise DataError(
            f"order is {order}, and the longest text has {longest} tokens, special ones too. Choose {longest} or less, "
            "or shorter tokens: --tokenizer chars."
        )
    for start in range(int(texts.offsets[0]), int(texts.offsets[-1]), 1 << 22):
        block = texts.ids[start : min(start + (1 << 22), int(texts.offsets[-1]))]
        wrong = (block >= vocabulary.size) | (block == vocabulary.start) | (block == vocabulary.end)
        if wrong.any():
            at = int(wrong.argmax())
            raise DataError(
                f"token {start + at} is {block[at]}: wanted words of a vocabulary of {vocabulary.size}, without special "
                "tokens of a text's start and end. Encode the text with the tokenizer whose vocabulary this is."
            )
