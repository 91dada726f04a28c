"""Speed of tokenizers, trained and encoding: the poems by characters and bytes, ten times Shakespeare by words and byte pairs.

LOSSWORKS_DATA=… python bench/tokenizing.py
"""

from __future__ import annotations

import json
import statistics
import time

import _bench

from lossworks import tokens

ROUNDS = 3


def main() -> None:
    """Print a table, medians of ``ROUNDS``."""
    _bench.machine()
    poems = [json.loads(line)["text"] for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8")]
    lines = (_bench.data() / "tiny-shakespeare.txt").read_text("utf-8").split("\n") * 10
    rows = []
    for spec, texts in (("chars", poems), ("bytes", poems), ("words", lines), ("bpe:size=8000", lines)):
        blocks = [texts[first : first + 20_000] for first in range(0, len(texts), 20_000)]
        tokens.build(spec).learn([texts[:10]]).encode(texts[:10])  # compiled code is loaded now
        learning, encoded, count = [], [], 0
        for _ in range(ROUNDS):
            began = time.perf_counter()
            tokenizer = tokens.build(spec).learn(blocks)
            learning.append(time.perf_counter() - began)
            began = time.perf_counter()
            count = sum(len(tokenizer.encode(block)[0]) for block in blocks)
            encoded.append(time.perf_counter() - began)
        seconds = statistics.median(encoded)
        rows.append([spec, f"{count:,}", statistics.median(learning), seconds, count / seconds / 1e6])
    _bench.table(["", "tokens", "learn, s", "encode, s", "million tokens a second"], rows)


if __name__ == "__main__":
    main()
