"""Answers of a hand check: taken where they belong, refused with the remedy elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossworks.checks.answers import KIND, matched, read
from lossworks.checks.hand_check import Design
from lossworks.core.errors import DataError, UsageError

DESIGN = Design.of(300, 30, 0)
CHECK = {"source": "a.csv", "data": "abc", "rows": 300, "models": ["linear"], "folds": 5, "sample": 30, "seed": 0}


def answers(count: int = 30, **check: Any) -> dict[str, Any]:
    """A file of answers as the page makes it."""
    places = (DESIGN.places() + 1).tolist()[:count]
    said = [{"place": place, "row": "a.csv, line 2", "answer": "wrong" if place < 50 else "right"} for place in places]
    return {"kind": KIND, "check": {**CHECK, **check}, "answers": said}


def test_round_trip(tmp_path: Path) -> None:
    """From a file or at hand the answers are those given, in the design's order; the name of the source may differ."""
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers(source="elsewhere/a.csv")), "utf-8")
    wanted = ["wrong" if place < 49 else "right" for place in DESIGN.places()]
    assert matched(read(path), CHECK, DESIGN) == matched(read(answers()), CHECK, DESIGN) == wanted
    assert matched(read(answers(7)), CHECK, DESIGN) == wanted[:7]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "xyz"}, "for other data .300 rows of a.csv.*as it was when the page was made"),
        ({"sample": 40}, "for another check: sample was 40, and is 30. Give the same flags"),
        ({"models": ["bag"]}, "models was .'bag'., and is .'linear'."),
    ],
)
def test_other_data_and_other_checks_are_refused(change: dict[str, Any], words: str) -> None:
    """Each names what differs and what to do."""
    with pytest.raises(UsageError, match=words):
        matched(read(answers(**change)), CHECK, DESIGN)


def test_what_is_no_answers_is_refused(tmp_path: Path) -> None:
    """A file that is missing, damaged, of another kind, or answers other rows; an answer that is none."""
    with pytest.raises(DataError, match="there is no file"):
        read(tmp_path / "none.json")
    (tmp_path / "damaged.json").write_text('{"kind"', "utf-8")
    with pytest.raises(DataError, match="is damaged"):
        read(tmp_path / "damaged.json")
    for other in ([1], {"kind": "run"}, {"kind": KIND, "check": {}, "answers": 3}):
        (tmp_path / "other.json").write_text(json.dumps(other), "utf-8")
        with pytest.raises(DataError, match="holds no answers"):
            read(tmp_path / "other.json")
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path)
    swapped = answers()
    swapped["answers"][0], swapped["answers"][1] = swapped["answers"][1], swapped["answers"][0]
    for rows in (swapped["answers"], [3], [*answers()["answers"], answers()["answers"][0]]):
        with pytest.raises(DataError, match="not to the rows that were drawn"):
            matched(read({**answers(), "answers": rows}), CHECK, DESIGN)
    odd = answers()
    odd["answers"][3]["answer"] = "perhaps"
    with pytest.raises(DataError, match="an answer is 'perhaps'; wanted right, wrong, unsure"):
        matched(read(odd), CHECK, DESIGN)
