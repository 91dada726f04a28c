"""Weak supervision by the votes of rules, and lexicons beside a few labels.

    LOSSWORKS_DATA=… [LOSSWORKS_PEERS=…] python bench/weak.py votes   [SEEDS]    classifiers trained on votes alone
    LOSSWORKS_DATA=… python bench/weak.py lexicon [DRAWS]    100 labels, with a lexicon and without
    LOSSWORKS_DATA=… python bench/weak.py worth   [TIMES]    gold labels that the votes are worth, and the interval's coverage
    LOSSWORKS_DATA=… python bench/weak.py files FOLDER       the same data as files that the command reads

The votes (Zhang et al. 2021, arXiv:2109.11377): no gold label is looked at in training, but by ``worth``. The
test texts of trec begin with a fine label that no training text has; it is taken away. The lexicons are NaijaSenti's (Muhammad et
al. 2022, arXiv:2201.08277), the tweets AfriSenti's.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax

import lossworks
from lossworks.api import Model
from lossworks.fusion.lexicon import LexiconSource, phrase_of
from lossworks.models.pool import Rule
from lossworks.models.pool.weights import product

Floats = NDArray[np.float64]
SETS = ("youtube", "sms", "trec")
LANGUAGES = {"hau": "ha/hausa", "ibo": "ig/igbo", "yor": "yo/yoruba"}
LABELS, FOLDS, COMMON, KNOWN = 100, 5, 0.05, 20
_PEER = """
import json, sys
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
votes, texts, test, truth, labels = (json.load(open(sys.argv[1]))[key] for key in ("votes", "texts", "test", "truth", "labels"))
votes = np.array([[-1 if vote is None else labels.index(vote) for vote in row] for row in votes])
counts = np.stack([(votes == label).sum(1) for label in range(len(labels))], 1)
speaks, reader, answers = counts.sum(1) > 0, TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), {}
X, T = reader.fit_transform(texts), reader.transform(test)
def score(y, rows):
    model = LogisticRegression(C=10, max_iter=2000).fit(X[rows], y)
    return float((np.array(labels)[model.predict(T)] == truth).mean())
answers["majority"] = score(counts[speaks].argmax(1), speaks)
try:
    from snorkel.labeling.model import LabelModel
    found = LabelModel(cardinality=len(labels), verbose=False)
    found.fit(votes, n_epochs=500, seed=0, progress_bar=False)
    answers["snorkel"] = score(found.predict_proba(votes)[speaks].argmax(1), speaks)
except ImportError:
    answers["snorkel"] = float("nan")
print(json.dumps(answers))
"""


def weak(name: str) -> tuple[list[dict[str, Any]], _bench.Pairs]:
    """The training texts with their votes, None where a rule abstains, and the test rows."""
    return _read(name)[::2]


def gold(name: str) -> _bench.Pairs:
    """The training texts with the labels that people gave."""
    return _read(name)[1]


def _read(name: str) -> tuple[list[dict[str, Any]], _bench.Pairs, _bench.Pairs]:
    folder = _bench.data() / "weak" / name
    spelled = json.loads((folder / "label.json").read_text("utf-8"))
    train, test = (json.loads((folder / f"{part}.json").read_text("utf-8")).values() for part in ("train", "test"))
    rows = [{"text": row["data"]["text"], "votes": [spelled.get(str(vote)) for vote in row["weak_labels"]]} for row in train]
    known = [(row["data"]["text"], spelled[str(row["label"])]) for row in train]
    cut = 1 if name == "trec" else 0
    pairs = [
        (row["data"]["text"].split(" ", cut)[-1] if cut else row["data"]["text"], spelled[str(row["label"])]) for row in test
    ]
    return rows, known, pairs


def votes(seeds: int) -> None:
    """The test accuracy of ``linear`` taught by votes, by votes that are shuffled among the texts, and of peers."""
    _bench.machine()
    table = []
    for name in SETS:
        rows, test = weak(name)
        texts, order = [row["text"] for row in rows], np.random.default_rng(0).permutation(len(rows))
        shuffled = [{"text": text, "votes": rows[other]["votes"]} for text, other in zip(texts, order.tolist(), strict=True)]
        with tempfile.TemporaryDirectory() as folder:
            ours = [_taught(Path(folder), rows, test, seed) for seed in range(seeds)]
            control = _taught(Path(folder), shuffled, test, 0)
            theirs = _peer(Path(folder), rows, test)
        table.append([name, len(rows), len(rows[0]["votes"]), *theirs, _spread(ours), control])
    _bench.table(["data", "texts", "rules", "majority → LR", "Snorkel → LR", "--teach votes", "votes shuffled"], table)


def _taught(folder: Path, rows: Sequence[dict[str, Any]], test: _bench.Pairs, seed: int) -> float:
    answers = _by_votes(folder, rows, test, seed).predict([text for text, _ in test])
    return float(np.mean([answer == label for answer, (_, label) in zip(answers, test, strict=True)]))


def _by_votes(folder: Path, rows: Sequence[dict[str, Any]], test: _bench.Pairs, seed: int = 0) -> Model:
    path = folder / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return _fitted([row["text"] for row in rows], teach=f"votes:{path}", test=test, seed=seed)


def worth(times: int) -> None:
    """How many gold labels a class ``linear`` taught by votes is worth; and how often the interval holds ``KNOWN`` for a model
    that was trained on so many labels a class, drawn ``times`` times from trec, with the other rows as the pool.
    """
    _bench.machine()
    table = []
    for name in SETS:
        rows, test = weak(name)
        with tempfile.TemporaryDirectory() as folder:
            found = lossworks.labels_worth(_by_votes(Path(folder), rows, test), gold(name), test)
        table.append([name, found.accuracy, found.sentence])
    _bench.table(["data", "accuracy", "--teach votes"], table)
    pool, (_, test), held, values = gold("trec"), weak("trec"), 0, []
    for number in range(times):
        draw = np.random.default_rng(number).permutation(len(pool)).tolist()
        seen: Counter[str] = Counter()
        parts: tuple[_bench.Pairs, _bench.Pairs] = [], []
        for row in (pool[i] for i in draw):
            parts[seen[row[1]] >= KNOWN].append(row)
            seen[row[1]] += 1
        found = lossworks.labels_worth(_fitted(parts[0], valid=0, test=0, seed=number), parts[1], test, seed=number)
        held += found.low <= KNOWN <= found.high
        values.append(found.value)
        print(number, held, f"{found.accuracy:.3f}", found.sentence, flush=True)
    print(f"\n{held} of {times} intervals hold {KNOWN}; median value {np.median(values):.0f}\n")


def _peer(folder: Path, rows: Sequence[dict[str, Any]], test: _bench.Pairs) -> list[float]:
    given = {
        "texts": [row["text"] for row in rows],
        "votes": [row["votes"] for row in rows],
        "test": [text for text, _ in test],
        "truth": [label for _, label in test],
        "labels": sorted({label for _, label in test}),
    }
    (folder / "given.json").write_text(json.dumps(given), "utf-8")
    found = _bench.run(_bench.peers(), _PEER, str(folder / "given.json"))
    return [found["majority"], found["snorkel"]]


def tweets(language: str) -> tuple[_bench.Pairs, _bench.Pairs]:
    """Training and test rows of a language, equal texts once."""
    parts = []
    for part in ("train", "test"):
        with (_bench.data() / "afrisenti" / language / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
            rows = [(row["tweet"], row["label"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        parts.append(list(dict(rows).items()))
    held = {text for text, _ in parts[1]}
    return [row for row in parts[0] if row[0] not in held], parts[1]


def lexicon_file(language: str, path: Path, texts: Sequence[str]) -> None:
    """The two files of a language as one lexicon, whose words weigh by how much rarer they are in the texts than one in 20."""
    entries = []
    for label in ("positive", "negative"):
        source = _bench.data() / "afrisenti" / "sentiment_lexicon" / f"{LANGUAGES[language]}_{label}.csv"
        with source.open(encoding="utf-8-sig", newline="") as rows:
            entries += [(row[0].strip(), label) for row in list(csv.reader(rows))[1:] if row and row[0].strip()]
    words = LexiconSource({phrase_of(word): [1.0] for word, _ in entries}, 1)
    seen = Counter(phrase for text in texts for phrase in set(words.hits(text)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["word", "label", "weight"])
        for word, label in entries:
            writer.writerow([word, label, max(0.0, math.log(COMMON * len(texts) / max(seen[phrase_of(word)], 1)))])


def lexicon(draws: int) -> None:
    """Test accuracy of ``linear`` on 100 labels, and of its log-linear pool with the lexicon, whose exponents are found on the
    same 100 labels, out of fold; the same with the lexicon's labels permuted among its words. Intervals: 95 %, over the draws.
    """
    _bench.machine()
    table = []
    for language in LANGUAGES:
        train, test = tweets(language)
        truth = [label for _, label in test]
        right: dict[str, list[float]] = {"alone": [], "lexicon": [], "permuted": []}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lexicon.csv"
            lexicon_file(language, path, [text for text, _ in train])
            for draw in range(draws):
                rows = [train[i] for i in np.random.default_rng(draw).permutation(len(train))[:LABELS]]
                model = _fitted(rows)
                source = LexiconSource.open(str(path), model.predictor.task)
                known = model.predictor.task.labels
                target = np.array([known.index(label) for label in truth])
                folds, alone = _out_of_fold(rows, known), _logp(model, [text for text, _ in test])
                right["alone"].append(float((alone.argmax(1) == target).mean()))
                for name, each in (("lexicon", source), ("permuted", source.cut(draw))):
                    rule = _rule(folds, each, rows, known)
                    answers = np.stack([alone, log_softmax(each.logits([text for text, _ in test]), 1)])
                    right[name].append(float((rule.combine(answers).argmax(1) == target).mean()))
        covered = float((~np.isnan(source.logits([text for text, _ in test])).any(1)).mean())
        gains = [_gain(np.array(right[name]) - right["alone"]) for name in ("lexicon", "permuted")]
        table.append([language, len(test), f"{covered:.2f}", _spread(right["alone"]), *gains])
    _bench.table(["language", "test rows", "covered", "linear, 100 labels", "gain by the lexicon", "by it permuted"], table)


def _fitted(rows: Sequence[Any], **choices: Any) -> Model:
    """A model of few labelled rows, none of which is held out; or as chosen."""
    model = lossworks.fit(rows, **(choices or {"valid": 0, "test": 0}))
    assert isinstance(model, Model)
    return model


def _logp(model: Model, texts: Sequence[str]) -> Floats:
    return np.asarray(log_softmax(model.predictor.scores(texts).astype(np.float64), 1))


def _out_of_fold(rows: _bench.Pairs, labels: Sequence[str]) -> Floats:
    """What models that have not seen a row say of it."""
    fold, found = np.arange(len(rows)) % FOLDS, np.empty((len(rows), len(labels)))
    for number in range(FOLDS):
        model = _fitted([rows[i] for i in np.flatnonzero(fold != number)])
        where = np.flatnonzero(fold == number)
        columns = np.array([labels.index(label) for label in model.predictor.task.labels])
        found[where] = -10.0
        found[np.ix_(where, columns)] = _logp(model, [rows[i][0] for i in where])
    return found


def _rule(folds: Floats, source: LexiconSource, rows: _bench.Pairs, labels: Sequence[str]) -> Rule:
    said = np.stack([folds, log_softmax(source.logits([text for text, _ in rows]), 1)])
    return product(said, np.array([labels.index(label) for _, label in rows]))


def _gain(apart: Floats) -> str:
    half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"{100 * apart.mean():+.1f} ({100 * (apart.mean() - half):+.1f} to {100 * (apart.mean() + half):+.1f})"


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def files(folder: Path) -> None:
    """Votes, test rows and lexicons as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        rows, test = weak(name)
        (folder / f"{name}-votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in test]
        (folder / f"{name}-test.jsonl").write_text("".join(lines), "utf-8")
    for language in LANGUAGES:
        lexicon_file(language, folder / f"{language}-lexicon.csv", [text for text, _ in tweets(language)[0]])


if __name__ == "__main__":
    what, *more = sys.argv[1:] or ["votes"]
    if what == "files":
        files(Path(more[0]))
    else:
        {"votes": votes, "lexicon": lexicon, "worth": worth}[what](int(more[0]) if more else 3)
