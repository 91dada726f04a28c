"""What the terminal tells of a language model's tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.language import fitted, neural
from lossworks.api import write_explanations
from lossworks.cli.explain_language import lines
from lossworks.cli.explained import show


def test_orders() -> None:
    """Each token with its probability and bits; below it each order with its part of it, its context and the counts behind it."""
    model = fitted("ngram:order=2", "words")
    (found,) = model.explain(["the cat"], trial=False)
    told = lines(found)
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
    assert f"state {found.details[0]['state']} ({found.details[0]['posterior']:.2f} sure), which says '" in lines(found)[0]
    (found,) = neural().explain(["at"], trial=False)
    assert lines(found)[0] == f"'a'                  {found.details[0]['probability']:.3g}, {found.details[0]['bits']:.1f} bits"
    assert [line.split()[0] for line in lines(found)] == ["'a'", "'t'", "'</s>'"]


def test_many_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a long text the most surprising ones, as they stand; control characters steer nothing."""
    (found,) = neural().explain(["the cat sat on a mat \x1b[2J"], trial=False)
    told = lines(found)
    assert told[-1] == f"and {len(found.details) - 12} less surprising tokens; --json has them all, --part those of one part"
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
