"""What is counted beside a network: the figures of an n-gram fit, paired with the network's own, and when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

import lossworks
from api.language import LINES, fitted
from lossworks.training import beside_counts

TINY = {"model": "transformer:layers=1,heads=2,dim=16,context=16", "steps": 3, "batch_tokens": 128}


def test_counted_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The metrics are those of a fit of an n-gram, the difference is the network's bits a byte less these; the report says so."""
    monkeypatch.setattr(beside_counts, "_SHARE", 1e9)
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


def test_not_counted_where_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit of a moment has a note instead, and a counted family nothing at all."""
    assert beside_counts._SHARE * 30 < beside_counts._ONCE  # half a minute is a moment
    monkeypatch.setattr(beside_counts, "_SHARE", 0.0)
    found = fitted(**TINY).record["result"]["ngram"]
    assert found == {"note": "No n-gram model was counted beside it: that takes more than 0% of the time of this fit."}
    assert "ngram" not in fitted().record["result"]
