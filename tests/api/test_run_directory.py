"""A run directory as somebody else may have left it: truncated, garbage, malicious. Nothing in it is ever executed."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lossworks
from lossworks.api.recording import Recorder
from lossworks.core.errors import Interrupted, LossworksError, RecordError, UsageError
from lossworks.engine import Callbacks

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]


class _Trap:
    """Executes code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a finished run, without the checksums that stand before every other check (``test_damage.py``)."""
    out = tmp_path_factory.mktemp("run") / "run"
    lossworks.fit(ROWS, model="linear:bits=10", epochs=2, out=out)
    record = json.loads((out / "run.json").read_bytes())
    del record["files"]
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} | {"run.json": json.dumps(record).encode()}


@pytest.fixture
def run(finished: dict[str, bytes], tmp_path: Path) -> Path:
    """A copy of a finished run, to be spoilt."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in finished.items():
        (folder / name).write_bytes(content)
    return folder


FILES = ("run.json", "config.json", "model.safetensors")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("spoil", ["missing", "empty", "cut", "garbage", "pickle", "torch", "folder"])
def test_spoilt(run: Path, name: str, spoil: str) -> None:
    """Each spoilt file is an error that names it, and a pickle in its place stays unread."""
    path, sprung = run / name, run / "sprung"
    whole = path.read_bytes()
    path.unlink()
    if spoil == "torch":
        torch.save(_Trap(sprung), path)
    elif spoil == "folder":
        path.mkdir()
    elif spoil != "missing":
        content = {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "garbage": b"\xff\x00" * 99,
            "pickle": pickle.dumps(_Trap(sprung)),
        }
        path.write_bytes(content[spoil])
    with pytest.raises(RecordError, match=name):
        lossworks.load(run)
    assert not sprung.exists()


@pytest.mark.parametrize("key", ["format", "task", "labels", "center", "model", "temperature", "thresholds"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}])
def test_meddled_config(run: Path, key: str, value: object) -> None:
    """A config.json with a value of another kind loads as what it says, or is refused; it never crashes."""
    path = run / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    try:
        lossworks.load(run)
    except LossworksError as error:
        assert "config.json" in str(error)  # noqa: PT017


def test_files_are_open_formats(run: Path) -> None:
    """A finished run holds these files and no others."""
    assert {path.name for path in run.iterdir()} == {*FILES, "log.jsonl", "report.html"}


def test_wrong_calls(run: Path) -> None:
    """One text for a list, text that is none, an unknown choice: each is named."""
    model = lossworks.load(run)
    with pytest.raises(UsageError, match="got one text, 'fine'; wanted a list"):
        model.predict("fine")
    with pytest.raises(UsageError, match="text number 2 is 5, a int; wanted text"):
        model.predict(["fine", 5])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"unknown argument of fit: 'epoch'. Did you mean 'epochs'\?"):
        lossworks.fit(ROWS, epoch=3)
    with pytest.raises(UsageError, match="--resume goes on with the run in a directory"):
        lossworks.fit(ROWS, resume=True)


def test_loaded_answers_alike(run: Path) -> None:
    """A model says the same from memory and from its directory."""
    model = lossworks.fit(ROWS, model="linear:bits=10", epochs=2)
    texts = ["a lovely thing", "awful", ""]
    assert lossworks.load(run).predict_proba(texts).tolist() == model.predict_proba(texts).tolist()


@pytest.mark.parametrize("model", ["linear:bits=10", "ngram:order=2", "hmm:states=2,iterations=2", "rnn:layers=1,dim=8"])
@pytest.mark.parametrize(
    ("error", "when"), [(RuntimeError("boom"), "rows"), (ValueError("boom"), "read"), (SystemExit(7), "read")]
)
def test_any_error_leaves_a_final_status(tmp_path: Path, model: str, error: BaseException, when: str) -> None:
    """Whatever ends a run, its record says that it ended, and why; resumed, it is finished."""
    rows: Any = [(f"a {n % 7} b", "xy"[n % 2]) for n in range(60)]
    choices: dict[str, Any] = {"model": model}
    if not model.startswith("linear"):
        rows, choices = [text for text, _ in rows], {"model": model, "task": "lm", "tokenizer": "chars"}
        choices |= {"steps": 4} if model.startswith("rnn") else {}

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == when:
            raise error

    with pytest.raises(type(error)):
        lossworks.fit(rows, out=tmp_path / "run", callbacks=Callbacks(watch=watch), **choices)
    if (tmp_path / "run/run.json").exists():  # where nothing had begun, nothing is left
        summary = lossworks.load_run(tmp_path / "run").summary
        assert (summary["status"], summary["error"].split(":")[0]) == ("failed", type(error).__name__)
    assert lossworks.fit(rows, out=tmp_path / "run", resume=True, **choices).record["status"] == "finished"


def test_killed_once_finished(run: Path) -> None:
    """What a kill between the last record and the end left of checkpoints goes when the run is told that it is finished."""
    (run / "checkpoints").mkdir()
    for name in ("step-000000000004.safetensors", "plan.json"):
        (run / "checkpoints" / name).write_bytes(b"x")
    (run / "run.json.lock").touch()
    with pytest.raises(UsageError, match="is finished"):
        lossworks.fit(ROWS, model="linear:bits=10", epochs=2, out=run, resume=True)
    assert not (run / "checkpoints").exists()
    assert not (run / "run.json.lock").exists()


class _Fitted:
    """What a work that takes no time has made."""

    def __init__(self) -> None:
        self.result = {"seconds": 0.0}

    def save(self, folder: Path) -> None:
        (folder / "config.json").write_text("{}")


def test_two_fits_into_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that began when nothing was there, the later leaves the run of the first as it is; so do two that resume."""
    monkeypatch.setattr("lossworks.api.recording.report.write", lambda path, summary=None: path)

    def recorder(*, resume: bool = False) -> Recorder:
        return Recorder(tmp_path / "run", {"model": "x"}, Callbacks(), None, resume)

    def work(callbacks: Callbacks, scratch: Path) -> _Fitted:
        callbacks.watch("data", {"fingerprint": "f", "config": {}, "task": "lm", "labels": None})
        callbacks.watch("start", {})
        return _Fitted()

    def stopped(callbacks: Callbacks, scratch: Path) -> _Fitted:
        work(callbacks, scratch)
        raise Interrupted("stopped")

    first, second = recorder(), recorder()
    with pytest.raises(Interrupted):
        first.record(stopped)
    before = (tmp_path / "run/run.json").read_bytes()
    with pytest.raises(UsageError, match="already holds a run"):
        second.record(work)
    assert (tmp_path / "run/run.json").read_bytes() == before
    with pytest.raises(RecordError, match="is not finished: it is interrupted"):
        lossworks.load(tmp_path / "run")
    first, second = recorder(resume=True), recorder(resume=True)
    first.record(work)
    before = (tmp_path / "run/run.json").read_bytes()
    with pytest.raises(UsageError, match="is finished"):
        second.record(work)
    assert (tmp_path / "run/run.json").read_bytes() == before


def test_removed_while_it_runs(tmp_path: Path) -> None:
    """Where somebody removes the folder, whatever is written next is an error of ours, temporary files among them."""

    def work(callbacks: Callbacks, scratch: Path) -> Any:
        shutil.rmtree(tmp_path / "run")
        return (scratch / "x").write_text("")

    with pytest.raises(RecordError, match=r"cannot write .*run: No such file or directory"):
        Recorder(tmp_path / "run", {}, Callbacks(), None, False).record(work)
