"""Classifiers as pages beside fastText's .ftz: size, accuracy on held-out rows, and how long an answer takes in Chromium.

    python bench/pages.py [DATA …]    of reviews, trec, movie-reviews

A page's answers are what Chromium shows of it. "update" is the whole of what follows a key, "predict" the answer alone.
"""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import _bench
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import lossworks

DATA = {"reviews": _bench.reviews, "trec": _bench.trec, "movie-reviews": _bench.movie_reviews}
SIZES = (None, "150KB", "50KB")
ASK = """
const [texts, done] = [JSON.parse(arguments[0]), arguments[1]];
const field = document.getElementById("text"), said = document.getElementById("answer"), answers = [];
const typed = (text) => { field.value = text; field.dispatchEvent(new Event("input")); return said.textContent; };
const timed = (act) => {
    const seen = [];
    for (let round = 0; round < 5; round++) {
        const began = performance.now();
        texts.forEach(act);
        seen.push((performance.now() - began) / texts.length);
    }
    return seen.sort((a, b) => a - b)[2];
};
const ask = () => {
    if (document.getElementById("said").hidden) return setTimeout(ask, 5);
    done({ answers: texts.map(typed), update: timed(typed), predict: timed(globalThis.predict) });
};
ask();
"""
THEIRS = """
import gzip, json, os, sys
import fasttext
train, test = json.load(open(sys.argv[1], encoding="utf-8"))
rows, packed = sys.argv[2] + "/rows.txt", sys.argv[2] + "/model.ftz"
spaced = lambda text: " ".join(text.split())
with open(rows, "w", encoding="utf-8") as file:
    for text, label in train:
        file.write(f"__label__{label} {spaced(text)}\\n")
found = []
for cutoff in (100_000, 10_000, 2_000):
    model = fasttext.train_supervised(rows, epoch=25, lr=0.5, wordNgrams=2, thread=1, verbose=0)
    model.quantize(rows, retrain=True, cutoff=cutoff, qnorm=True, epoch=5, thread=1, verbose=0)
    model.save_model(packed)
    said, _ = model.predict([spaced(text) for text, _ in test])
    right = sum(s[0] == "__label__" + label for s, (_, label) in zip(said, test)) / len(test)
    small = len(gzip.compress(open(packed, "rb").read()))
    found.append([f"fastText, cutoff {cutoff:,}", os.path.getsize(packed), small, right])
print(json.dumps({"rows": found}))
"""


def main() -> None:
    """Print the table."""
    _bench.machine()
    rows: list[tuple[Any, ...]] = []
    for name in sys.argv[1:] or DATA:
        train, test = DATA[name](0)
        with tempfile.TemporaryDirectory() as folder:
            rows += [(name, *row) for row in _ours(train, test, Path(folder))]
            pairs = Path(folder) / "rows.json"
            pairs.write_text(json.dumps([train, test]), "utf-8")
            theirs = _bench.run(_bench.peers(), THEIRS, str(pairs), folder)["rows"]
            rows += [
                (name, side, f"{size / 1000:,.0f}", f"{packed / 1000:,.0f}", right, "", "")
                for side, size, packed, right in theirs
            ]
    _bench.table(("", "", "kB", "kB gzipped", "accuracy", "predict, ms", "update, ms"), rows)


def _ours(train: _bench.Pairs, test: _bench.Pairs, folder: Path) -> list[tuple[Any, ...]]:
    texts, labels = zip(*test, strict=True)
    model = lossworks.fit(train, test=0, seed=0, out=folder / "run")
    assert isinstance(model, lossworks.Model)
    size = sum(file.stat().st_size for file in (folder / "run").glob("*") if file.suffix in (".json", ".safetensors"))
    rows = [("the run, in Python", f"{size / 1000:,.0f}", "", _right(model.predict(texts), labels), "", "")]
    for most in SIZES:
        page = folder / "page.html"
        lossworks.quantize(model, page, max_size=most)
        found = _asked(page, texts)
        content = page.read_bytes()
        sizes = f"{len(content) / 1000:,.0f}", f"{len(gzip.compress(content)) / 1000:,.0f}"
        rows.append(
            (
                "page" if most is None else f"page, --max-size {most}",
                *sizes,
                _right(found["answers"], labels),
                found["predict"],
                found["update"],
            )
        )
    return rows


def _asked(page: Path, texts: Any) -> dict[str, Any]:
    """What Chromium says by a page, whose function is made known to the whole page."""
    content = page.read_text("utf-8")
    page.with_name("timed.html").write_text(content.replace("\nshow();", "\nglobalThis.predict = predict;\nshow();"), "utf-8")
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or sys.exit("skipped: Chromium is not installed")
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as browser:
        browser.get(page.with_name("timed.html").as_uri())
        browser.set_script_timeout(60)
        found: dict[str, Any] = browser.execute_async_script(ASK, json.dumps(texts))
        return found


def _right(said: Any, labels: Any) -> float:
    return statistics.mean(float(one == label) for one, label in zip(said, labels, strict=True))


if __name__ == "__main__":
    main()
