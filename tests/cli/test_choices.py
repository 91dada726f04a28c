"""What can be chosen: models, losses, optimisers, penalties, class weights; by flags and by a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import UsageError
from lossworks.losses import BinaryLoss, CategoricalLoss, RegressionLoss, losses
from lossworks.optim import build, optimizers
from lossworks.penalties import build as penalty_of
from lossworks.penalties import penalties

from .conftest import REVIEWS, SMALL, STARS, Command, csv_of, reviews

Put = Callable[[str, str | bytes], Path]
NUMERIC = [(text, float(len(text) + (label == "good") * 5)) for text, label in reviews(48)]
OPTIMIZERS = [*(entry.name for entry in optimizers), "gradient_descent:line_search=true"]
PENALTIES = [None, *(f"{entry.name}:strength=0.001" for entry in penalties)]


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_combination(optimizer: str) -> None:
    """Every optimiser trains under every penalty, for classes and numbers and on the models in turn; a search refuses corners."""
    for number, penalty in enumerate(PENALTIES):
        model = ("linear:bits=10,chars=3", "bag:dim=4,bits=10")[(number + len(optimizer)) % 2]
        chosen = {"model": model, "optimizer": optimizer, "penalty": penalty, "epochs": 1}
        if penalty and build(optimizer).needs_closure and not penalty_of(penalty).is_smooth:
            with pytest.raises(UsageError, match="smooth"):
                lossworks.fit(reviews(48), valid=0.2, test=0.2, **chosen)
            continue
        if (number // 2 + len(optimizer)) % 2:
            assert 0 <= lossworks.fit(reviews(48), valid=0.2, test=0.2, **chosen).metrics["nll"]["value"] < 2
        else:
            metrics = lossworks.fit(NUMERIC, task="regress", valid=0.2, test=0.2, **chosen).metrics
            assert 0 < metrics["mse"]["value"] < 100


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize(
    ("optimizer", "risk"),
    [
        ("lbfgs", "cvar:alpha=0.5"),
        ("lbfgs", "group_dro"),
        ("gradient_descent:line_search=true", "mean"),
        ("gradient_descent:line_search=true", "worst_group"),
    ],
)
def test_searches_go_down(optimizer: str, risk: str) -> None:
    """What searches along the loss lowers every risk, with dropout and an L2 penalty, the same way each time."""
    chosen = {"optimizer": optimizer, "risk": risk, "penalty": "l2:strength=0.001", "model": "bag:dim=4,bits=10,dropout=0.2"}
    first, second, short = (
        lossworks.fit(reviews(48), valid=0.2, test=0.2, epochs=n, **chosen).metrics["nll"]["value"] for n in (8, 8, 1)
    )
    assert first == second
    assert first < short


TASKS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "two classes": ("nll", reviews(48)),
    "three classes": ("nll", [(text, label if i % 3 else "other") for i, (text, label) in enumerate(reviews(48))]),
    "labels": ("nll", [(text, [label] if i % 3 else [label, "other"]) for i, (text, label) in enumerate(reviews(48))]),
    "numbers": ("mse", NUMERIC),
}


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("name", [entry.name for entry in losses])
def test_every_loss(name: str) -> None:
    """Every loss trains every task that it is for, and is refused with a reason elsewhere; two models, no flags but its name."""
    loss = losses[name].thing()
    trained, refused = [], []
    for task, (metric, rows) in TASKS.items():
        kind = {"labels": "multilabel", "numbers": "regress"}.get(task, "classify")
        chosen = {"task": kind, "loss": name, "epochs": 2, "valid": 0.2, "test": 0.2}
        try:
            metrics = lossworks.fit(rows, model="linear:bits=10", **chosen).metrics
        except UsageError as error:
            refused.append(str(error))
            continue
        assert 0 <= metrics[metric]["value"] < 100
        trained.append(task)
    assert all(f"the loss {name!r} is not for the task" in said for said in refused)
    numbers, outcomes = isinstance(loss, RegressionLoss) and not loss.needs, isinstance(loss, CategoricalLoss)
    useful = outcomes and not loss.needs and loss.looks_at_target
    assert ("numbers" in trained) == numbers
    assert ("two classes" in trained) == (useful and not loss.positions_interact)
    assert ("three classes" in trained) == (useful and not isinstance(loss, BinaryLoss))
    assert ("labels" in trained) == (useful and not hasattr(loss, "counts"))


def test_bag(command: Command, tmp_path: Path) -> None:
    """The bag model goes the whole way and says what it was."""
    run = tmp_path / "run"
    ended = command("fit", REVIEWS, "--model", "bag:dim=16,dropout=0.1", "--epochs", "3", "--out", run)
    assert ended.code == 0
    assert "train  bag:dim=16,dropout=0.1 · cross_entropy · adam:lr=0.003" in ended.err
    assert command("predict", run, "I love this product!").code == 0
    assert json.loads((run / "run.json").read_text())["config"]["model"] == "bag:dim=16,dropout=0.1"


def test_exact_zeros(command: Command, tmp_path: Path) -> None:
    """The L1 penalty leaves weights that are exactly zero, and the record counts them."""
    counts = []
    for number, strength in enumerate(("0", "0.003")):
        flags = (*SMALL, "--optimizer", "sgd", "--penalty", f"l1:strength={strength}")
        result = command("fit", REVIEWS, "--out", tmp_path / str(number), *flags, "--json", "-q").json["result"]
        counts.append(result["zero_weights"])
        assert result["weights"] > 3000
    assert counts[0] < 500 < 2000 < counts[1]


def test_class_weight(command: Command, put: Put, tmp_path: Path) -> None:
    """Class weights, balanced or named, move the answers; what is no label or no number is an error."""
    rows = [(text, label) for i, (text, label) in enumerate(reviews(200)) if label == "good" or i % 10 == 1]
    path = put("skewed.csv", csv_of(rows))
    share = {}
    for number, weight in enumerate((None, "balanced", "bad=50,good=0.1")):
        flags = ["--class-weight", weight] if weight else []
        run = tmp_path / str(number)
        assert command("fit", path, "--out", run, *SMALL, *flags, "-q").code == 0
        share[weight] = command("predict", run, "a", "--json").json["predictions"][0]["probabilities"]["bad"]
    assert share[None] < share["balanced"] < share["bad=50,good=0.1"]
    for weight, message in (
        ("bda=5", "--class-weight names 'bda', which is no label. Labels: bad, good."),
        ("bad=x", "wanted 'balanced', label=number"),
        ("bad=-1", "wanted finite weights of 0 or more"),
        ("bad=0,good=0", "every training row weighs 0"),
    ):
        ended = command("fit", path, "--out", tmp_path / "again", "--class-weight", weight)
        assert (ended.code, message in ended.err) == (2, True), ended.err
        assert not (tmp_path / "again").exists()
    ended = command("fit", STARS, "--class-weight", "balanced", "--out", tmp_path / "again")
    assert (ended.code, "--class-weight is for one class a text; the task is regress" in ended.err) == (2, True)


def test_config_file(command: Command, put: Put, tmp_path: Path) -> None:
    """A TOML file sets anything, flags win over it, and the whole of it is in the record."""
    path = put("fit.toml", 'model = "linear:bits=12"\nepochs = 3\nseed = 7\noptimizer = "sgd:lr=0.1"\nvalid = 0.2\n')
    ended = command("fit", REVIEWS, "--config", path, "--epochs", "1", "--out", tmp_path / "run", "--json", "-q")
    config = ended.json["config"]
    assert (config["model"], config["epochs"], config["seed"]) == ("linear:bits=12", 1, 7)
    assert (config["optimizer"], config["lr"]) == ("sgd:lr=0.1", 0.1)
    assert ended.json["data"]["parts"]["valid"] == 131
    assert all(config[key] is not None for key in ("loss", "batch_size", "patience", "device"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epoch = 3", "unknown key of configuration fit.toml: 'epoch'. Did you mean 'epochs'?"),
        ('optimizer = "adamm"', "unknown optimizer 'adamm'. Did you mean 'adam'?"),
        ('epochs = "many"', "configuration fit.toml: epochs is 'many'; wanted a whole number, 1 or more"),
        ("epochs = 2.5", "epochs is 2.5; wanted a whole number, 1 or more"),
        ("epochs = 0", "epochs is 0; wanted a whole number, 1 or more"),
        ("epochs 3", "fit.toml is not TOML: "),
    ],
)
def test_config_errors(command: Command, put: Put, content: str, message: str) -> None:
    """What a TOML file gets wrong is named, with what was probably meant."""
    put("fit.toml", content)
    ended = command("fit", REVIEWS, "--config", "fit.toml", "--out", "run")
    assert (ended.code, message in ended.err) == (2, True), ended.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch", "2"], "--epochs"),
        (["--model", "liner"], "unknown model 'liner'. Did you mean 'linear'?"),
        (
            ["--model", "gpt2"],
            "unknown model 'gpt2'. A model of Hugging Face is 'hf:gpt2': a directory, or a name whose files are",
        ),
        (["--model", "linear:bit=12"], "unknown key of model 'linear': 'bit'. Did you mean 'bits'? Known: bits, chars, "),
        (["--model", "bag:vectors=glove.txt"], "unknown key of model 'bag': 'vectors'. Known: bits, dim, dropout, hidden, "),
        (["--model", "linear:bits=99"], "model 'linear': bits is 99; wanted 8 to 28."),
        (["--loss", "cross-entropi"], "unknown loss 'cross-entropi'. Did you mean 'cross_entropy'?"),
        (["--optimizer", "sgd:lr"], "spec 'sgd:lr': got 'lr', wanted key=value"),
        (["--penalty", "l3"], "unknown penalty 'l3'. Known: elastic_net, group_lasso, l1, l2."),
        (["--task", "clasify"], "unknown task 'clasify'. Did you mean 'classify'?"),
        (["--epochs", "2.5"], "epochs is 2.5; wanted a whole number, 1 or more."),
        (["--epochs", "nan"], "epochs is nan; wanted a whole number, 1 or more."),
        (["--epochs", "x"], "epochs is 'x'; wanted a whole number, 1 or more."),
        (["--lr", "inf"], "lr is inf; wanted a finite number above 0, or auto."),
        (["--seed", "lucky"], "seed is 'lucky'; wanted a whole number."),
        (["--lr", "-1"], "lr is -1; wanted a finite number above 0, or auto."),
        (["--batch-size", "0"], "batch_size is 0; wanted a whole number, 1 or more, or auto."),
        (["--valid", "reviews-valid.csv"], "there is no file reviews-valid.csv."),
        (["--text", "txet"], "has no column 'txet' (--text). Did you mean 'text'?"),
        (["--bad-rows", "skipp"], "unknown policy for bad rows 'skipp'. Did you mean 'skip'?"),
        (["--format", "cvs"], "unknown format 'cvs'. Did you mean 'csv'?"),
        (["--encoding", "utf-9"], "unknown encoding 'utf-9'. Common ones: utf-8"),
        (["--device", "gpu"], "device 'gpu' cannot be used"),
        (["--resume"], "--resume goes on with the run in a directory; say which with --out."),
    ],
)
def test_mistyped(command: Command, flags: list[str], message: str) -> None:
    """A mistyped flag, name, key or value is an error that says what was probably meant; nothing is left behind."""
    out = [] if flags == ["--resume"] else ["--out", "run"]
    ended = command("fit", REVIEWS, *out, *flags)
    assert (ended.code, message in ended.err) == (2, True), ended.err
    assert "Traceback" not in ended.err
    assert not Path("run").exists()
    assert not Path("runs").exists()


def test_loss_of_another_task(command: Command, tmp_path: Path) -> None:
    """A loss that is not for the task is refused with those that are, and the place can be used again."""
    out = tmp_path / "run"
    ended = command("fit", STARS, "--loss", "cross_entropy", "--out", out)
    assert (ended.code, "it is not between numbers. Losses that are: huber, log_cosh" in ended.err) == (2, True)
    assert command("fit", STARS, "--loss", "mse", "--out", out, *SMALL, "-q").code == 0
