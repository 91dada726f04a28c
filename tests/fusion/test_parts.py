"""Positions and the texts that they belong to."""

from __future__ import annotations

import json
from pathlib import Path

from lossworks import tokens
from lossworks.data import load
from lossworks.fusion.parts import Part
from lossworks.inference import Tokens, same_tokens
from lossworks.tasks import label_task
from lossworks.tokens import Vocabulary


def test_rows_of_one_text_are_one_unit() -> None:
    """A text that stands there twice counts once in intervals, as everywhere."""
    corpus = load([("a b", "x"), ("c d", "y"), ("a b", "x")])
    part = Part.of_labels(corpus, label_task("classify", ["x", "y"]))
    assert part.units.of[0] == part.units.of[2] != part.units.of[1]
    assert part.targets.tolist() == [0, 1, 0]


def test_each_label_of_a_set_is_a_position() -> None:
    """Of sets of labels each label is a position of two outcomes, in its text's unit."""
    corpus = load([("a b", ("x", "y")), ("c d", ("y",))])
    part = Part.of_labels(corpus, label_task("multilabel", ["x", "y"]))
    assert (part.outcomes, part.targets.tolist()) == (2, [1, 1, 0, 1])
    assert part.units.of.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])


def test_equal_tokens_by_other_merges_are_other_tokens(tmp_path: Path) -> None:
    """Two BPEs of the same tokens divide texts otherwise where their merges stand in another order: no positions in common."""
    made = tokens.build("bpe:size=262").learn([["ab ab ab bc bc"] * 9])
    made.save(tmp_path / "one.json")
    saved = json.loads((tmp_path / "one.json").read_text("utf-8"))
    saved["model"]["merges"].reverse()
    (tmp_path / "two.json").write_text(json.dumps(saved), "utf-8")
    both = [tokens.load(tmp_path / "one.json"), tokens.load(tmp_path / "two.json")]
    assert both[0].encode(["abc"])[0].tolist() != both[1].encode(["abc"])[0].tolist()
    models = [Tokens(one, Vocabulary(300), ends=True) for one in [made, *both]]
    assert same_tokens(["made", "one"], models[:2]) == ""
    assert "two has other tokens than one" in same_tokens(["one", "two"], models[1:])
