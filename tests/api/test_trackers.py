"""Weights & Biases and MLflow beside the log, by fakes of what we call of them; and none of them ends a training."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import UsageError
from lossworks.engine import Callbacks

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]
SMALL: dict[str, Any] = {"model": "linear:bits=10", "epochs": 3, "patience": 3}


class Fake:
    """Notes what it is told, in the places of wandb's module, its run and its artifact, and of MLflow's client and values."""

    def __init__(self, fails: str = "") -> None:
        self.fails, self.told = fails, list[tuple[Any, ...]]()
        self.info, self.experiment_id = SimpleNamespace(run_id="r1"), "e1"

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            if name == self.fails:
                raise RuntimeError("the place is gone")
            self.told.append((name, args, named))
            return {"get_experiment_by_name": None, "create_experiment": "e1", "search_runs": [self]}.get(name, self)

        return call

    def calls(self, name: str) -> list[tuple[Any, ...]]:
        return [(args, named) for called, args, named in self.told if called == name]


@pytest.fixture
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Both packages, by one fake; ``fails``: what fails of it."""
    made = Fake(getattr(request, "param", ""))
    for name in ("wandb", "mlflow", "mlflow.entities", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name in ("init", "Settings", "Artifact"):
        setattr(sys.modules["wandb"], name, getattr(made, name))
    value = lambda *given: given  # noqa: E731
    vars(sys.modules["mlflow.entities"]).update(Metric=value, Param=value)
    vars(sys.modules["mlflow.tracking"]).update(MlflowClient=lambda uri: made.told.append(("client", (uri,), {})) or made)
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return made


def logged(run: Path, event: str, name: str) -> list[tuple[int, float]]:
    """What the run's own log has."""
    return [(each["step"], each[name]) for each in lossworks.load_run(run).events() if each["event"] == event]


def test_wandb(fake: Fake, tmp_path: Path) -> None:
    """Offline, in the run's directory: settings, every number by its step, final figures, and the finished report."""
    model = lossworks.fit(ROWS, out=tmp_path / "run", log="wandb", **SMALL)
    ((_, begun),) = fake.calls("init")
    assert (begun["mode"], begun["dir"], begun["config"]["loss"]) == ("offline", str(tmp_path / "run"), "cross_entropy")
    points = [(named["step"], numbers) for (numbers,), named in fake.calls("log")]
    assert [(step, one["valid/nll"]) for step, one in points if "valid/nll" in one] == logged(tmp_path / "run", "valid", "nll")
    assert points[-1][1]["test/accuracy"] == model.metrics["accuracy"]["value"]
    assert [step for step, _ in points] == sorted(step for step, _ in points)  # it takes no step twice, nor an earlier one
    assert [args for args, _ in fake.calls("add_file")] == [(str(tmp_path / "run/report.html"),)]
    assert fake.calls("finish") == [((), {"exit_code": 0})]


def test_mlflow(fake: Fake, tmp_path: Path) -> None:
    """A database in the run's directory: parameters once, metrics by step, the report, and how it ended."""
    notes: list[str] = []
    watch = Callbacks(watch=lambda event, fields: notes.append(fields["text"]) if event == "note" else None)
    lossworks.fit(ROWS, out=tmp_path / "run", log="mlflow", callbacks=watch, **SMALL)
    assert not [note for note in notes if "mlflow" in note]
    assert fake.calls("client") == [((f"sqlite:///{(tmp_path / 'run/mlflow/mlflow.db').resolve()}",), {})]
    batches = [named for _, named in fake.calls("log_batch")]
    assert ("loss", "cross_entropy") in [pair for named in batches for pair in named.get("params", [])]
    points = [(step, value) for named in batches for name, value, _, step in named.get("metrics", []) if name == "valid/nll"]
    assert points == logged(tmp_path / "run", "valid", "nll")
    assert [args for args, _ in fake.calls("log_artifact")] == [("r1", str(tmp_path / "run/report.html"))]
    assert fake.calls("set_terminated")[-1] == (("r1", "FINISHED"), {})


def test_resumed(fake: Fake, tmp_path: Path) -> None:
    """A run that was stopped is told as such, and goes on as the same run there."""

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "valid":
            raise KeyboardInterrupt

    asked = SMALL | {"out": tmp_path / "run", "log": "wandb,mlflow"}
    with pytest.raises(KeyboardInterrupt):
        lossworks.fit(ROWS, callbacks=Callbacks(watch=watch, checkpoint_every=0), **asked)
    assert fake.calls("finish") == [((), {"exit_code": 1})]
    lossworks.fit(ROWS, resume=True, **asked)
    first, again = (named["id"] for _, named in fake.calls("init"))
    assert first == again
    assert len(fake.calls("create_run")) == 1
    assert [args[1] for args, _ in fake.calls("set_terminated")] == ["FAILED", "RUNNING", "FINISHED"]


@pytest.mark.parametrize("fake", ["init", "log", "log_artifact", "finish"], indirect=True)
def test_a_failure_ends_nothing(fake: Fake, tmp_path: Path) -> None:
    """What fails there is told once; the training, the record and the other tracker go on."""
    notes: list[str] = []
    watch = Callbacks(watch=lambda event, fields: notes.append(fields["text"]) if event == "note" else None)
    model = lossworks.fit(ROWS, out=tmp_path / "run", log="wandb", callbacks=watch, **SMALL)
    assert [note for note in notes if "wandb" in note] == [
        "--log wandb ended (RuntimeError: the place is gone); training goes on without it"
    ]
    assert model.record["status"] == "finished"


def test_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package the extra is named, before anything begins."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"--log mlflow needs the package mlflow: pip install 'lossworks\[mlflow\]'"):
        lossworks.fit(ROWS, out=tmp_path / "run", log="tensorboard, mlflow")
    assert not (tmp_path / "run").exists()
