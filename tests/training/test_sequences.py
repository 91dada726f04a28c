"""Training of networks over tokens: what a step's rows are, what divides the loss, when it ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lossworks.core.errors import DataError, Diverged, UsageError
from lossworks.data import Ragged, TokenRows
from lossworks.data.layouts import Positions, Windows
from lossworks.engine import Callbacks
from lossworks.models import LanguageModel, SequenceNetwork
from lossworks.optim import optimizers
from lossworks.scores import Scores, dense
from lossworks.tokens import Vocabulary
from lossworks.training import sequences
from lossworks.training.sequences import train_sequences

V = 7
VOCABULARY = Vocabulary(V)


class Bigram(SequenceNetwork):
    """A table of scores of each token after each: the smallest network of the kind."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Linear(V, V, bias=False, dtype=torch.float64)
        nn.init.zeros_(self.table.weight)
        self.dropout = nn.Dropout(dropout)
        self.seen: list[torch.Tensor] = []

    def model(self) -> LanguageModel:
        raise NotImplementedError

    def scores(self, rows: TokenRows, teacher: Any = None) -> Scores:
        self.seen.append(rows.lengths)
        one_hot = nn.functional.one_hot(rows.given(VOCABULARY.start)[rows.inside], V).double()
        return dense(self.table(self.dropout(one_hot)), rows.ids[rows.inside], teacher=teacher)


def texts(lengths: list[int], seed: int = 0) -> Ragged:
    """Texts in which each token mostly follows the one that is smaller by one."""
    rng = np.random.default_rng(seed)
    ids = [3 + (start + np.arange(size)) % (V - 3) for size in lengths for start in [rng.integers(9)]]
    flat = np.concatenate([*ids, []]).astype(np.uint32)
    flat[rng.random(len(flat)) < 0.1] = 3
    return Ragged(flat, np.cumsum([0, *lengths]))


TEXTS = texts([5, 9, 0, 20, 1, 13, 8, 8, 2, 30])


def trained(texts: Ragged = TEXTS, **settings: Any) -> tuple[Bigram, Any]:
    """A network after training, and the progress that came back."""
    network = Bigram()
    return network, train_sequences(network, texts, VOCABULARY, **settings)


def laid(rows: Any, epoch: int = 0) -> list[list[int]]:
    """What each row holds, the token before it first."""
    found = rows.take(np.arange(len(rows)), epoch)
    return [[int(before), *row[:size].tolist()] for before, row, size in zip(found.before, found.ids, found.lengths, strict=True)]


def test_the_gradient_of_all_tokens() -> None:
    """One step of gradient descent on everything is the table of counts: each token weighs the same, whatever its row."""
    network, progress = trained(optimizer="gradient_descent:lr=1", epochs=1)
    gradient = np.zeros((V, V))
    for row in laid(Windows(Positions.of(TEXTS, VOCABULARY, True), 256)):
        for before, token in pairwise(row):
            gradient[:, before] += 1 / V
            gradient[token, before] -= 1
    np.testing.assert_allclose(network.table.weight.detach(), -gradient / 106, atol=1e-12)
    assert progress.step == 1


@pytest.mark.parametrize("settings", [{"optimizer": "adam:lr=0.1", "clip": 0.5}, {"optimizer": "lbfgs"}, {"optimizer": "sophia"}])
def test_micro_batches_change_nothing(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A step whose scores do not fit into memory at once is made in parts, with the same result (but for what is drawn)."""
    whole, _ = trained(epochs=3, batch_tokens=60, **settings)
    monkeypatch.setattr(sequences, "SCORES", V * 10)
    parts, _ = trained(epochs=3, batch_tokens=60, **settings)
    assert len(parts.seen) > 2 * len(whole.seen)
    if settings["optimizer"] != "sophia":
        np.testing.assert_allclose(parts.table.weight.detach(), whole.table.weight.detach(), atol=1e-10)


def test_the_same_again() -> None:
    """A seed gives the same bits, dropout included; another one others; PyTorch's own random numbers are left alone."""
    one, two, other = (Bigram(dropout=0.3) for _ in range(3))
    before = torch.get_rng_state()
    for network, seed in ((one, 1), (two, 1), (other, 2)):
        train_sequences(network, TEXTS, VOCABULARY, batch_tokens=30, epochs=2, seed=seed)
    assert torch.equal(one.table.weight, two.table.weight)
    assert not torch.equal(one.table.weight, other.table.weight)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", [entry.name for entry in optimizers])
def test_every_optimiser(name: str) -> None:
    """Whatever it asks for (all rows at once, a closure, curvature), it lowers the held-out nll."""
    valid = texts([20, 20], seed=3)
    network, progress = trained(valid=valid, optimizer=name, epochs=6, batch_tokens=40)
    assert progress.best < np.log(V) - 1e-4
    with torch.no_grad():
        logp = network.scores(Windows(Positions.of(valid, VOCABULARY, True), 256).take(np.arange(2), 0)).logp
    assert -logp.mean().item() == pytest.approx(progress.best, rel=1e-12)


@pytest.mark.parametrize(
    "loss", ["focal", "mse", "cross_entropy:label_smoothing=0.1", "cross_entropy+0.01*z_loss", "class_balanced"]
)
def test_other_losses(loss: str) -> None:
    """Any loss over outcomes trains, those that ask for counts included; the nll still judges."""
    _, progress = trained(valid=texts([20, 20], seed=3), loss=loss, optimizer="adam:lr=0.05", epochs=4)
    assert progress.best < np.log(V)


def test_ends_early_with_the_best_weights() -> None:
    """Training ends when the held-out score has not fallen for a while; the weights are those of the best epoch."""
    told: list[tuple[str, dict[str, Any]]] = []
    valid = texts([6], seed=11)
    callbacks = Callbacks(watch=lambda *what: told.append(what))
    network, progress = trained(texts([4, 4]), valid=valid, optimizer="adam:lr=0.3", epochs=100, patience=3, callbacks=callbacks)
    scores = [fields["nll"] for event, fields in told if event == "valid"]
    assert scores == progress.scores
    assert progress.epoch == len(scores) < 100
    assert progress.best == min(scores)
    assert progress.best_epoch == len(scores) - 3
    assert "early" in progress.stopped
    assert {event for event, _ in told} == {"train", "valid", "note"}
    (note,) = (fields["text"] for event, fields in told if event == "note")
    assert note.startswith("overfitting: the held-out loss rose from")
    rows = Windows(Positions.of(valid, VOCABULARY, True), 256)
    found = -network.scores(rows.take(np.array([0]), 0)).logp.mean().item()
    assert found == pytest.approx(progress.best, rel=1e-12)


def test_average_of_weights_and_schedule() -> None:
    """What is judged and left behind is the average where one is asked for; the schedule counts steps, epochs and tokens."""
    _, plain = trained(valid=texts([20], seed=3), epochs=3)
    _, averaged = trained(valid=texts([20], seed=3), epochs=3, ema=0.9)
    assert plain.scores != averaged.scores
    rates: list[float] = []
    trained(
        epochs=2, batch_tokens=30, schedule="linear:warmup=1epochs", optimizer="sgd:lr=1",
        callbacks=Callbacks(watch=lambda event, fields: rates.append(fields["lr"]) if event == "train" else None),
    )  # fmt: skip
    assert rates[-1] < max(rates) <= 1


def test_not_finite() -> None:
    """A loss that is no number stops training before the weights take it up."""
    network = Bigram()
    network.table.weight.data[:] = float("nan")
    with pytest.raises(Diverged, match="step 1"):
        train_sequences(network, TEXTS, VOCABULARY)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"loss": "dpo"}, UsageError, "outcomes"), ({"loss": "z_loss"}, UsageError, "target"),
        ({"loss": "hubber"}, UsageError, "huber"),
        ({"window": 0}, UsageError, "window"), ({"epochs": 0}, UsageError, "epochs"), ({"clip": -1.0}, UsageError, "clip"),
        ({"texts": texts([])}, DataError, "no tokens"),
    ],
)  # fmt: skip
def test_wrong_settings(settings: dict[str, Any], error: type[Exception], said: str) -> None:
    """What does not fit is named."""
    with pytest.raises(error, match=said):
        trained(**settings)
