"""What stands in the page, without a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lossworks import report
from lossworks.core.errors import RecordError
from lossworks.record import Run
from lossworks.report import charts, words

from .records import HOSTILE, classify_run, diverged_run, metric, multilabel_run, regress_run, result, saved, summary


class Page(HTMLParser):
    """The words of the page by heading, its tags, and its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += " " + data
            self.text = re.sub(r"\s+", " ", self.text)

    @property
    def figures(self) -> dict[str, dict[str, object]]:
        return dict(json.loads(self.scripts[0]))


def test_the_order_is_verdict_first(tmp_path: Path) -> None:
    """Every section is there, in the order a reader needs them."""
    text = Page(report.write(classify_run(tmp_path))).text
    parts = [
        "Better than the baseline", "On 54 held-out rows", "NLL", "Learning", "Confusion matrix",
        "On the dotted line", "Label by label", "Most confident mistakes", "not bad at all", "Data",
        "1 row could not be used and was skipped.", "lossworks fit reviews.csv --seed 0", "Configuration", "Versions",
    ]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    """No tag loads anything from elsewhere, and the page forbids itself to."""
    path = report.write(classify_run(tmp_path))
    page = Page(path)
    assert path.stat().st_size < 1 << 20  # the library in it is compressed
    sources = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href")]
    assert sources == ["data:,", "#main"]
    assert any("default-src 'none'" in str(attrs.get("content")) for tag, attrs in page.tags if tag == "meta")
    assert len(page.scripts) == 3


@pytest.mark.parametrize("field", ["labels", "text", "name"])
def test_hostile_text_is_escaped(tmp_path: Path, field: str) -> None:
    """Markup in a label, a text or the baseline's name never becomes markup, in the body or in the embedded JSON."""
    if field == "labels":
        run = classify_run(tmp_path, labels=[HOSTILE, "fine"])
    elif field == "text":
        run = classify_run(tmp_path, text=HOSTILE)
    else:
        run = classify_run(tmp_path)
        record = Run(run).summary
        record["result"]["baseline"]["name"] = record["command"] = record["data"]["source"] = HOSTILE
        record["config"] = {HOSTILE: HOSTILE}
        record["result"]["stopped"] = record["status"] = HOSTILE
        del record["format"]
        Run(run).write_summary(record)
    page = Page(report.write(run))
    assert len(page.scripts) == 3
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert "window.hacked" in page.text or field == "labels"
    assert page.figures


@pytest.mark.parametrize(
    ("low", "high", "tone", "words_there"),
    [
        (0.849, 0.981, "good", "is correct 50.0"),
        (0.45, 0.7, "unsure", "not shown to be better"),
        (0.2, 0.4, "bad", "worse than a constant prediction"),
    ],
)
def test_verdict_never_overclaims(low: float, high: float, tone: str, words_there: str) -> None:
    """Better only if the whole interval is above the baseline; worse only if all of it is below."""
    found = result({"accuracy": {"value": (low + high) / 2, "low": low, "high": high}}, {"accuracy": metric(0.5, 0)}, "x")
    verdict = words.verdict(summary("classify", ["a", "b"], result=found))
    assert verdict.tone == tone
    assert words_there in verdict.sentence


def test_verdict_on_probabilities() -> None:
    """Better answers with probabilities that are shown to be worse than the baseline's are not called good."""
    for low, tone in ((0.6, "good"), (0.8, "unsure")):
        nll = {"value": low + 0.1, "low": low, "high": 2.0}
        found = result({"accuracy": metric(0.8, 0.05), "nll": nll}, {"accuracy": metric(0.5, 0), "nll": metric(0.69, 0)}, "x")
        verdict = words.verdict(summary("classify", ["a", "b"], result=found))
        assert (verdict.tone, "probabilities are worse than the baseline's: nll" in verdict.sentence) == (tone, tone == "unsure")


def test_verdict_for_errors_and_label_sets(tmp_path: Path) -> None:
    """For an error lower is better; a bound that is not known proves nothing."""
    assert words.verdict(Run(regress_run(tmp_path / "r")).summary).tone == "good"
    record = Run(multilabel_run(tmp_path / "m")).summary
    assert "micro-F1 of 0.600" in words.verdict(record).sentence
    record["result"]["metrics"]["micro_f1"] = {"value": 0.6, "low": None, "high": None}
    assert words.verdict(record).tone == "unsure"


def test_weighted_classes_are_judged_alike(tmp_path: Path) -> None:
    """With class weights the verdict is about the macro-F1, and the curve is of the weighted score, which chose the epoch."""
    found = result(
        {"accuracy": metric(0.4, 0.1), "macro_f1": metric(0.9, 0.1)},
        {"accuracy": metric(0.9, 0), "macro_f1": metric(0.5, 0)},
        "x",
    )
    record = summary("classify", ["a", "b"], result=found)
    assert words.verdict(record).tone == "bad"
    record["config"]["class_weight"] = "balanced"
    assert (words.verdict(record).tone, "a macro-F1 of 0.900" in words.verdict(record).sentence) == ("good", True)
    assert "validation weighted nll" in report.write(saved(tmp_path, record, "weighted_nll")).read_text("utf-8")


def test_regression_page_has_a_scatter_instead(tmp_path: Path) -> None:
    """No confusion, no reliability; the largest errors, and a negative R² without a strip."""
    page = Page(report.write(regress_run(tmp_path)))
    assert set(page.figures) == {"loss", "metric", "scatter"}
    assert "Largest errors" in page.text
    assert "−0.200" in page.text
    assert "Most confident" not in page.text


def test_multilabel_page_shows_thresholds_and_empty_sets(tmp_path: Path) -> None:
    """A threshold per label, and "none" where no label was given; at temperature 1 nothing is called scaled."""
    text = Page(report.write(multilabel_run(tmp_path))).text
    assert "Threshold" in text
    assert "predicted none" in text
    assert "Before scaling" not in text


def test_unfinished_runs_say_so(tmp_path: Path) -> None:
    """A diverged run keeps its curves; one that has only begun has neither curve nor result, and still a page."""
    page = Page(report.write(diverged_run(tmp_path / "a")))
    assert "The run diverged" in page.text
    assert set(page.figures) == {"loss", "metric"}
    begun = saved(tmp_path / "b", summary("classify", ["a", "b"], status="running"), epochs=0)
    text = Page(report.write(begun)).text
    assert "The run has not finished" in text
    assert "No loss has been logged yet" in text


def test_unknown_bounds_and_no_mistakes(tmp_path: Path) -> None:
    """Null bounds are put in words, and a page without mistakes says that there are none."""
    run = classify_run(tmp_path, accuracy={"value": 1.0, "low": None, "high": None}, mistakes=[])
    text = Page(report.write(run)).text
    assert "unknown: too few texts" in text
    assert "None on these texts." in text


def test_confusion_numbers_up_to_twenty_classes() -> None:
    """Twenty classes carry numbers, twenty-one do not; equal short names stay apart."""
    labels = [f"a very long label that ends in {k}" for k in range(21)]
    table = [[int(i == j) for j in range(21)] for i in range(21)]
    assert len(charts.confusion([row[:20] for row in table[:20]], labels[:20])["data"]) == 2
    figure = charts.confusion(table, labels)
    assert len(figure["data"]) == 1
    assert len(set(figure["data"][0]["x"])) == 21
    assert max(map(len, figure["layout"]["xaxis"]["ticktext"])) <= 18


def test_long_curves_are_thinned_and_keep_their_end() -> None:
    """A hundred thousand notes become at most 1500 points, the last of them the last note."""
    events = [{"event": "train", "step": k, "epoch": k / 1e4, "loss": 2.0 + k % 2} for k in range(100_000)]
    raw, smooth = (charts.loss_curve(events) or {})["data"]
    assert len(raw["x"]) <= 1500
    assert raw["x"][-1] == pytest.approx(9.9999)
    assert smooth["y"][-1] == pytest.approx(2.5, abs=0.01)


def test_steep_losses_get_a_logarithmic_axis() -> None:
    """A loss that falls by a factor of 50 or more is drawn on a logarithmic axis."""
    events = [{"event": "train", "step": k, "epoch": k, "loss": loss} for k, loss in enumerate([5.0, 0.5, 0.05])]
    assert (charts.loss_curve(events) or {})["layout"]["yaxis"]["type"] == "log"


def test_a_strange_record_is_an_error_of_ours(tmp_path: Path) -> None:
    """A record that is JSON but not a run names the directory and writes nothing."""
    run = saved(tmp_path, summary("classify", ["a", "b"], result={"metrics": 5}))
    with pytest.raises(RecordError, match="reviews-run"):
        report.write(run)
    assert not (run / "report.html").exists()
    with pytest.raises(RecordError, match="no run directory"):
        report.write(tmp_path / "nowhere")


def test_numbers_as_a_reader_wants_them() -> None:
    """Percentages, minus signs, large errors, durations."""
    assert words.number("accuracy", 0.94444) == "94.4\u202f%"
    assert words.number("accuracy", 0.99999) == ">99.9\u202f%"
    assert words.number("r2", -0.25) == "−0.250"
    assert words.number("mse", 123456.0) == "1.235e+05"
    assert words.number("nll", None) == "–"
    assert [words.duration(s, " ") for s in (0.0552, 5.52, 59.96, 60, 200, 3599.7, 7500, 86400, 183_600, 1e6)] == [
        "55 ms", "5.5 s", "1 min", "1 min", "3 min 20 s", "1 h", "2 h 5 min", "1 day", "2 days 3 h", "11 days 14 h",
    ]  # fmt: skip
    assert words.duration(4.21) == "4.2\u202fs"
    assert [words.counted(n, "row") for n in (0, 1, 1204)] == ["0 rows", "1 row", "1,204 rows"]
    assert words.counted(2, "entity", "entities") == "2 entities"
