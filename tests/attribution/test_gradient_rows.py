"""Influence of rows on a network's losses to first order: exact for one small step, by any optimizer; other seeds judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.api.replayed import replayed
from lossworks.attribution.gradient_rows import Products, judged, obstacle
from lossworks.attribution.linear_rows import Losses
from lossworks.attribution.retrained_rows import outputs_of
from lossworks.core.seeds import derive
from lossworks.engine import Callbacks
from lossworks.training import Settings
from lossworks.training.refit import training

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
ASKED = ["a good red dog", "sad sad cat"]


def made(count: int = 24) -> list[tuple[str, str]]:
    """Rows whose first word tells the label."""
    chance = np.random.default_rng(1)
    texts = [chance.choice(WORDS, 3).tolist() for _ in range(count)]
    return [(" ".join(words), "yes" if words[0] in WORDS[:2] else "no") for words in texts]


CASES: dict[str, dict[str, Any]] = {
    "sgd": {"model": "bag:dim=4,hidden=3", "optimizer": "sgd:lr=1e-3"},
    "by rows": {"model": "bag:dim=4", "optimizer": "adagrad:lr=1e-5,initial=0.01"},
    "rnn": {"model": "rnn_encoder:dim=4,min_count=1,dropout=0,word_dropout=0", "optimizer": "sgd:lr=1e-3"},
    "transformer": {
        "model": "transformer_encoder:dim=4,heads=1,layers=1,min_count=1,dropout=0,word_dropout=0",
        "optimizer": "sgd:lr=1e-4",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_one_step(case: str, tmp_path: Path) -> None:
    """One small step on all rows moves each text's loss by what the rows' products add up to, whatever scales the step."""
    rows = made()
    how = {"valid": 0, "test": 0, "epochs": 1, "batch_size": len(rows), **CASES[case]}
    model = lossworks.fit(rows, out=tmp_path / "run", **how)
    asked, seen, before = model.predictor.prepared(ASKED), list[Products](), list[np.ndarray]()
    losses = Losses(model.predictor.task, np.array([1, 0]), 1.5)

    def observer(loop: Any, ends: Any) -> Products:
        before.append(losses(outputs_of(loop.objective.network.eval(), asked)))
        seen.append(Products(loop, asked, losses, ends[-1]))
        return seen[0]

    with replayed(tmp_path / "run", {"data": rows}, None, None, Callbacks(), "", observer) as again:
        assert again.is_exact  # the looks changed nothing
        moved = losses(outputs_of(again.done.network, asked)) - before[0]
        np.testing.assert_allclose(seen[0].influence.sum(0), moved, rtol=0.1)


def test_other_seeds(tmp_path: Path) -> None:
    """The rows chosen are those strongest in the run's own training; mean and interval are of the other trainings."""
    rows = made(40)
    lossworks.fit(rows, out=tmp_path / "run", model="bag:dim=4", epochs=3, valid=0, test=0)
    model, seen = lossworks.load(tmp_path / "run"), list[Products]()
    asked, losses = model.predictor.prepared(ASKED), Losses(model.predictor.task, np.array([1, 0]), 1.0)

    def observer(loop: Any, ends: Any) -> Products:
        seen.append(Products(loop, asked, losses, ends[-1]))
        return seen[0]

    with replayed(tmp_path / "run", {"data": rows}, None, None, Callbacks(), "", observer) as again:
        own, told = seen[0].influence, list[tuple[int, int]]()
        found = judged(again.done, own, asked, losses, 3, 2, lambda number, of: told.append((number, of)))
        assert told == [(1, 2), (2, 2)]
        for text in range(2):
            ranked = np.argsort(own[:, text], kind="stable")
            assert set(found.rows[found.chosen[:, text]]) == {*ranked[:3], *ranked[-3:]}
        by_seed = [self_made(again.done, asked, losses, seed)[found.rows] for seed in seeds_of(again.done.settings.seed)]
        np.testing.assert_allclose(found.mean, np.mean(by_seed, 0), rtol=1e-6, atol=1e-12)
        half = 12.7062 * np.abs(by_seed[0] - by_seed[1]) / 2  # Student's t with one degree of freedom
        np.testing.assert_allclose(found.half, half, rtol=1e-4, atol=1e-12)
        assert not np.allclose(by_seed[0], by_seed[1])


def seeds_of(seed: int) -> list[int]:
    """Those of the trainings that judge."""
    return [derive(seed, "rows", number) for number in range(2)]


def self_made(done: Any, asked: Any, losses: Losses, seed: int) -> np.ndarray:
    """Influence by a training with a seed."""
    loop = training(done.data, done.spec, done.loss, replace(done.settings, seed=seed), Callbacks())
    loop.last_epoch = done.kept.epochs
    seen = Products(loop, asked, losses, loop.objective.per_epoch * done.kept.epochs)
    loop.callbacks.stepped = seen
    loop.run()
    return seen.influence


def test_obstacles() -> None:
    """Where rows cannot be told apart, it is said why."""
    assert "searches along the loss" in obstacle(Settings(model="bag", optimizer="lbfgs"))
    assert "what a row weighs depends on the others" in obstacle(Settings(model="bag", optimizer="adam", risk="cvar:alpha=0.5"))
    assert obstacle(Settings(model="bag", optimizer="adam", penalty="l2:strength=0.1")) == ""
