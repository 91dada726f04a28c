"""The page of a comparison, from a record alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lossworks import Comparison, report
from lossworks.core.errors import RecordError
from lossworks.record import Run
from lossworks.report.comparison import verdict
from lossworks.report.comparison_charts import curves, rates
from lossworks.report.comparison_next import Next, next_step, rates_alike
from lossworks.report.live import Live

from .records import HOSTILE
from .test_page import Page

Json = dict[str, Any]
WORDS = ("baseline", "better", "no difference shown", "worse", "equivalent", "not enough to say")


def arm(name: str, word: str, place: int, **more: Any) -> Json:
    """An arm as the record has it."""
    known = word not in ("baseline", "not enough to say")
    shown = {"low": place / 10 - 0.05, "high": place / 10 + 0.05, "p": 0.01, "p_holm": 0.03, "min_detectable": 0.08}
    numbers = {key: value if known else None for key, value in shown.items()}
    curve = [[epoch, epoch * 0.5, 1 / epoch + place / 100] for epoch in (1, 2, 3)]
    runs = [{"seed": seed, "value": 0.5 + place / 10 + seed / 100, "seconds": 2.0, "note": "", "curve": curve} for seed in (1, 2)]
    return {
        "name": name, "settings": {}, "value": 0.5 + place / 10, "standard_error": 0.02, "seeds": runs, "seconds": 2.0 + place,
        "bins": [{"confidence": 0.6 + 0.1 * n, "accuracy": 0.58 + 0.1 * n, "count": 50} for n in range(4)], "ece": [0.02, 0.04],
        "f1": [{"mean": 0.8, "low": 0.75, "high": 0.85}, {"mean": 0.7, "low": 0.65, "high": 0.75}],
        "metrics": {"nll": 0.5, "accuracy": 0.8}, "texts": 5000, "at_equal_seconds": {"epoch": 2.0, "score": 0.6},
        "tuning": {
            "trials": [{"lr": 10.0**n, "score": 0.5 + abs(n), "note": "", "seconds": 1.0} for n in (-2, -1, 0)]
            + [{"lr": 10.0, "score": None, "note": "the loss was not finite at step 3", "seconds": 1.0}],
            "chosen": {"lr": 1.0, "loss.gamma": 2.0}, "at_end": ["lr"] if place == 1 else [], "lr": 1.0,
        },
        "verdict": {
            "arm": name, "word": word, "sentence": f"A sentence on {name}.", "value": place / 10 if word != "baseline" else None,
            **numbers, "p_within": None, "seeds": 2, "shares": {"seeds": 0.3, "examples": 0.7} if known else None, "diverged": [],
            "without_duplicates": place / 10 if known else None,
        },
    } | more  # fmt: skip


SLICES = [("label", "a"), ("label", "b"), ("length", "3 to 80 characters"), ("length", "81 to 900 characters")]


def slice_of(kind: str, name: str, arms: int) -> Json:
    """Some of the test rows, as the record tells of them."""
    known = [{"value": 0.5, "difference": 0.1, "low": 0.05, "high": 0.15} for _ in range(1, arms)]
    return {
        "kind": kind,
        "name": name,
        "rows": 120,
        "arms": [{"value": 0.4, "difference": None, "low": None, "high": None}, *known],
    }


def reading(answers: list[str], arms: int) -> Json:
    """A text to read."""
    said = dict.fromkeys(answers, 2)
    return {"row": 7, "place": "data.csv, line 9", "text": HOSTILE, "truth": "a", "values": [1.5] * arms, "said": [said] * arms}


def comparison(folder: Path, arms: list[Json], **more: Any) -> Path:
    """A comparison's directory with its record alone."""
    run = Run.create(folder / "compared")
    result = {
        "metric": "nll", "unit": "nats", "rising": False, "judged_by": "nll", "margin": 0.02, "level": 0.05, "test_rows": 500,
        "prior": 0.69, "equal_seconds": 2.0, "arms": arms, "done": 2 * len(arms), "of": 2 * len(arms),
        "slices": {"metric": "nll", "groups": [slice_of(kind, name, len(arms)) for kind, name in SLICES]},
        "reading": {
            "hard": [reading(["a", "b"][: k % 2 + 1], 1) for k in range(3)],
            "apart": [
                {"arm": one["name"], "better": [reading(["a", "b"], 2)], "worse": [], "won": 3.5, "lost": 1.25}
                for one in arms[1:8]
            ],
        },
    }  # fmt: skip
    double = {"row": 3, "of": 9, "part": "test", "likeness": 0.9, "text": HOSTILE, "original": HOSTILE}
    run.write_summary({
        "kind": "comparison", "lossworks": "0.1.0", "created": "2026-01-02T03:04:05+00:00",
        "command": "lossworks compare data.csv",
        "status": "finished", "task": "classify", "labels": ["a", "b"], "given": {"common": {"epochs": 10}},
        "data": {"source": "data.csv", "rows": 900, "parts": {"train": 600, "valid": 100, "test": 200}, "fingerprint": "abc"},
        "duplicates": {"exact": {"test": 1, "valid": 0}, "near": {"test": 1, "valid": 2}, "shown": [double], "threshold": 0.8},
        "protocol": {
            "name": "x", "arms": arms, "seeds": 2, "trials": 4, "tune": ["lr"], "metric": "nll", "split_seed": 0, "jobs": 1,
            "trainings": 6,
        },
        "versions": {"python": "3.11"}, "machine": {"cpu": "some", "cores": 2}, "result": result, **more,
    })  # fmt: skip
    return run.path


def test_whole_page(tmp_path: Path) -> None:
    """Every verdict, every chart, the tables, what diverged, the protocol and the command stand in the page."""
    page = Page(report.write(comparison(tmp_path, [arm(f"arm {word}", word, n) for n, word in enumerate(WORDS)])))
    for word in WORDS:
        assert f"A sentence on arm {word}." in page.text
    for said in (
        "1 better, 1 equivalent, 1 with no difference shown, 1 worse, 1 with not enough to say", "trial at lr 10",
        "Banerjee 1960",
        "not finite at step 3", "at the end of the range", "1 test rows exactly, 1 nearly", "+0.05 to +0.15",
        "lossworks compare data.csv", "Where they differ", "+0.1 (+0.05 to +0.15)", "3 to 80 characters", "Label by label",
        "0.750 to 0.850", "Calibration", "0.03 0.02 to 0.04", "Texts to read",
        "a 2 of 4 times, b 2 of 4 times", "Where arm better and the baseline differ: 3.5 test rows won, 1.2 lost",
        "data.csv, line 9",
    ):  # fmt: skip
        assert said in page.text, said
    drawn = {attributes["data-figure"] for tag, attributes in page.tags if attributes.get("data-figure")}
    assert drawn == {"differences", "rates", "curves", "seconds", "time", "calibration"}


@pytest.mark.parametrize("arms", [2, 64])
def test_few_and_many_arms(tmp_path: Path, arms: int) -> None:
    """Two arms and sixty-four make a page; of many the curves are the baseline's and the best's, the table has all."""
    words = ["baseline", *["no difference shown"] * (arms - 1)]
    text = report.write(comparison(tmp_path, [arm(f"arm {n}", word, n) for n, word in enumerate(words)])).read_text("utf-8")
    assert f"arm {arms - 1}" in text
    assert ("The charts show the baseline and the best of the other arms" in text) == (arms > 8)


def test_grid(tmp_path: Path) -> None:
    """Arms that are all combinations of two things stand as rows and columns too, each with its verdict's mark; no others do."""
    parts = [{"loss": loss, "optimizer": optimizer} for loss in ("mse", "focal") for optimizer in ("adam", "sgd", HOSTILE)]
    words = ("baseline", "worse", "better", "no difference shown", "worse", "equivalent")
    arms = [arm(f"arm {n}", word, n, settings=of) for n, (word, of) in enumerate(zip(words, parts, strict=True))]
    page = Page(report.write(comparison(tmp_path / "all", arms)))
    assert "At a glance" in page.text
    assert "focal 0.8000 0.9000 ▼ 1.000 =" in page.text
    three = [one | {"settings": {**one["settings"], "model": f"bag:dim={n}"}} for n, one in enumerate(arms)]
    for name, others in (("some", arms[:-1]), ("one part", arms[:3]), ("twice", [*arms, arms[0]]), ("three parts", three)):
        assert "At a glance" not in report.write(comparison(tmp_path / name, others)).read_text("utf-8")


def test_hostile_names(tmp_path: Path) -> None:
    """Names and texts from outside are shown and never run."""
    page = Page(report.write(comparison(tmp_path, [arm(HOSTILE, "baseline", 0), arm(HOSTILE + "2", "worse", 1)])))
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert HOSTILE in page.text


def test_unfinished(tmp_path: Path) -> None:
    """A comparison that was stopped before its end has a page that says so."""
    path = comparison(tmp_path, [arm("a", "baseline", 0), arm("b", "better", 1)], result=None, status="interrupted")
    assert "There is no verdict yet." in Page(report.write(path)).text


def test_earlier_record(tmp_path: Path) -> None:
    """A comparison recorded before slices, labels, calibration and texts were kept has a page of what it has."""
    arms = [arm("a", "baseline", 0), arm("b", "worse", 1)]
    for one in arms:
        del one["bins"], one["ece"], one["f1"]
    path = comparison(tmp_path, arms)
    record = {key: value for key, value in Run(path).summary.items() if key != "format"}
    del record["result"]["slices"], record["result"]["reading"]
    Run(path).write_summary(record)
    text = Page(report.write(path)).text
    assert "A sentence on b." in text
    assert not [
        title for title in ("Where they differ", "Label by label", "On the dotted line", "Texts to read") if title in text
    ]


def test_another_version(tmp_path: Path) -> None:
    """A record of another format is refused, with both formats named, whatever reads it."""
    path = comparison(tmp_path, [arm("a", "baseline", 0), arm("b", "worse", 1)])
    (path / "run.json").write_text((path / "run.json").read_text().replace('"format": 1', '"format": 2'))
    for read in (report.write, Comparison.load, Live):
        with pytest.raises(RecordError, match="has format 2; this version reads format 1"):
            read(path)


def test_damaged(tmp_path: Path) -> None:
    """A record without what the page needs is named."""
    path = comparison(tmp_path, [arm("a", "baseline", 0), arm("b", "worse", 1)], protocol=None)
    with pytest.raises(RecordError, match="holds a record from which no report can be made"):
        report.write(path)


def test_headline() -> None:
    """One word for all arms is said of all."""
    arms = [arm("a", "baseline", 0), *(arm(n, "no difference shown", 1) for n in "bc")]
    result = {"arms": arms, "metric": "nll", "rising": False, "test_rows": 9, "done": 6, "of": 6, "level": 0.05}
    found = verdict({"result": result})
    assert "The baseline has the best mean, 0.5." in found.sentence
    assert (found.tone, found.headline) == ("unsure", "No difference shown: both arms against the baseline")


def test_first_epochs_hide_nothing() -> None:
    """Curves that begin far above the rest leave the picture, so that the rest can be told apart; others are seen whole."""
    one, other = arm("a", "baseline", 0), arm("b", "worse", 1)
    for run in [*one["seeds"], *other["seeds"]]:
        run["curve"] = [[epoch, epoch * 0.5, 0.5 + 0.01 * epoch] for epoch in range(1, 9)]
    told = {"arms": [one, other], "rising": False, "judged_by": "nll"}
    whole = curves(told)
    for run in other["seeds"]:
        run["curve"][0][2] = 9.0
    cut = curves(told)
    assert whole is not None
    assert cut is not None
    assert "range" not in whole["layout"]["yaxis"]
    low, high = cut["layout"]["yaxis"]["range"]
    assert low < 0.51 < 0.58 < high < 1


def test_far_scores_hide_nothing() -> None:
    """Among rates tried, a score far above the rest is drawn at the top, with its number; few scores are drawn as they are."""
    one = arm("a", "baseline", 0)
    scores = [0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 12.0, 0.5]
    one["tuning"]["trials"] = [{"lr": 10.0**-n, "score": score, "note": "", "seconds": 1.0} for n, score in enumerate(scores)]
    told = {"arms": [one], "rising": False, "judged_by": "nll"}
    drawn = rates(told)
    assert drawn is not None
    (trace,) = drawn["data"][:1]
    assert max(trace["y"]) == pytest.approx(0.62)
    assert max(trace["customdata"]) == 12
    assert trace["marker"]["symbol"].count("triangle-up") == 1
    del one["tuning"]["trials"][:2]
    drawn = rates(told)
    assert drawn is not None
    assert max(drawn["data"][0]["y"]) == 12


@pytest.mark.parametrize(
    ("word", "seeds_share", "flags", "said", "command"),
    [
        ("no difference shown", 0.8, "--seeds 4 --lr=1", "80% of the variance is due to the seeds", "--lr=1 --seeds 8 --seed 5"),
        (
            "no difference shown",
            0.2,
            "--out=x --lr 1",
            "80% of the variance is due to the test rows",
            "--lr 1 --test 0.2 --seed 5",
        ),
        ("no difference shown", 0.2, "--test 0.3 --out x", "due to the test rows", "--test 0.4 --seed 5"),
        ("no difference shown", 0.2, "--test 'my test.csv' --seed 9", "due to the test rows", "--test FILE --seed 5"),
        ("not enough to say", None, "--seeds 1 --minutes 5", "One seed does not show", "--seeds 8 --seed 2"),
    ],
)
def test_what_is_next(tmp_path: Path, word: str, seeds_share: float | None, flags: str, said: str, command: str) -> None:
    """Where a verdict is open, more of what holds most of the variance, as a command for a comparison anew; page and terminal."""
    shares = {"seeds": seeds_share, "examples": 1 - seeds_share} if seeds_share is not None else None
    arms = [arm("base", "baseline", 0), arm("other", word, 1), arm("better", "better", 2)]
    arms[1]["verdict"]["shares"] = shares
    run = comparison(tmp_path, arms, command=f"lossworks compare 'my data.csv' {flags}")
    record = Run(run).summary
    record["protocol"]["seeds"] = 4 if seeds_share is not None else 1
    Run(run).write_summary(record)
    step = next_step(record, run)
    assert step is not None
    assert (said in step.why, step.command) == (True, f"lossworks compare 'my data.csv' {command}")
    assert step.command in Page(report.write(run)).text


@pytest.mark.parametrize("word", ["no difference shown", "better"])
def test_more_trials_where_they_are_advised(tmp_path: Path, word: str) -> None:
    """Where all arms chose the same end of the rates, the command that is given has more trials, as the advice says."""
    arms = [arm(name, what, 0) for name, what in (("a", "baseline"), ("b", word))]
    run = comparison(tmp_path, arms, command="lossworks compare a.csv --trials 4 --out x")
    record = Run(run).summary
    for trials, wanted in ((4, 12), (9, 18)):
        record["protocol"]["trials"] = trials
        for one in record["result"]["arms"]:
            one["tuning"]["chosen"] = {"lr": 1.0}
            one["tuning"]["trials"] = [{"lr": lr, "score": 1.0, "note": "", "seconds": 1.0} for lr in (0.1, 0.5, 1.0)]
        assert "raise --trials" in rates_alike(record["result"])
        step = next_step(record, run)
        assert step is not None
        assert re.search(rf"--trials {wanted}\b", step.command)
        assert step.command.count("--trials") == 1
        assert "starts a new comparison with seeds of its own" in step.why


def test_nothing_is_next(tmp_path: Path) -> None:
    """Where all is shown nothing is advised; what was stopped goes on in its place, and Python's own calls are not spelled."""
    arms = [arm("base", "baseline", 0), arm("better", "better", 1), arm("equal", "equivalent", 2)]
    run = comparison(tmp_path, arms)
    record = Run(run).summary
    assert next_step(record, run) is None
    record["result"]["done"] = 3
    record["command"] = "lossworks compare a.csv --minutes 5 --resume"
    step = next_step(record, Path("runs/a"))
    assert step == Next("3 of 6 trainings are done; --resume goes on.", "lossworks compare a.csv --out runs/a --resume")
    record["command"] = "lossworks.compare"
    assert next_step(record, run) == Next(step.why, "")


@pytest.mark.parametrize(
    ("rates", "chosen", "said"),
    [
        ([1.0, 2.0, 3.0], [2.0, 2.0], "the middle of the rates that were tried, 3 of each"),
        ([1.0, 2.0, 3.0], [3.0, 3.0], "the highest of the rates .* a better one may lie beyond"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0], "the lowest of the rates"),
        ([1.0, 2.0, 3.0], [1.0, 3.0], ""), ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 3.0], ""), ([1.0], [1.0, 1.0], ""),
    ],
)  # fmt: skip
def test_rates_alike(tmp_path: Path, rates: list[float], chosen: list[float], said: str) -> None:
    """That all arms chose the same end, or the middle of three, is said: what they were tuned to is then the grid's doing."""
    arms = [arm(name, word, 0) for name, word in (("a", "baseline"), ("b", "better"))]
    for one, lr in zip(arms, chosen, strict=True):
        one["tuning"] |= {
            "trials": [{"lr": rate, "score": 1.0, "note": "", "seconds": 1.0} for rate in rates],
            "chosen": {"lr": lr},
        }
    found = rates_alike({"arms": arms})
    assert bool(found) == bool(said)
    assert re.search(said, found)
    assert found in Page(report.write(comparison(tmp_path, arms))).text
