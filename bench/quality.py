"""Accuracy with our defaults, fastText, and TF-IDF + logistic regression: ten seeds, the same split for all three."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import _bench
from scipy import stats

import lossworks

SEEDS = 10

THEIRS = """
import json, sys
import fasttext
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
train, test = json.load(open(sys.argv[1], encoding="utf-8"))
seed = int(sys.argv[3])
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for text, label in train:
        file.write(f"__label__{label} {' '.join(text.split())}\\n")
fast = fasttext.train_supervised(sys.argv[2], epoch=25, lr=0.5, wordNgrams=2, thread=2, seed=seed, verbose=0)
said, _ = fast.predict([" ".join(text.split()) for text, _ in test])
words = TfidfVectorizer(ngram_range=(1, 2))
logistic = LogisticRegression(C=10, max_iter=1000, random_state=seed)
logistic.fit(words.fit_transform(t for t, _ in train), [label for _, label in train])
print(json.dumps({
    "fastText": sum(s[0] == "__label__" + label for s, (_, label) in zip(said, test)) / len(test),
    "TF-IDF + LR": logistic.score(words.transform(t for t, _ in test), [label for _, label in test]),
}))
"""


def main() -> None:
    """Print, for each data set, the means and the paired difference from the better peer with its 95 % interval."""
    _bench.machine()
    rows = []
    for name, load in (("movie-reviews", _bench.movie_reviews), ("trec", _bench.trec), ("ag-news", _bench.ag_news)):
        seen: dict[str, list[float]] = {"lossworks": [], "fastText": [], "TF-IDF + LR": []}
        for seed in range(SEEDS):
            train, test = load(seed)
            model = lossworks.fit(train, test=0, seed=seed)
            assert isinstance(model, lossworks.Model)
            said = model.predict([text for text, _ in test])
            seen["lossworks"].append(sum(s == label for s, (_, label) in zip(said, test, strict=True)) / len(test))
            for peer, accuracy in _peers(train, test, seed).items():
                if peer in seen:
                    seen[peer].append(accuracy)
        means = {side: sum(values) / SEEDS for side, values in seen.items()}
        better = max(("fastText", "TF-IDF + LR"), key=means.__getitem__)
        gaps = [ours - theirs for ours, theirs in zip(seen["lossworks"], seen[better], strict=True)]
        low, high = stats.t.interval(0.95, SEEDS - 1, sum(gaps) / SEEDS, max(stats.sem(gaps), 1e-12))
        rows.append((name, *means.values(), f"{better}: {sum(gaps) / SEEDS:+.4f} ({low:+.4f} to {high:+.4f})"))
    _bench.table(("", *seen, "ours - the better peer, 95 % interval"), rows)


def _peers(train: _bench.Pairs, test: _bench.Pairs, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        rows.write_text(json.dumps([train, test]), "utf-8")
        return _bench.run(_bench.peers(), THEIRS, str(rows), f"{folder}/train.txt", str(seed))


if __name__ == "__main__":
    main()
