"""TensorBoard's files beside the log, read back with TensorBoard's own reader."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import UsageError
from lossworks.engine import Callbacks

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]
SMALL: dict[str, Any] = {"model": "linear:bits=10", "epochs": 3, "patience": 3}


def told(run: Path) -> Any:
    """What TensorBoard reads of the run."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard here")
    read = accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    return read.Reload()


def curve(read: Any, tag: str) -> list[tuple[int, float]]:
    """A tag's steps and values."""
    return [(point.step, point.value) for point in read.Scalars(tag)]


def noted(run: Path, event: str, name: str) -> list[tuple[int, Any]]:
    """The same of the log."""
    return [(e["step"], pytest.approx(e[name], rel=1e-6)) for e in lossworks.load_run(run).events() if e["event"] == event]


def check(run: Path) -> None:
    """Every curve is what the log says, step by step."""
    read, events = told(run), lossworks.load_run(run).events()
    assert curve(read, "train/gradient_norm")
    for event in ("train", "valid"):
        names = {name for e in events if e["event"] == event for name, value in e.items() if isinstance(value, float)}
        for name in names - {"epoch", "gradient_norm"}:
            assert curve(read, f"{event}/{name}") == noted(run, event, name), name
    assert {"train/loss", "train/lr", "valid/nll", "valid/loss"} <= set(read.Tags()["scalars"])


def test_what_the_log_says(tmp_path: Path) -> None:
    """Losses, rates, norms and held-out figures are the log's at the same steps; settings are text; the end's figures follow."""
    model = lossworks.fit(ROWS, out=tmp_path / "run", log="tensorboard", schedule="cosine", **SMALL)
    check(tmp_path / "run")
    read = told(tmp_path / "run")
    ((_, accuracy),) = curve(read, "test/accuracy")
    assert accuracy == pytest.approx(model.metrics["accuracy"]["value"])
    (settings,) = read.Tensors("settings/text_summary")
    text = settings.tensor_proto.string_val[0].decode()
    assert "| schedule | cosine |" in text
    assert "| loss | cross_entropy |" in text


def test_resumed(tmp_path: Path) -> None:
    """What a resumed run did again is shown once."""

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "valid":  # a step beyond the last checkpoint
            raise KeyboardInterrupt

    asked = SMALL | {"out": tmp_path / "run", "log": "tensorboard"}
    with pytest.raises(KeyboardInterrupt):
        lossworks.fit(ROWS, callbacks=Callbacks(watch=watch, checkpoint_every=0), **asked)
    lossworks.fit(ROWS, resume=True, **asked)
    assert len(list((tmp_path / "run/tensorboard").iterdir())) == 2
    check(tmp_path / "run")


def test_models_of_language(tmp_path: Path) -> None:
    """Expectation maximization is drawn by iteration."""
    texts = [text for text, _ in ROWS]
    lossworks.fit(texts, task="lm", model="hmm:states=2,iterations=3", out=tmp_path / "run", log="tensorboard")
    events = [e for e in lossworks.load_run(tmp_path / "run").events() if e["event"] == "iteration"]
    drawn = curve(told(tmp_path / "run"), "iteration/nll")
    assert drawn == [(e["iteration"], pytest.approx(e["nll"], rel=1e-6)) for e in events]


def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, without a place and by another name: each is said, and nothing is left."""
    with pytest.raises(UsageError, match=r"unknown log 'tensorbord'. Did you mean 'tensorboard'"):
        lossworks.fit(ROWS, out=tmp_path / "run", log="tensorbord")
    with pytest.raises(UsageError, match="say which with --out"):
        lossworks.fit(ROWS, log="tensorboard")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"pip install 'lossworks\[tensorboard\]'"):
        lossworks.fit(ROWS, out=tmp_path / "run", log="tensorboard")
    assert not (tmp_path / "run").exists()
