"""The page of a loss landscape, without a browser."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from lossworks import report
from lossworks.report import landscape as words
from lossworks.report import landscape_charts

from .records import landscape
from .test_page import Page


def made(tmp_path: Path, **more: Any) -> Page:
    """The page of a made-up landscape."""
    record = {"config": {"model": "bag", "loss": "focal", "optimizer": "adam"}}
    return Page(report.write_landscape(landscape(**more), record, tmp_path / "<b>run", tmp_path / "landscape.html"))


def test_everything_is_there(tmp_path: Path) -> None:
    """Two surfaces, each twice; what was done, what is not shown, a table; figures that Plotly takes, and nothing fetched."""
    page = made(tmp_path)
    assert set(page.figures) == {"solid-loss", "plane-loss", "solid-held-out", "plane-held-out"}
    for figure in page.figures.values():
        go.Figure(json.loads(re.sub(r'"@[a-z-]+"', '"red"', json.dumps(figure))))
    parts = [
        "Loss landscape of <b>run",
        "bit for bit",
        "Training loss",
        "Held-out nll",
        "Method",
        "final refit",
    ]
    parts += ["90 % of their squared length lies along the first, 7 % along the second", "54 held-out rows"]
    parts += ["Limitations", "3 % of its squared length lies outside", "Every snapshot"]
    places = [page.text.index(part) for part in parts]
    assert places == sorted(places)
    assert not [tag for tag, attributes in page.tags if tag == "b" or ("src" in attributes and tag != "link")]
    without = made(tmp_path, held_out=None, held_out_rows=0)
    assert set(without.figures) == {"solid-loss", "plane-loss"}
    assert "held-out rows" not in without.text


def test_what_is_doubtful_is_said() -> None:
    """Weights that differ, a penalty, a risk, a random plane: each in words."""
    assert "differ from the saved model's by up to 0.5" in words.sentence(landscape(exact=False, off=0.5))
    assert "even in their number" in words.sentence(landscape(exact=False, off=math.inf))
    assert not any("penalty" in said or "risk" in said for said in words.limitations(landscape()))
    said = " ".join(words.limitations(landscape(penalty="l1:strength=0.1", risk="cvar", plane="random", shares=(0.0, 1e-9))))
    for part in ("The penalty l1:strength=0.1 is not", "risk cvar", "Two random directions", "100\u202f% of its squared length"):
        assert part in said
    assert "each row of a matrix has the norm" in " ".join(words.method(landscape(plane="random")))


def test_the_trajectory_lies_on_the_surface() -> None:
    """Just above it between points of the grid; start, end and the weights kept are marked, each once."""
    slope = tuple(tuple(2 + a + 3 * b for a in landscape().x) for b in landscape().y)
    solid = landscape_charts.solid(landscape(loss=slope), "Training loss", held_out=False)
    surface, path, *marks = solid["data"]
    low, high = min(map(min, surface["z"])), max(map(max, surface["z"]))
    x, y = path["x"][2], path["y"][2]
    assert (x, y) == pytest.approx((-0.3, 0.2))
    above = path["z"][2] - (2 + x + 3 * y)
    assert 0 < above < 0.05 * (high - low)
    assert [mark["name"] for mark in marks] == ["start", "end", "saved"]
    assert (marks[2]["x"], marks[2]["y"]) == ([0.0], [0.0])
    ended = landscape(trajectory=landscape().trajectory[:4])
    assert [m["name"] for m in landscape_charts.above(ended, "x", held_out=False)["data"][2:]] == ["start", "end, saved"]


def test_holes_and_great_heights() -> None:
    """What is not finite is left out; heights that span much are logarithms with plain numbers on the axis."""
    tall = tuple(tuple(0.01 * 10 ** (2 * n) for n in range(9)) for _ in range(5))
    holed = ((None, *tall[0][1:]), *tall[1:])
    figure = landscape_charts.solid(landscape(loss=holed), "Training loss", held_out=False)
    assert figure["data"][0]["z"][1][:3] == pytest.approx([-2, 0, 2])
    assert figure["data"][0]["z"][0][0] is None
    assert figure["layout"]["scene"]["zaxis"]["ticktext"][:3] == ["0.01", "0.1", "1"]
    nothing = tuple(tuple(None for _ in range(9)) for _ in range(5))
    json.dumps(landscape_charts.solid(landscape(loss=nothing), "Training loss", held_out=False), allow_nan=False)
