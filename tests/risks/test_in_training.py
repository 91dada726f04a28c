"""Risks in a fit: over whole steps, into the checkpoint and back, and refused where they cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import lossworks
from lossworks.core.errors import Interrupted, UnknownName, UsageError
from lossworks.engine import Callbacks, checkpoint, reduction
from lossworks.tasks import label_task
from lossworks.training import Settings, toml
from lossworks.training.resolving import for_examples

WORDS = ("good", "great", "fine", "nice", "lovely", "poor", "bad", "awful", "broken", "late")
BAG = "bag:dim=6,dropout=0.3,bits=8"


def rows(n: int = 240) -> list[tuple[str, str]]:
    """Three classes of very different size, told apart by their words, not always rightly."""
    chance = torch.Generator().manual_seed(0)
    found = []
    for number in range(n):
        label = 0 if number % 12 else 1 + number // 12 % 2
        word = torch.randint(0, 10, (4,), generator=chance).tolist()
        found.append((" ".join(WORDS[w if number % 5 == 0 else (w + 3 * label) % 5 + label] for w in word), "abc"[label]))
    return found


def weights(**choices: Any) -> dict[str, Tensor]:
    """The weights after a short fit."""
    chosen = {"model": BAG, "epochs": 3, "batch_size": 40, "valid": 0.0, "test": 0.0} | choices
    return lossworks.fit(rows(), **chosen).predictor.network.state_dict()


def same(one: dict[str, Tensor], other: dict[str, Tensor], within: float = 0.0) -> bool:
    """Equal, up to so much."""
    return all((one[name] - other[name]).abs().max() <= within for name in one)


@pytest.mark.parametrize("risk", ["mean", "cvar:alpha=0.3", "group_dro:step=0.5", "worst_group"])
@pytest.mark.parametrize("optimizer", ["adagrad:lr=0.1", "gradient_descent:lr=0.5"])
def test_a_step_is_whole_however_it_is_cut(risk: str, optimizer: str) -> None:
    """A step in several micro-batches has the risk of all its rows, not the mean of their risks."""
    choices = {"model": "linear:bits=8", "risk": risk, "optimizer": optimizer}
    whole = weights(**choices)
    assert same(weights(**choices, micro_batch=7), whole, within=1e-3)


def test_a_risk_for_each_micro_batch_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above fails where each micro-batch has a risk of its own."""
    choices = {"model": "linear:bits=8", "risk": "cvar:alpha=0.3", "optimizer": "gradient_descent:lr=0.5"}
    whole, slopes = weights(**choices), reduction.Reduction.slopes

    def at_once(self: reduction.Reduction, losses: Any) -> tuple[float, Tensor]:
        pieces = zip(losses.values.split(7), losses.weight.split(7), strict=True)
        found = [slopes(self, type(losses)(values, weight, None)) for values, weight in pieces]
        return sum(risk for risk, _ in found), torch.cat([each for _, each in found])

    monkeypatch.setattr(reduction.Reduction, "slopes", at_once)
    assert not same(weights(**choices, micro_batch=7), whole, within=1e-2)


def test_the_mean_is_the_limit() -> None:
    """CVaR over all of the weight trains as the mean does, and as no risk named does; over less of it, otherwise."""
    mean = weights(risk="mean")
    assert same(weights(), mean)
    assert same(weights(risk="cvar:alpha=1"), mean, within=1e-5)
    assert not same(weights(risk="cvar:alpha=0.2"), mean, within=1e-2)


@pytest.mark.parametrize("risk", ["worst_group", "group_dro:step=1"])
def test_the_smallest_class_is_learnt(risk: str) -> None:
    """With one text in 24 of a class, the risks over classes find most of its texts; the mean finds fewer."""
    found = {}
    for name in ("mean", risk):
        model = lossworks.fit(rows(), model="linear:bits=8", risk=name, epochs=4, batch_size=40, valid=0.0, test=0.0)
        texts = [text for text, label in rows() if label == "c"]
        found[name] = sum(answer == "c" for answer in model.predict(texts)) / len(texts)
    assert found[risk] > found["mean"] + 0.2


class _StopAfter:
    """Stops a fit at its n-th checkpoint."""

    def __init__(self, callbacks: Callbacks, count: int) -> None:
        self.callbacks, self.left = callbacks, count

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        self.left -= event == "checkpoint"
        if self.left == 0:
            self.callbacks.stop.set()


def interrupted(out: Path, risk: str) -> bytes:
    """The model of a fit that was stopped at every fifth checkpoint, and gone on with."""
    choices = {"model": BAG, "risk": risk, "epochs": 4, "batch_size": 40, "valid": 0.0}
    for _ in range(50):
        callbacks = Callbacks(checkpoint_every=0.0)
        callbacks.watch = _StopAfter(callbacks, 5)
        try:
            lossworks.fit(rows(), out=out, callbacks=callbacks, resume=True, **choices)
        except Interrupted:
            continue
        return (out / "model.safetensors").read_bytes()
    raise AssertionError("the fit never ended")


@pytest.mark.parametrize("risk", ["cvar:alpha=0.3", "group_dro:step=0.5"])
def test_resume_ends_in_the_same_bits(tmp_path: Path, risk: str) -> None:
    """Stopped again and again, a fit with a risk that remembers ends as one left alone."""
    choices = {"model": BAG, "risk": risk, "epochs": 4, "batch_size": 40, "valid": 0.0}
    lossworks.fit(rows(), out=tmp_path / "whole", callbacks=Callbacks(checkpoint_every=0.0), **choices)
    assert interrupted(tmp_path / "run", risk) == (tmp_path / "whole/model.safetensors").read_bytes()


def test_a_forgotten_state_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the groups' state in the checkpoint, the run would end otherwise."""
    choices = {"model": BAG, "risk": "group_dro:step=0.5", "epochs": 4, "batch_size": 40, "valid": 0.0}
    lossworks.fit(rows(), out=tmp_path / "whole", callbacks=Callbacks(checkpoint_every=0.0), **choices)
    load = checkpoint.load_newest

    def forgetful(*given: Any) -> Any:
        found = load(*given)
        if found is not None:
            found[0]["risk.state"].zero_()
        return found

    monkeypatch.setattr(checkpoint, "load_newest", forgetful)
    assert interrupted(tmp_path / "run", "group_dro:step=0.5") != (tmp_path / "whole/model.safetensors").read_bytes()


def test_where_there_are_no_classes() -> None:
    """Numbers and label sets have no one class a text: a risk over classes says so before anything is read, with the remedy."""
    numbers = [(text, float(len(text))) for text, _ in rows(60)]
    with pytest.raises(UsageError, match=r"the risk 'worst_group' compares the classes; the task regress has none"):
        lossworks.fit(numbers, task="regress", risk="worst_group")
    assert (
        lossworks.fit(numbers, task="regress", risk="cvar:alpha=0.5", epochs=1, model="linear:bits=8").metrics["mse"]["value"] > 0
    )


def test_class_weights_would_cancel() -> None:
    """A factor a class does nothing to a mean within the class, so it is refused; with the mean it is not."""
    with pytest.raises(UsageError, match=r"--class-weight has no effect on the risk 'group_dro'.*Leave one of them out"):
        weights(risk="group_dro", class_weight="balanced")
    weights(risk="cvar", class_weight="balanced", epochs=1)


def test_settings(tmp_path: Path) -> None:
    """A file spells it too; the record has its shortest spelling; a typo is refused at once."""
    (tmp_path / "fit.toml").write_text('risk = "cvar:alpha=0.20"\n')
    settings = toml(tmp_path / "fit.toml", {})
    assert isinstance(settings, Settings)
    assert for_examples(settings, label_task("classify", ("a", "b")), 100).risk == "cvar"
    with pytest.raises(UnknownName, match=r"unknown risk 'cvarr'. Did you mean 'cvar'"):
        Settings(risk="cvarr")
