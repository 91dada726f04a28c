"""``lossworks show``: facts and a curve, as text, as JSON, as a page."""

from __future__ import annotations

from pathlib import Path

import pytest

import lossworks

from .conftest import Command


def test_text(command: Command) -> None:
    """Facts and a plot in 80 columns, without colour; the same from Python."""
    ended = command("show", "focal:gamma=5")
    assert ended.code == 0
    lines = ended.out.split("\n")
    assert lines[0] == "loss focal:gamma=5.0"
    assert "  limit       gamma = 0 is cross-entropy." in lines
    assert "━━━ focal:gamma=5.0   · · cross_entropy" in ended.out
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ended.out
    assert str(lossworks.show("focal:gamma=5")) + "\n" == ended.out


def test_json(command: Command) -> None:
    """One object with the facts and the points."""
    (member,) = command("show", "l1", "--json").json["members"]
    assert member["kind"] == "penalty"
    assert member["terms"][0]["parameters"] == [{"name": "strength", "type": "float", "default": 1e-6, "value": 1e-6}]
    value, flow = member["curves"][0]["panels"]
    assert len(value["lines"][0]["y"]) == len(flow["lines"][1]["y"]) == len(member["curves"][0]["x"])


def test_trajectories(command: Command) -> None:
    """An optimiser goes down three surfaces, in the frame of 78 columns; JSON has every point of every step."""
    out = command("show", "sgd:lr=0.002").out
    assert "━━━ sgd:lr=0.002   · · 1 adam:lr=" in out
    assert "at the given learning rate" in out
    assert max(map(len, out.split("\n"))) <= 78
    (member,) = command("show", "sgd:lr=0.002", "--json").json["members"]
    assert [surface["minimum"] for surface in member["surfaces"]] == [[1.0, 1.0], [3.0, 0.5], [0.0, 0.0]]
    assert all(len(way["points"]) == 151 for surface in member["surfaces"] for way in surface["trajectories"])


def test_page(command: Command, tmp_path: Path) -> None:
    """``--out`` writes a page and says where; quietly it says nothing, and a place that cannot be is an error."""
    page = tmp_path / "cvar.html"
    assert command("show", "cvar", "--out", page).out == f"{page}\n"
    assert "Rockafellar" in page.read_text("utf-8")
    assert command("show", "cvar", "--out", page, "--quiet").out == ""
    assert command("show", "cvar", "--out", page, "--json").json["page"] == str(page)
    ended = command("show", "cvar", "--out", tmp_path / "nowhere" / "cvar.html")
    assert (ended.code, ended.out) == (2, "")
    assert "cannot write" in ended.err


@pytest.mark.parametrize(
    ("name", "said"), [("focl", "Did you mean 'focal'?"), ("focal:gama=5", "gamma"), ("l1:strength=x", "float")]
)
def test_errors(command: Command, name: str, said: str) -> None:
    """What is not known, or wrong, is an error of usage."""
    ended = command("show", name)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "words:min_count=2"], 0, "min_count=2"),
        (["show", "nothing_such"], 2, "lossworks list names all there is"),
        (["train", "reviews.csv"], 2, "unknown verb 'train'. Did you mean 'fit'?"),
        (["evaluat"], 2, "unknown verb 'evaluat'. Did you mean 'evaluate'?"),
    ],
)
def test_what_is_not_there(command: Command, arguments: list[str], code: int, said: str) -> None:
    """A tokenizer is shown like a loss; a name or verb that there is not says what was meant, or where all are told."""
    ended = command(*arguments)
    assert (ended.code, said in ended.out + ended.err) == (code, True), ended.err
