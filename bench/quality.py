"""Accuracy with our defaults, fastText, and TF-IDF + logistic regression: ten seeds, the same split for all three.

    python bench/quality.py [DATA …]    of movie-reviews, trec, ag-news, poems, reviews

Texts go to fastText as words between spaces; of poems, which have none, as characters, and to TF-IDF as characters and pairs.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

import _bench

import lossworks

SEEDS = 10

THEIRS = """
import json, sys
import fasttext
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
train, test = json.load(open(sys.argv[1], encoding="utf-8"))
seed, characters = int(sys.argv[3]), sys.argv[4] == "poems"
spaced = lambda text: " ".join("".join(text.split()) if characters else text.split())
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for text, label in train:
        file.write(f"__label__{label} {spaced(text)}\\n")
fast = fasttext.train_supervised(sys.argv[2], epoch=25, lr=0.5, wordNgrams=2, thread=2, seed=seed, verbose=0)
said, _ = fast.predict([spaced(text) for text, _ in test])
words = TfidfVectorizer(ngram_range=(1, 2), analyzer="char" if characters else "word")
logistic = LogisticRegression(C=10, max_iter=1000, random_state=seed)
logistic.fit(words.fit_transform(t for t, _ in train), [label for _, label in train])
print(json.dumps({
    "fastText": sum(s[0] == "__label__" + label for s, (_, label) in zip(said, test)) / len(test),
    "TF-IDF + LR": logistic.score(words.transform(t for t, _ in test), [label for _, label in test]),
}))
"""


DATA = {
    "movie-reviews": _bench.movie_reviews,
    "trec": _bench.trec,
    "ag-news": _bench.ag_news,
    "poems": _bench.poems,
    "reviews": _bench.reviews,
}


def main() -> None:
    """Print, for each data set, the means and the paired differences from the peers with their 95 % intervals."""
    _bench.machine()
    rows = []
    for name in sys.argv[1:] or DATA:
        seen: dict[str, list[float]] = {"lossworks": [], "fastText": [], "TF-IDF + LR": []}
        for seed in range(SEEDS):
            train, test = DATA[name](seed)
            model = lossworks.fit(train, test=0, seed=seed)
            assert isinstance(model, lossworks.Model)
            said = model.predict([text for text, _ in test])
            seen["lossworks"].append(sum(s == label for s, (_, label) in zip(said, test, strict=True)) / len(test))
            for peer, accuracy in _peers(name, train, test, seed).items():
                if peer in seen:
                    seen[peer].append(accuracy)
        ours, *peers = seen.values()
        rows.append((name, *map(statistics.mean, seen.values()), *(_bench.paired(ours, peer) for peer in peers)))
        print(rows[-1], file=sys.stderr, flush=True)
    _bench.table(("", *seen, "ours - fastText, 95 % interval", "ours - TF-IDF + LR"), rows)


def _peers(name: str, train: _bench.Pairs, test: _bench.Pairs, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        rows.write_text(json.dumps([train, test]), "utf-8")
        return _bench.run(_bench.peers(), THEIRS, str(rows), f"{folder}/train.txt", str(seed), name)


if __name__ == "__main__":
    main()
