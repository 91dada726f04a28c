"""What is counted beside a network: the figures of an n-gram fit, paired with the network's own, and when there are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lossworks
from api.language import LINES, fitted
from lossworks.api import evaluate
from lossworks.training import beside_counts

TINY = {"model": "transformer:layers=1,heads=2,dim=16,context=16", "steps": 3, "batch_tokens": 128}


def test_counted_beside(tmp_path: Path) -> None:
    """The metrics are those of a fit of an n-gram, the difference is the network's bits a byte less these; the report says so."""
    lines = [line + chr(0x4E00 + i) * (i % 9 == 0) for i, line in enumerate(LINES)]  # some characters are unknown
    network = lossworks.fit(lines, task="lm", tokenizer="chars", out=tmp_path / "run", **TINY)
    found, counted = network.record["result"]["ngram"], fitted("ngram", "chars", lines)
    names = ("nats_per_token", "perplexity", "bits_per_byte")
    assert {name: found["metrics"][name] for name in names} == {name: counted.metrics[name] for name in names}
    apart = network.metrics["bits_per_byte"]["value"] - counted.metrics["bits_per_byte"]["value"]
    assert found["difference"]["value"] == pytest.approx(apart)
    assert 0 < found["difference"]["low"] < apart < found["difference"]["high"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "A 5-gram model counted on the same tokens reaches" in page
    assert "worse by" in page


@pytest.mark.parametrize("unit", ["line", "file"])
def test_counted_beside_in_evaluate(tmp_path: Path, unit: str) -> None:
    """On other text a network stands beside what the texts that it was trained on are counted to; gone or changed, it is said."""
    corpus, other = tmp_path / "corpus.txt", tmp_path / "other.txt"
    corpus.write_text("\n".join(LINES))
    other.write_text("\n".join(line.replace("cat", "fox") for line in LINES))
    how = {"document_unit": unit}
    network = fitted(spelled="chars", data=corpus, out=tmp_path / "run", **TINY, **how)
    counted = fitted("ngram", data=corpus, out=tmp_path / "counted", **how)
    for data in (None, other):
        found, alone = evaluate(network, data)["ngram"], evaluate(counted, data)
        assert found["metrics"]["bits_per_byte"] == alone["metrics"]["bits_per_byte"]
        assert "ngram" not in alone
    assert evaluate(network)["ngram"]["difference"] == network.record["result"]["ngram"]["difference"]
    corpus.write_text("\n".join(LINES[1:]))
    assert "are not there, or have changed" in evaluate(network, other)["ngram"]["note"]


def test_not_counted_where_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tokens, more than a long fit has a moment for, have a note instead; a counted family has nothing at all."""
    assert not beside_counts.too_long(1_000_000)
    assert beside_counts.too_long(1_000_001)
    assert [bool(beside_counts.too_long(10_000_000, 60 * minutes)) for minutes in (2, 4)] == [True, False]
    monkeypatch.setattr(beside_counts, "_FEW", 0)
    monkeypatch.setattr(beside_counts, "_SHARE", 0.0)
    found = fitted(**TINY).record["result"]["ngram"]
    assert re.fullmatch(r"No n-gram model was counted beside it: [\d,]+ tokens take longer than a moment\. .*", found["note"])
    assert "ngram" not in fitted().record["result"]
