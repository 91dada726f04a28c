"""`lossworks compare`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import lossworks

from .conftest import REVIEWS, STARS, TOPICS, Command, csv_of, reviews

Put = Callable[[str, str | bytes], Path]
SMALL = ["--model", "linear:bits=12,chars=3", "--epochs", "3", "--trials", "2", "--seeds", "2"]
TWO = ["--loss", "cross_entropy", "--loss", "mse"]


def test_compare(command: Command) -> None:
    """The verdicts on stdout, and a directory that says everything: record, log, table, report."""
    ended = command("compare", REVIEWS, *TWO, "--loss", "focal:gamma=2", *SMALL, "--margin", "0.5", "--out", "run")
    assert ended.code == 0, ended.err
    assert re.search(r"cross_entropy\n    nll \S+, the mean of 2 seeds, with lr \S+ of \d trials?. The baseline", ended.out)
    assert re.search(
        r"mse\n    nll \S+, the mean of 2 seeds, with lr \S+ of \d trials?. Equivalent to the baseline within 0.5 nats", ended.out
    )
    assert "12 of 12" in ended.err
    assert re.search(r"\n\nNext:  lossworks compare .* --trials 12\n       open run/report.html\n", ended.out), ended.out
    assert ended.out.endswith("\n       lossworks.Comparison.load('run').table()\n")
    record = json.loads(Path("run/run.json").read_text())
    assert (record["status"], record["kind"], record["command"].split()[1]) == ("finished", "comparison", "compare")
    table = pl.read_parquet("run/results.parquet")
    assert table.filter(pl.col("stage") == "run").shape[0] == 6
    assert table.filter(pl.col("stage") == "tune")["test_nll"].null_count() == 6  # trials never see a test row
    page = Path("run/report.html").read_text("utf-8")
    assert "Differences from the baseline" in page
    assert command("report", "run", "--table", "arms.csv").out == "arms.csv\n"
    assert pl.read_csv("arms.csv")["verdict"].to_list() == lossworks.Comparison.load("run").table()["verdict"].to_list()
    assert command("report", "run", "--table", "arms.tex", "--json").json == {"table": "arms.tex"}
    assert r"\texttt{focal} & $" in Path("arms.tex").read_text("utf-8")
    for flags, why in (
        (("run", "--table", "arms.xls"), "ends in .csv, .jsonl, .parquet or .tex"),
        (("run", "run", "--table", "arms.tex"), "--table is of one comparison"),
        (("run", "--table", "arms.tex", "--serve"), "--table is for finished runs"),
    ):
        assert why in command("report", *flags).err
    found = lossworks.Comparison.load("run")
    assert list(found.verdicts) == ["cross_entropy", "mse", "focal"]
    assert found.table()["verdict"].to_list()[0] == "baseline"
    assert "mse: Equivalent" in repr(found)
    again = command("report", "run")
    assert again.code == 0, again.err


def test_json(command: Command) -> None:
    """One JSON object, of a comparison and of a plan."""
    assert command("compare", REVIEWS, *TWO, *SMALL, "--json", "-q", "--out", "run").json["result"]["metric"] == "nll"
    plan = command("compare", REVIEWS, *TWO, *SMALL, "--json", "-q", "--plan").json
    assert plan["trainings"] == 8
    assert plan["seconds"] > 0
    assert not Path("runs").exists()


def test_paired(command: Command) -> None:
    """Arms that are the same but for what does not matter end in the same figures, seed by seed: same weights, same order."""
    flags = [
        "--optimizer",
        "sgd:lr=1",
        "--optimizer",
        "momentum:lr=1,momentum=0",
        "--model",
        "bag:dim=4,bits=12",
        "--epochs",
        "2",
    ]
    ended = command("compare", REVIEWS, *flags, "--trials", "0", "--seeds", "2", "--json", "-q", "--out", "run")
    assert ended.code == 0, ended.err
    values = [[run["value"] for run in arm["seeds"]] for arm in ended.json["result"]["arms"]]
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert values[0][0] != values[0][1]


def test_numbers_and_sets(command: Command) -> None:
    """Numeric targets are judged by squared error, label sets by their log loss; other metrics where they fit."""
    model = SMALL[2:]
    ended = command(
        "compare", STARS, "--loss", "mse", "--loss", "huber", *model, "--model", "linear:bits=10", "--json", "-q", "--out", "a"
    )
    assert ended.json["result"]["metric"] == "mse"
    ended = command("compare", TOPICS, *TWO, *SMALL, "--metric", "micro_f1", "--json", "-q", "--out", "b")
    assert ended.json["result"]["metric"] == "micro_f1", ended.err
    assert ended.json["result"]["rising"]


def test_toml(command: Command, put: Put) -> None:
    """Arms listed in a file, with settings in common; flags multiply them."""
    put("arms.toml", 'epochs = 2\nmodel = "linear:bits=10"\n[[arms]]\nloss = "mse"\n[[arms]]\nloss = "focal"\nclip = 1.0\n')
    ended = command("compare", REVIEWS, "--config", "arms.toml", "--trials", "0", "--seeds", "1", "--json", "-q", "--out", "run")
    assert ended.code == 0, ended.err
    assert [arm["name"] for arm in ended.json["result"]["arms"]] == ["mse · clip=None", "focal · clip=1.0"]
    assert ended.json["result"]["arms"][1]["verdict"]["word"] == "not enough to say"
    put("wrong.toml", "epoch = 2\n[[arms]]\n[[arms]]\n")
    ended = command("compare", REVIEWS, "--config", "wrong.toml")
    assert (ended.code, "Did you mean 'epochs'?" in ended.err) == (2, True)


def test_diverged_arms(command: Command) -> None:
    """A rate that diverges with every seed ends no comparison: it is counted and listed, and the page says where."""
    flags = ["--optimizer", "sgd:lr=0.5", "--optimizer", "sgd:lr=1e38", "--trials", "0", "--seeds", "2"]
    ended = command("compare", REVIEWS, "--model", "linear:bits=10", "--epochs", "2", *flags, "--json", "-q", "--out", "run")
    assert ended.code == 0, ended.err
    arm = ended.json["result"]["arms"][1]
    assert arm["verdict"]["diverged"] == [0, 1]
    assert arm["value"] == ended.json["result"]["prior"]
    assert "not finite" in Path("run/report.html").read_text("utf-8")


WRONG = [
    (["--loss", "mse"], "there is one arm, and nothing to compare it with"),
    (["--loss", "focal", "--loss", "focal:gamma=2"], "are the same. Leave one out."),
    ([*TWO, "--metric", "mse"], "the metric 'mse' does not fit the task classify. Metrics that do: nll, brier"),
    ([*TWO, "--seeds", "0"], "seeds is 0; wanted a whole number, 1 or more."),
    ([*TWO, "--lr", "auto"], "compare tunes the rates itself"),
    ([*TWO, "--tune", "loss.gama=0:1"], "unknown parameter to tune: 'loss.gama'"),
    (["--loss", "cross_entropy", "--loss", "huber"], "the loss 'huber' is not for the task classify"),
    ([*TWO, "--storage", "sqlite:///x.db"], "wanted postgresql://"),
    ([*TWO, "--resume"], "say which with --out"),
]


@pytest.mark.parametrize(("flags", "said"), WRONG)
def test_refused(command: Command, flags: list[str], said: str) -> None:
    """Each wrong call ends with code 2 before anything is trained, says what is wrong, and leaves nothing."""
    out = [] if "--resume" in flags else ["--out", "run"]
    ended = command("compare", REVIEWS, *flags, *out)
    assert ended.code == 2
    assert said in ended.err
    assert not Path("run").exists()


def test_one_seed(command: Command) -> None:
    """With one seed a comparison runs, and its verdict is that there is not enough to say; the page says so too, and has its
    curves without a band.
    """
    ended = command("compare", REVIEWS, *TWO, *SMALL[:-1], "1", "--out", "run")
    assert ended.code == 0, ended.err
    said = "Not enough to say: one seed does not show how much seeds vary. Its difference is"
    assert said in ended.out
    assert "One seed does not show how much seeds vary: more seeds would show more." in ended.out
    verdict = lossworks.Comparison.load("run").verdicts["mse"]
    assert (verdict["word"], verdict["low"], verdict["p"]) == ("not enough to say", None, None)
    page = Path("run/report.html").read_text("utf-8")
    assert "Not enough to say: one arm against the baseline" in page
    assert said in page


def test_storage_out_of_reach(command: Command) -> None:
    """A database that does not answer ends the command with code 2, what is wrong and what to check, and leaves nothing."""
    address = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    ended = command("compare", REVIEWS, *TWO, *SMALL, "--storage", address, "--out", "run")
    assert (ended.code, "Check --storage" in ended.err, "Traceback" in ended.err) == (2, True, False)
    assert not Path("run").exists()


def test_what_is_behind(command: Command) -> None:
    """By label and length the rows are all there and the means add up to the arm's own; the texts to read are test rows, those
    that an arm is ahead on have a lower loss than the baseline's; F1 by label is what the mean F1 is the mean of.
    """
    result = command("compare", REVIEWS, *TWO, *SMALL, "--json", "-q", "--out", "run").json["result"]
    for kind in ("label", "length"):
        groups = [group for group in result["slices"]["groups"] if group["kind"] == kind]
        assert len(groups) > 1
        assert sum(group["rows"] for group in groups) == result["test_rows"]
        for number, arm in enumerate(result["arms"]):
            whole = sum(group["rows"] * group["arms"][number]["value"] for group in groups) / result["test_rows"]
            assert whole == pytest.approx(arm["value"])
            assert arm["verdict"]["word"] == "baseline" or whole - result["arms"][0]["value"] == pytest.approx(
                arm["verdict"]["value"]
            )
    for arm in result["arms"]:
        assert sum(one["mean"] for one in arm["f1"]) / 2 == pytest.approx(arm["metrics"]["macro_f1"])
        assert sum(one["count"] for one in arm["bins"]) == 2 * result["test_rows"]
        right = sum(one["count"] * one["accuracy"] for one in arm["bins"]) / (2 * result["test_rows"])
        assert right == pytest.approx(arm["metrics"]["accuracy"], abs=0.06)  # but for the cut, which the bins know nothing of
    rows = pl.read_csv(REVIEWS)
    (apart,) = result["reading"]["apart"]
    for text in [*result["reading"]["hard"], *apart["better"], *apart["worse"]]:
        assert (text["text"], text["truth"]) == rows.row(text["row"])
        assert text["place"] == f"{REVIEWS}, line {text['row'] + 2}"
    assert all(text["values"][1] < text["values"][0] for text in apart["better"])
    assert all(text["values"][1] > text["values"][0] for text in apart["worse"])
    assert apart["won"] - apart["lost"] == pytest.approx(
        result["test_rows"] * (result["arms"][1]["metrics"]["accuracy"] - result["arms"][0]["metrics"]["accuracy"])
    )


@pytest.mark.parametrize(
    ("data", "flags", "sections"),
    [
        (REVIEWS, ["--metric", "macro_f1", *TWO], {"slices", "labels", "calibration", "reading"}),
        (TOPICS, TWO, {"slices", "labels", "calibration", "reading"}),
        (TOPICS, ["--metric", "micro_f1", *TWO], {"labels", "calibration", "reading"}),
        (STARS, ["--loss", "mse", "--loss", "huber"], {"slices", "reading"}),
    ],
    ids=["macro_f1", "sets", "micro_f1", "numbers"],
)
def test_sections_that_make_sense(command: Command, data: Path, flags: list[str], sections: set[str]) -> None:
    """Every task and metric has the parts of the page that there is something to say in."""
    ended = command("compare", data, *flags, *SMALL, "-q", "--out", "run")
    assert ended.code == 0, ended.err
    page = Path("run/report.html").read_text("utf-8")
    assert {name for name in ("slices", "labels", "calibration", "reading") if f'<h2 id="{name}">' in page} == sections


def test_too_few_rows(command: Command, put: Put) -> None:
    """Data of which nothing can be held out cannot be compared on."""
    ended = command("compare", put("few.csv", csv_of(reviews(20))), *TWO, "--out", "run")
    assert (ended.code, "no validation rows are held out" in ended.err) == (2, True)


def test_duplicates_are_told(command: Command, put: Put) -> None:
    """Test rows that stand among the training rows are counted aloud."""
    rows = reviews(80)
    train, test = put("train.csv", csv_of(rows)), put("test.csv", csv_of(rows[:30]))
    ended = command("compare", train, "--test", test, *TWO, *SMALL, "--out", "run")
    assert "test rows stand among the training rows" in ended.err
    assert json.loads(Path("run/run.json").read_text())["duplicates"]["exact"]["test"] > 20
