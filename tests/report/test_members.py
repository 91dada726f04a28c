"""The page of registered members, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from lossworks import report
from lossworks.catalog import find

from .test_page import Page

SOME = (
    "cross_entropy+0.1*z_loss", "binary_cross_entropy", "forward_kl", "mae", "dpo", "triplet", "nce", "l1", "group_dro", "cosine",
    "linear", "sgd:lr=0.01", "lbfgs:lr=0.1",
)  # fmt: skip
"""One of each kind of curve, and two optimizers; `tests/catalog` shows every member."""


def test_every_kind_has_its_section_and_charts(tmp_path: Path) -> None:
    """Every kind on one page: each name a heading, each panel a figure that Plotly accepts, nothing fetched."""
    members = tuple(member for name in SOME for member in find(name))
    page = Page(report.write_members(members, tmp_path / "all.html"))
    panels = [panel for member in members for curve in member.curves for panel in curve.panels]
    functions = [surface for member in members for surface in member.surfaces]
    assert len(page.figures) == len(panels) + 2 * len(functions)
    places = [attributes["data-figure"] for _, attributes in page.tags if "data-figure" in attributes]
    assert sorted(map(str, places)) == sorted(page.figures)
    for figure in list(page.figures.values())[::6]:  # a sample: Plotly's own check is slow
        go.Figure(json.loads(re.sub(r'"@[a-z-]+"', '"red"', json.dumps(figure))))  # raises at what Plotly does not know
    assert not [tag for tag, attributes in page.tags if {"src", "href"} & set(attributes) and tag not in ("a", "link")]
    for member in members:
        assert all(term.source in page.text for term in member.terms)


def test_what_is_compared_is_dotted_and_bars_are_bars(tmp_path: Path) -> None:
    """The member's own line is the first and the stronger; a risk's weights are bars."""
    page = Page(report.write_members(find("focal"), tmp_path / "focal.html"))
    own, reference = page.figures["0-0-0"]["data"]  # type: ignore[misc]
    assert (own["name"], reference["name"]) == ("focal", "cross_entropy")
    assert "dash" not in own["line"]
    assert reference["line"]["dash"] == "dot"
    page = Page(report.write_members(find("cvar"), tmp_path / "cvar.html"))
    assert [trace["type"] for trace in page.figures["0-0-0"]["data"]] == ["bar", "scatter"]  # type: ignore[attr-defined]


def test_trajectories_lie_on_their_surface(tmp_path: Path) -> None:
    """The member's own way is the last drawn, on levels, with start and minimum marked; the heights are on a log axis."""
    (member,) = find("momentum:lr=0.01")
    page = Page(report.write_members((member,), tmp_path / "momentum.html"))
    plane: dict[str, Any] = page.figures["0-plane-1"]
    levels, *ways, start, minimum = plane["data"]
    surface = member.surfaces[1]
    assert levels["type"] == "contour"
    assert (len(levels["z"]), len(levels["z"][0])) == (len(surface.y), len(surface.x))
    assert ways[-1]["name"] == surface.trajectories[0].name
    assert "dash" in ways[0]["line"]
    assert list(zip(ways[-1]["x"], ways[-1]["y"], strict=True)) == list(surface.trajectories[0].points)
    assert (start["x"], start["y"], minimum["x"], minimum["y"]) == ([1.0], [1.5], [3.0], [0.5])
    descent: dict[str, Any] = page.figures["0-descent-1"]
    assert descent["layout"]["yaxis"]["type"] == "log"
    assert descent["data"][-1]["y"] == list(surface.trajectories[0].values)
