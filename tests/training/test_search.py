"""The search for a learning rate: it finds the best of a fine grid, out of a bad start too, and a resumed run has it already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import Interrupted, UsageError
from lossworks.engine import Callbacks

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
SMALL: dict[str, Any] = {"model": "linear:bits=12,chars=3", "epochs": 4}


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the rows, for each search trains a dozen times."""
    lines = REVIEWS.read_text("utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    path.write_text("".join(lines[:1] + lines[1::3]), "utf-8")
    return path


@pytest.mark.parametrize(("optimizer", "starts"), [("adagrad", (3e4,)), ("adam", (1e-5,))])
def test_finds_the_best(optimizer: str, starts: tuple[float, ...], reviews: Path) -> None:
    """No rate of a fine grid does better on the held-out rows by more than a hundredth; the record holds all trials."""
    heights: list[float] = []

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "valid":
            heights[-1] = min(heights[-1], fields["nll"])

    for power in range(-4, 3):
        heights.append(float("inf"))
        lossworks.fit(reviews, optimizer=optimizer, lr=10 ** (power / 2), callbacks=Callbacks(watch=watch), **SMALL)
    for start in starts:
        found = lossworks.fit(reviews, optimizer=f"{optimizer}:lr={start}", lr="auto", **SMALL).record
        search = found["result"]["lr_search"]
        scores = {trial["lr"]: trial["score"] for trial in search["trials"]}
        assert search["metric"] == "nll"
        assert search["chosen"] == min((lr for lr in scores if scores[lr] is not None), key=scores.__getitem__)
        assert found["config"]["lr"] == search["chosen"]
        assert f"lr={search['chosen']}" in found["config"]["optimizer"]
        assert scores[search["chosen"]] <= min(heights) + 0.01


def test_the_bad_ends_are_told(reviews: Path) -> None:
    """A rate at which training diverges counts against the rate, and is listed with the reason."""
    search = lossworks.fit(reviews, optimizer="sgd:lr=1e37", lr="auto", **SMALL).record["result"]["lr_search"]
    bad = [trial for trial in search["trials"] if trial["score"] is None]
    assert {trial["note"] for trial in bad} == {"diverged"}
    assert all(search["chosen"] < trial["lr"] for trial in bad)


def test_needs_rows_to_judge_by() -> None:
    """Without held-out rows there is nothing to judge rates by."""
    with pytest.raises(UsageError, match=r"held-out.*--valid"):
        lossworks.fit(REVIEWS, lr="auto", valid=0, **SMALL)


def test_a_resumed_run_does_not_search_again(tmp_path: Path, reviews: Path) -> None:
    """Stopped while training and resumed, a run has the rate that was found and ends in the same bits."""
    searched: list[int] = []
    lossworks.fit(reviews, out=tmp_path / "whole", lr="auto", **SMALL)
    for resume in (False, True):
        callbacks = Callbacks(checkpoint_every=0.0)

        def watch(event: str, fields: dict[str, Any], callbacks: Callbacks = callbacks, again: bool = resume) -> None:
            searched.append(1) if event == "search" else None
            if event == "valid" and not again:
                callbacks.stop.set()

        callbacks.watch = watch
        if not resume:
            with pytest.raises(Interrupted):
                lossworks.fit(reviews, out=tmp_path / "cut", lr="auto", callbacks=callbacks, **SMALL)
            trials = len(searched)
        else:
            lossworks.fit(reviews, out=tmp_path / "cut", lr="auto", callbacks=callbacks, resume=True, **SMALL)
    assert trials == len(searched) > 8
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]
    records = [json.loads((tmp_path / name / "run.json").read_text("utf-8")) for name in ("whole", "cut")]
    assert records[0]["config"] == records[1]["config"]
    assert records[0]["result"]["lr_search"] == records[1]["result"]["lr_search"]
