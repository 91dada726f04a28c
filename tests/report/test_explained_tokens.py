"""What is told of the tokens of an explained text."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.language import fitted, neural
from lossworks.api import write_explanations
from lossworks.cli.explained import show
from lossworks.report.explained_tokens import token_lines


def test_orders() -> None:
    """Each token with its probability and bits; below it each order with its part of it, its context and the counts behind it."""
    model = fitted("ngram:order=2", "words")
    (found,) = model.explain(["the cat"], trial=False)
    told = token_lines(found.details)
    assert told[0].startswith("'the'                ")
    the, cat = model.trained.encode(["the cat"]).ids.tolist()
    counts = f"count {model.model.count([the, cat])} of {found.details[1]['orders'][2]['context_count']}"
    assert any(line.endswith(f"%  after 'the', {counts}") for line in told), told
    assert any("however it stands" in line for line in told)
    of_cat = [line for line in told[1:] if line.startswith("  ")]
    assert len(of_cat) >= 3


def test_states_and_networks() -> None:
    """The state with what it says and how sure it is; of a network probability and bits alone."""
    (found,) = fitted("hmm:states=3,iterations=2", "words").explain(["the cat"], trial=False)
    state = f"state {found.details[0]['state']} ({found.details[0]['posterior']:.2f} sure), which says '"
    assert state in token_lines(found.details)[0]
    (found,) = neural().explain(["at"], trial=False)
    first = f"'a'                  {found.details[0]['probability']:.3g}, {found.details[0]['bits']:.1f} bits"
    assert token_lines(found.details)[0] == first
    assert [line.split()[0] for line in token_lines(found.details)] == ["'a'", "'t'", "'</s>'"]


def test_evidence() -> None:
    """Of a classifier by language models each token's evidence, the label it speaks for first; of many labels the outer ones."""
    evidence = {"token": "good", "characters": [0, 4], "evidence": {"bad": -1.5, "fine": 1.25, "odd": 0.25}}
    assert token_lines([evidence]) == ["'good'               fine +1.250  odd +0.250  bad -1.500"]
    many = {"token": "x", "characters": [0, 1], "evidence": {str(label): float(label) for label in range(9)}}
    assert token_lines([many])[0].split() == ["'x'", "8", "+8.000", "7", "+7.000", "6", "+6.000", "1", "+1.000", "0", "+0.000"]


def test_many_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a long text the most surprising ones, as they stand; control characters steer nothing."""
    (found,) = neural().explain(["the cat sat on a mat \x1b[2J"], trial=False)
    told = token_lines(found.details)
    assert told[-1] == f"and {len(found.details) - 12} tokens that say less; --json has them all"
    least = min(each["bits"] for each in found.details)
    assert not any(line.endswith(f" {least:.1f} bits") for line in told)
    show([found])
    assert "\x1b[2J" not in capsys.readouterr().out


def test_by_order_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Orders are no passages: the text stands once, and the orders are rows."""
    (found,) = fitted("ngram:order=2", "words").explain(["the cat"], by="order", part=2)
    show([found])
    out = capsys.readouterr().out
    assert out.splitlines()[0].strip() == "the cat"
    assert "2-gram" in out
    assert "probability of 'cat'" in out
    page = write_explanations([found], tmp_path / "page.html", name="run").read_text("utf-8")
    assert page.count(">the cat<") == 1
    assert '<th scope="row" dir="auto">2-gram</th>' in page
