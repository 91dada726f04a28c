"""One language model of 40 languages, told nothing of the language, beside each language's own 5-gram: bits a held-out sentence.

LOSSWORKS_DATA=… python bench/languages_lm.py

Of NTREX every other line is learnt from. A tenth of these finds the weights; all of them then count.
"""

from __future__ import annotations

import time

import _bench
import numpy as np
from numpy.typing import NDArray

from lossworks import tokens
from lossworks.data import Ragged
from lossworks.evidence.statistics import LEVEL, holm
from lossworks.metrics.contrast import Sample, mean_of
from lossworks.models import LanguageModel
from lossworks.models.ngram import NgramSpec
from lossworks.models.pool import BY_TEXT, PoolSpec, Rule, pool
from lossworks.models.pool.weights import constant

LANGUAGES = [
    "eng", "deu", "rus", "bul", "lav", "ell", "hye", "sqi", "cym", "spa", "ron", "fas", "hin", "ben",
    "sin", "fin", "hun", "tur", "kaz", "kat", "eus", "arb", "heb", "mlt", "amh", "hau", "swa", "yor",
    "zho-CN", "bod", "mya", "tha", "vie", "ind", "jpn", "kor", "tam", "tel", "mon", "khm",
]  # fmt: skip
"""Chosen for their scripts (20) and families before anything was fitted."""
MEMBERS = [NgramSpec(order=5), NgramSpec(order=9), NgramSpec(order=6, smoothing="witten_bell")]
LINES, TENTH = 1997, 10


def main() -> None:
    """Print the table, the worst language first."""
    _bench.machine()
    began = time.process_time()
    text = {name: _lines(name) for name in LANGUAGES}
    learn = {name: lines[::2] for name, lines in text.items()}
    shared = tokens.build("chars").learn(list(learn.values()))
    inner = {name: _own(shared, lines) for name, lines in learn.items()}
    pooled = pool([(PoolSpec(), each) for each in inner.values()], Rule(BY_TEXT, np.full(len(inner), 1 / len(inner))))
    print(f"fitted in {time.process_time() - began:.0f} s of CPU time, {shared.vocabulary.size:,} characters")
    rows = []
    for name, lines in text.items():
        held = lines[1::2]
        own = _baseline(learn[name], held)
        ours, told = (_bits(model, shared, held) for model in (pooled, inner[name]))
        rows.append((name, own.mean(), ours.mean(), told.mean(), mean_of(Sample(ours - own, np.ones(len(own))))))
        print("…", name, *(round(float(each), 1) for each in rows[-1][1:4]), flush=True)
    corrected = holm([row[4].p for row in rows])
    cells = [
        [name, own, ours, f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})", p, told]
        for (name, own, ours, told, found), p in zip(rows, corrected, strict=True)
    ]
    cells.sort(key=lambda row: -(row[2] - row[1]))
    _bench.table(["", "own 5-gram, bits/line", "one model", "difference", "p (Holm)", "language told"], cells)
    fewer = sum(row[4].value < 0 and p <= LEVEL for row, p in zip(rows, corrected, strict=True))
    more = sum(row[4].value > 0 and p <= LEVEL for row, p in zip(rows, corrected, strict=True))
    means = [float(np.mean([row[i] for row in rows])) for i in (1, 2, 3)]
    print(f"fewer bits in {fewer}, more in {more} of {len(rows)}; means {means}; {time.process_time() - began:.0f} s of CPU time")


def _own(tokenizer: tokens.Tokenizer, lines: list[str]) -> LanguageModel:
    """A mixture of a language's n-gram models of several orders: weights of models of nine tenths, models of all."""
    held = np.arange(len(lines)) % TENTH == TENTH // 2
    apart, valid = (_encoded(tokenizer, [lines[i] for i in np.flatnonzero(part)]) for part in (~held, held))
    vocabulary, every = tokenizer.vocabulary, _encoded(tokenizer, lines)
    rule = constant(np.stack([spec.fit(apart, vocabulary).logp(valid) for spec in MEMBERS]))
    return pool([(spec, spec.fit(every, vocabulary)) for spec in MEMBERS], rule)


def _baseline(lines: list[str], held: list[str]) -> NDArray[np.float64]:
    """Bits of each held-out line under the language's own 5-gram: of the tokens and the smoothing that are best on a tenth."""
    valid, rest = lines[TENTH // 2 :: TENTH], [line for i, line in enumerate(lines) if i % TENTH != TENTH // 2]

    def bits(kind: str, smoothing: str, on: list[str], of: list[str]) -> NDArray[np.float64]:
        tokenizer = tokens.build(kind).learn([on])
        model = NgramSpec(order=5, smoothing=smoothing).fit(_encoded(tokenizer, on), tokenizer.vocabulary)
        return _bits(model, tokenizer, of)

    kinds = [(kind, smoothing) for kind in ("chars", "bytes") for smoothing in ("kneser_ney", "witten_bell")]
    kind, smoothing = min(kinds, key=lambda each: float(bits(each[0], each[1], rest, valid).mean()))
    return bits(kind, smoothing, lines, held)


def _bits(model: LanguageModel, tokenizer: tokens.Tokenizer, lines: list[str]) -> NDArray[np.float64]:
    """Bits of each line, with 8 for each byte of a character that is unknown, as ``evaluate --parallel`` has them."""
    texts = _encoded(tokenizer, lines)
    bits: NDArray[np.float64] = -np.add.reduceat(model.logp(texts), model.bounds(texts)[:-1]) / np.log(2)
    if tokenizer.vocabulary.unknown is None:
        return bits
    points = "".join(lines)
    unknown = np.flatnonzero(texts.ids == tokenizer.vocabulary.unknown)
    line = np.searchsorted(texts.offsets, unknown, side="right") - 1
    bits += np.bincount(line, [8.0 * len(points[i].encode()) for i in unknown], len(lines))
    return bits


def _encoded(tokenizer: tokens.Tokenizer, lines: list[str]) -> Ragged:
    return Ragged(*tokenizer.encode(lines))


def _lines(name: str) -> list[str]:
    folder = _bench.data() / "ntrex/NTREX-128"
    path = folder / f"newstest2019-{'src' if name == 'eng' else 'ref'}.{name}.txt"
    return path.read_text("utf-8").split("\n")[:LINES]


if __name__ == "__main__":
    main()
