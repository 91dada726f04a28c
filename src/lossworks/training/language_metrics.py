"""The figures of a model of language on texts: surprisal, what it guesses right, the texts it knew least and best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core.seeds import generator
from ..data import Ragged
from ..engine import Callbacks
from ..inference import Sampling, TextLanguage, generate
from ..models import LanguageModel
from .token_parts import Encoded

_AT_ONCE = 1 << 20  # tokens whose log-probabilities are asked for together
_NUMBERS = 1 << 24  # of whole distributions, held at once
_SAMPLED = 2000
"""Positions, drawn by lot with their texts, at which the most probable token is looked for."""
_FIRST = 200  # positions of one text that are looked at, or shown
_LISTED, _SAMPLES = 5, 3


def judge(
    trained: TextLanguage,
    test: Encoded,
    counts: NDArray[np.int64] | None,
    seed: int,
    logp: NDArray[np.float64],
    units: metrics.SegmentCounts,
) -> dict[str, Any]:
    """Metrics with 95 % intervals beside those of a unigram model of the same tokens (``counts`` [V] from the training part;
    None where they are not known, and so no such model), and the most and least surprising texts. logp: what ``logp_of`` says.
    units: those of ``test``.
    """
    model = trained.model
    guessed = _guesses(model, test.texts, seed)
    baseline: dict[str, Any] = {}
    if counts is not None:
        start = None if model.vocabulary.start == model.vocabulary.end else model.vocabulary.start
        below = metrics.surprisal(metrics.unigram(counts, start)[model.targets(test.texts)], units)
        figures = {name: interval.to_json() for name, interval in below.items()}
        baseline = {"baseline": {"name": "unigram model", "metrics": figures}}
    accuracy = metrics.hit_rate([hits for hits, _ in guessed], [positions for _, positions in guessed])
    found = {**metrics.surprisal(logp, units), "accuracy": accuracy, "unknown_rate": metrics.unknown_rate(units)}
    languages: dict[str, Any] = {}
    if test.languages is not None and test.keys is not None:
        by_language = metrics.texts_by_language(units.sums(-logp), units, test.keys, test.languages)
        languages = {"languages": by_language}
    return {
        "rows": len(test.texts),
        "tokens": int(test.texts.offsets[-1]),
        "positions": len(logp),
        "bytes": int(test.bytes.sum()),
        "units": "texts" if len(test.texts) == len(units.tokens) else f"{len(units.tokens)} segments",
        "accuracy_positions": sum(positions for _, positions in guessed),
        "metrics": {name: interval.to_json() for name, interval in found.items()},
        **baseline,
        **languages,
        "surprising": _surprising(trained, test.texts, units, logp),
    }


def logp_of(model: LanguageModel, texts: Ragged, callbacks: Callbacks | None = None) -> NDArray[np.float64]:
    """Log-probabilities at all positions, asked for some texts at a time; "judge" tells how many tokens are done."""
    every, first = int(model.bounds(texts)[-1]), 0
    found = np.empty(every)
    tell = (callbacks or Callbacks()).judging(every, "tokens")
    for some in some_at_a_time(texts):
        for positions, logp in model.logp_in_parts(some):
            found[first + positions] = logp
            tell(len(positions))
        first += int(model.bounds(some)[-1])
    return found


def some_at_a_time(texts: Ragged) -> Iterator[Ragged]:
    """The texts, as many together as one asks for log-probabilities of."""
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(texts.offsets, texts.offsets[first] + _AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), len(texts))
        yield _rows(texts, first, last)
        first = last


def samples(trained: TextLanguage, seed: int, tokens: int) -> list[str]:
    """A few texts that the model makes up."""
    model, plain = trained.model, Sampling()
    drawn = (generate(model, [], tokens, plain, generator(seed, "sample", number)) for number in range(_SAMPLES))
    return [trained.tokenizer.decode(ids) for ids in drawn]


def _rows(texts: Ragged, first: int, last: int) -> Ragged:
    offsets = texts.offsets[first : last + 1]
    return Ragged(texts.ids[offsets[0] : offsets[-1]], offsets - offsets[0])


def _guesses(model: LanguageModel, texts: Ragged, seed: int) -> list[tuple[int, int]]:
    """Of texts drawn by lot: how many of their first positions have the true token as the most probable one, and how many
    positions that are. What stands further on does not matter to them, so long texts are cut.
    """
    found: list[tuple[int, int]] = []
    left = _SAMPLED
    step = max(1, _NUMBERS // model.vocabulary.size - 1)  # positions whose distributions are held at once
    one = len(texts) == 1
    for row in generator(seed, "guesses").permutation(len(texts)):
        ids = texts.ids[texts.offsets[row] : texts.offsets[row + 1]]
        most = min(_SAMPLED if one else _FIRST, step)
        cut = Ragged(ids[:most], np.array([0, min(len(ids), most)]))
        best, target = model.distributions(cut).argmax(1), model.targets(cut)
        whole = len(target) - (model.ends and len(ids) > most)  # where it was cut no end stands
        hits = best[:whole] == target[:whole]
        found += [(int(hits[i : i + _FIRST].sum()), len(hits[i : i + _FIRST])) for i in range(0, len(hits), _FIRST)]
        left -= whole
        if left <= 0:
            break
    return found


def _surprising(trained: TextLanguage, texts: Ragged, units: metrics.SegmentCounts, logp: NDArray[np.float64]) -> dict[str, Any]:
    """The units with the most and the fewest nats a token, each token with its own."""
    nats = units.sums(-logp) / np.maximum(units.positions, 1)
    order = np.argsort(-nats, kind="stable")
    order = order[units.positions[order] > 1]
    target = trained.model.targets(texts)

    def listed(unit: int) -> dict[str, Any]:
        first, last = (int(bound) for bound in units.bounds[unit : unit + 2])
        tokens, begin, end = [], first, min(last, first + _FIRST)
        for after in range(first + 1, end + 1):
            text = trained.tokenizer.decode(target[begin:after].tolist())
            if text.endswith("\ufffd") and after < end:  # tokens of bytes: a character is shown whole
                continue
            alone = trained.tokenizer.spelling(int(target[begin]))
            tokens.append([alone if after - begin == 1 else text, round(float(-logp[begin:after].sum()), 3)])
            begin = after
        return {"number": unit, "nats_per_token": float(nats[unit]), "tokens": tokens, "cut": last - first > _FIRST}

    least = order[::-1][: min(_LISTED, len(order) // 2)]
    return {"most": [listed(int(unit)) for unit in order[:_LISTED]], "least": [listed(int(unit)) for unit in least]}
