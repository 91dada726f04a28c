"""Training health, the schedule and the search for a learning rate, from made-up records."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lossworks import report
from lossworks.core.errors import RecordError
from lossworks.record import Run
from lossworks.report import charts, health_charts

from .records import classify_run, watched_run
from .test_page import Page

Json = dict[str, Any]


def note(epoch: float, **fields: Any) -> Json:
    """A note on training."""
    return {"event": "train", "epoch": epoch, "loss": 1.0, **fields}


def drawn(figure: Json | None) -> dict[str, Json]:
    """The lines of a figure by their names."""
    assert figure is not None
    return {trace["name"]: trace for trace in figure["data"]}


def test_sections_in_their_order(tmp_path: Path) -> None:
    """Health after learning, the search after health, each with its figures and its table; without notes, none of it."""
    page = Page(report.write(watched_run(tmp_path / "a")))
    parts = [
        "Learning", "Training health", "The loss spiked 2 times", "Gradient norm", "As tables", "Update ratio: embedding",
        "Steps clipped", "Spikes of the training loss", "Learning-rate search", "6 learning rates were tried", "nll was 0.01",
        "diverged", "Confusion matrix",
    ]  # fmt: skip
    places = [page.text.index(part) for part in parts]
    assert places == sorted(places)
    assert {"rate", "gradient", "update_ratios", "clipped", "search"} <= set(page.figures)
    plain = Page(report.write(classify_run(tmp_path / "b")))
    assert not {"rate", "gradient", "update_ratios", "clipped", "search"} & set(plain.figures)
    assert "Training health" not in plain.text
    assert "Learning-rate search" not in plain.text


def test_gradient_norm_with_its_threshold() -> None:
    """On a logarithmic axis; the threshold is there only where there is one."""
    events = [note(n, gradient_norm=10.0**-n) for n in range(4)]
    figure = health_charts.gradient_norm(events, 0.5)
    lines = drawn(figure)
    assert figure is not None
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert lines["gradient norm"]["y"] == [1, 0.1, 0.01, 0.001]
    assert lines["clipped to 0.5"]["y"] == [0.5, 0.5]
    assert list(drawn(health_charts.gradient_norm(events, None))) == ["gradient norm"]
    assert health_charts.gradient_norm([note(0)], 0.5) is None
    health_charts.gradient_norm([note(0, gradient_norm=0.0)], None)


def test_moves_by_role() -> None:
    """A line for each role that moved, where it did; the rule of thumb is called one."""
    events = [note(n, moved={"matrix": 1e-3, "vector": None if n < 2 else 0.1, "head": 0.0}) for n in range(4)]
    figure = health_charts.update_ratios(events)
    lines = drawn(figure)
    assert figure is not None
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert list(lines) == ["matrix", "vector", "rule of thumb: 0.001"]
    assert (lines["vector"]["x"], lines["vector"]["y"]) == ([2, 3], [0.1, 0.1])
    assert lines["rule of thumb: 0.001"]["y"] == [1e-3, 1e-3]
    assert len({trace["line"]["color"] for trace in lines.values()}) == 3
    assert health_charts.update_ratios([note(0, moved={"matrix": None}), note(1)]) is None


def test_clipping_and_spikes() -> None:
    """The share of clipped steps is drawn where any was clipped; spikes are marked on the loss."""
    figure = health_charts.clipped([note(0, clipped=0.5), note(1, clipped=0.0)])
    assert drawn(figure)["clipped"]["y"] == [0.5, 0.0]
    assert health_charts.clipped([note(0, clipped=0.0), note(1, clipped=0.0)]) is None
    spike = {"event": "spike", "step": 7, "epoch": 0.5, "loss": 9.0, "usual": 1.0}
    marked = drawn(charts.loss_curve([note(0), spike, note(1)]))["spike"]
    assert (marked["x"], marked["y"], marked["mode"]) == ([0.5], [9.0], "markers")
    assert "spike" not in drawn(charts.loss_curve([note(0), note(1)]))


def test_one_or_two_points_are_seen() -> None:
    """A line through one or two points has markers, a third makes it plain; two examined steps have no chart."""
    modes = [[trace["mode"] for trace in (charts.loss_curve([note(n) for n in range(k)]) or {})["data"]] for k in (1, 2, 3)]
    assert [set(each) for each in modes] == [{"lines", "lines+markers"}, {"lines", "lines+markers"}, {"lines"}]
    assert health_charts.gradient_norm([note(n, gradient_norm=1.0) for n in range(2)], 0.5) is None
    assert health_charts.update_ratios([note(n, moved={"head": 0.1}) for n in range(2)]) is None


def test_the_schedule_is_drawn_where_it_varies() -> None:
    """A rate that stands still is no picture."""
    assert health_charts.schedule([note(n, lr=0.1) for n in range(5)]) is None
    assert drawn(health_charts.schedule([note(n, lr=0.1 / (n + 1)) for n in range(3)]))["learning rate"]["y"][0] == 0.1


def test_the_search() -> None:
    """By rate, on a logarithmic axis; the chosen one is marked, and those that diverged stand above all others."""
    trials = [{"lr": 1.0, "score": None, "note": "diverged"}, {"lr": 0.1, "score": 0.4}, {"lr": 0.01, "score": 0.9}]
    figure = health_charts.search(trials, 0.1, "nll")
    lines = drawn(figure)
    assert figure is not None
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert (lines["nll"]["x"], lines["nll"]["y"]) == ([0.01, 0.1], [0.9, 0.4])
    assert (lines["best: 0.1"]["x"], lines["best: 0.1"]["y"]) == ([0.1], [0.4])
    assert lines["no score: diverged"]["x"] == [1.0]
    assert lines["no score: diverged"]["y"][0] > 0.9
    alone = health_charts.search(trials[:1], 1.0, "nll")
    assert alone is not None
    assert health_charts.search([], 0.1, "nll") is None


def test_a_search_that_makes_no_sense_is_an_error_of_ours(tmp_path: Path) -> None:
    """A record that says other things than a search does is named, as any strange record."""
    run = Run(watched_run(tmp_path))
    record = run.summary
    del record["format"]
    record["result"]["lr_search"] = {"trials": [{"rate": 1}], "chosen": 1, "metric": "nll"}
    run.write_summary(record)
    with pytest.raises(RecordError, match=r"lacks result\.lr_search\.trials\.0\.lr"):
        report.write(run.path)


def test_the_table_of_health(tmp_path: Path) -> None:
    """First, median, highest and last of what was noted."""
    run = Run(classify_run(tmp_path))
    for n, norm in enumerate([4.0, 1.0, 3.0, 2.0, 5.0]):
        run.note("train", step=n, epoch=5 + n, loss=1.0, gradient_norm=norm, clipped=n / 4, moved={"head": math.exp(-n)})
    run.close()
    text = Page(report.write(run.path)).text
    assert "Gradient norm 4 3 5 5" in text
    assert "Steps clipped 0.0 % 50.0 % 100.0 % 100.0 %" in text
    assert "Update ratio: head 1 0.135 1 0.0183" in text
    assert "The loss never spiked." in text
