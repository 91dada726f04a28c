"""The influence of training rows on a loss, beside training again without each: how far they differ, and their time.

LOSSWORKS_DATA=… python bench/influence.py [counts|linear]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import _bench
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

import lossworks
from lossworks import tokens
from lossworks.api.replayed import replayed
from lossworks.attribution.linear_rows import Losses
from lossworks.attribution.retrained_rows import outputs_of, outputs_without
from lossworks.attribution.row_counts import generative_influence, language_influence
from lossworks.attribution.trajectory import Course, Trajectory
from lossworks.data import TRAIN, Ragged
from lossworks.engine import Callbacks, Loop
from lossworks.inference import GenerativePredictor, NetworkPredictor, TextLanguage
from lossworks.models.ngram import NgramSpec
from lossworks.models.ngram.smoothing import METHODS
from lossworks.tasks import Classify

ROUNDS, SEED = 5, 0
LEFT, TEXTS = 128, 8
T = TypeVar("T")


def main() -> None:
    """Print the tables."""
    _bench.machine()
    for part in sys.argv[1:] or ("counts", "linear"):
        {"counts": counts, "linear": linear}[part]()


def counts() -> None:
    """Of models that count: medians of ``ROUNDS``, both ways in turn."""
    rows = [classifier(METHODS[0], count) for count in (1, 50)] + [classifier(method, 1) for method in METHODS[1:]]
    lines = [line for line in (_bench.data() / "tiny-shakespeare.txt").read_text("utf-8").split("\n") if line]
    rows += [language(lines, "words", 3, count) for count in (1, 50)] + [language(lines, "chars", 5, count) for count in (1, 50)]
    head = [
        "",
        "rows",
        "texts",
        "tokens a text",
        "by counts, s",
        "µs a pair",
        "again, ms a row",
        "times faster",
        "worst difference",
    ]
    _bench.table(head, rows)


def linear() -> None:
    """Of linear models: the estimate for all rows beside training again without each of ``LEFT`` by lot."""
    head = [
        "",
        "rows",
        "epochs",
        "rank correlation, mean of 8 texts",
        "lowest",
        "a training, s",
        "back for 1 text, trainings",
        "for 8 texts",
        f"{LEFT} trained without, trainings",
    ]
    sets = [("movie-reviews", _bench.movie_reviews, "linear", 9600), ("trec", _bench.trec, "linear", 5452)]
    sets += [("movie-reviews", _bench.movie_reviews, "linear", 2000), ("trec", _bench.trec, "linear", 2000)]
    sets += [("ag-news", _bench.ag_news, "linear:chars=0", 2000)]
    _bench.table(head, [followed(*each) for each in sets])


def followed(name: str, pairs: Callable[[int], tuple[_bench.Pairs, _bench.Pairs]], model: str, count: int) -> list[object]:
    """Figures of one model; times are of the processor."""
    train, test = pairs(SEED)
    rows, asked, seen = train[:count], test[:TEXTS], list[Course]()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fitted = lossworks.fit(rows, out=run, model=model, seed=SEED)
        assert isinstance(fitted, lossworks.Model)
        predictor = fitted.predictor
        assert isinstance(predictor, NetworkPredictor)

        def observer(loop: Loop, _: Sequence[int]) -> Course:
            seen.append(Course(loop))
            return seen[0]

        with replayed(run, {"data": rows}, None, None, Callbacks(), "", observer) as again:
            done, labels = again.done, again.done.data.task.labels
            targets = np.array([labels.index(label) for _, label in asked])
            texts, losses = (
                predictor.prepared([text for text, _ in asked]),
                Losses(done.data.task, targets, predictor.temperature),
            )
            first = predictor.prepared([asked[0][0]])
            numbers = np.flatnonzero(done.data.parts == TRAIN)
            left = np.random.default_rng(SEED).choice(len(numbers), LEFT, replace=False)
            list(Trajectory(done, seen[0]).changes(first))  # compiled code is loaded now
            outputs_without(done, numbers[:1], texts)
            one, _ = timed(lambda: outputs_without(done, np.array([-1]), texts))
            of_one, _ = timed(lambda: list(Trajectory(done, seen[0]).changes(first)))
            of_all, ((_, change),) = timed(lambda: list(Trajectory(done, seen[0]).changes(texts)))
            copies, without = timed(lambda: outputs_without(done, numbers[left], texts))
            whole = outputs_of(done.network, texts)
            truth, estimate = losses(whole) - losses(without), losses(whole) - losses(whole - change[left])
            alike = [float(spearmanr(estimate[:, text], truth[:, text]).statistic) for text in range(TEXTS)]
            figures = [statistics.mean(alike), min(alike), one, of_one / one, of_all / one, copies / one]
            return [f"{name}, {model}", len(numbers), done.kept.epochs, *figures]


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds of the processor, and what was found."""
    began = time.process_time()
    found = run()
    return time.process_time() - began, found


def classifier(method: str, count: int) -> list[object]:
    """Movie reviews: -log p(label | text) of test texts by one model a class."""
    train, test = _bench.movie_reviews(SEED)
    spec, texts, labels = NgramSpec(order=3, smoothing=method), [text for text, _ in train], ("neg", "pos")
    tokenizer = tokens.build("words").learn([texts])
    encoded, numbers = Ragged(*tokenizer.encode(texts)), np.array([labels.index(label) for _, label in train])
    asked, targets = [text for text, _ in test[:count]], np.array([labels.index(label) for _, label in test[:count]])

    def of_class(number: int, without: int = -1) -> Ragged:
        return encoded.take(np.flatnonzero((numbers == number) & (np.arange(len(numbers)) != without)))

    models = [spec.fit(of_class(number), tokenizer.vocabulary) for number in range(2)]
    sizes, task = np.bincount(numbers), Classify(labels)
    whole = GenerativePredictor(task, spec, tokenizer, tuple(models), tuple(sizes.tolist()))

    def loss(predictor: GenerativePredictor) -> NDArray[np.float64]:
        logits = predictor.scores(asked)
        logits -= logits[np.arange(count), targets][:, None]
        costs: NDArray[np.float64] = np.logaddexp(*logits.T)  # -log p, also where p is all but 1
        return costs

    def again(row: int) -> NDArray[np.float64]:
        left = sizes - (np.arange(2) == numbers[row])
        changed = [spec.fit(of_class(n, row), tokenizer.vocabulary) if n == numbers[row] else models[n] for n in range(2)]
        return loss(GenerativePredictor(task, spec, tokenizer, tuple(changed), tuple(left.tolist())))

    everything = loss(whole)
    amount = len(Ragged(*tokenizer.encode(asked)).ids) / count
    figures = measured(lambda: generative_influence(whole, encoded, numbers, asked, targets), lambda row: everything - again(row))
    return [f"movie-reviews words, ngram:order=3, {method}", len(texts), count, amount, *figures]


def language(lines: list[str], tokenizer_name: str, order: int, count: int) -> list[object]:
    """Shakespeare: the surprisal of lines by a model of all others."""
    train, test = lines[:-count], lines[-count:]
    spec, tokenizer = NgramSpec(order=order), tokens.build(tokenizer_name).learn([train])
    encoded, asked = Ragged(*tokenizer.encode(train)), Ragged(*tokenizer.encode(test))
    whole = TextLanguage(spec, tokenizer, spec.fit(encoded, tokenizer.vocabulary))
    starts = (asked.offsets + np.arange(count + 1))[:-1]

    def loss(trained: TextLanguage) -> NDArray[np.float64]:
        return -np.add.reduceat(trained.model.logp(asked), starts)

    def again(row: int) -> NDArray[np.float64]:
        rest = encoded.take(np.delete(np.arange(len(encoded)), row))
        return loss(TextLanguage(spec, tokenizer, spec.fit(rest, tokenizer.vocabulary)))

    everything = loss(whole)
    figures = measured(lambda: language_influence(whole, encoded, asked), lambda row: everything - again(row))
    return [f"tiny-shakespeare {tokenizer_name}, ngram:order={order}", len(train), count, len(asked.ids) / count, *figures]


def measured(by_counts: Callable[[], NDArray[np.float64]], by_training: Callable[[int], NDArray[np.float64]]) -> list[float]:
    """Seconds by counts, microseconds a pair, milliseconds to train again without a row, how many times that is longer for all
    rows, and the worst difference in nats.
    """
    found = by_counts()  # compiled code is loaded now
    counting, training, worst = [], [], 0.0
    for row in np.random.default_rng(SEED).choice(found.shape[1], ROUNDS, replace=False):
        began = time.perf_counter()
        by_counts()
        counting.append(time.perf_counter() - began)
        began = time.perf_counter()
        wanted = by_training(int(row))
        training.append(time.perf_counter() - began)
        worst = max(worst, float(np.abs(found[:, row] - wanted).max()))
    seconds, again = statistics.median(counting), statistics.median(training)
    return [seconds, seconds / found.size * 1e6, again * 1e3, again * found.shape[1] / seconds, worst]


if __name__ == "__main__":
    main()
