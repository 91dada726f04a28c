"""Runs of every family, damaged: what is loaded is what was saved, or it is refused."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import lossworks
from lossworks import report
from lossworks.api import Language, evaluate
from lossworks.core.errors import LossworksError, RecordError
from lossworks.record.checksums import OPTIMIZER

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i % 7}", ("good", "bad")[i % 2]) for i in range(40)]
TEXTS = [text for text, _ in ROWS]
ASKED = ["a lovely thing", "number 3, a"]
LABELS: dict[str, dict[str, Any]] = {
    "linear": {"model": "linear:bits=10"},
    "bag": {"model": "bag:dim=4"},
    "encoder": {"model": "transformer:layers=1,heads=1,dim=8,context=16"},
    "generative": {"model": "ngram:order=2"},
    "hf_classifier": {"model": "hf_classifier:HF"},
}
LM: dict[str, dict[str, Any]] = {
    "ngram": {"model": "ngram:order=2"},
    "hmm": {"model": "hmm:states=2,iterations=2"},
    "rnn": {"model": "rnn:layers=1,dim=8", "tokenizer": "chars", "steps": 2},
    "transformer": {"model": "transformer:layers=1,heads=1,dim=8,context=16", "tokenizer": "bpe:size=270", "steps": 2},
    "hf": {"model": "hf:HF", "steps": 2},
}
FAMILIES = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers"))
    if name.startswith("hf")
    else name
    for name in (*LABELS, *LM)
]
BESIDE = {"run.json", "log.jsonl", "report.html"}
"""What a run holds besides its model."""
UMASK = 0o027


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``fitted(family)``: a small run, made once, under an unusual umask."""
    home = tmp_path_factory.mktemp("families")

    def fit(family: str) -> Path:
        out = home / family
        if not out.exists():
            choices = (LABELS | LM)[family]
            if "HF" in choices["model"]:
                if not (home / "exported").exists():
                    lossworks.export(lossworks.load(fit("transformer")), home / "exported", to="hf")
                choices = choices | {"model": choices["model"].replace("HF", str(home / "exported"))}
            before = os.umask(UMASK)
            try:
                data: Any = TEXTS if family in LM else ROWS
                more: dict[str, Any] = {"task": "lm"} if family in LM else {} if family == "generative" else {"epochs": 1}
                lossworks.fit(data, out=out, **choices, **more)
            finally:
                os.umask(before)
        return out

    return fit


@pytest.fixture
def copied(fitted: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """``copied(family)``: a copy, to be damaged; of ``earlier`` versions, which wrote no checksums."""

    def copy(family: str, *, earlier: bool = False) -> Path:
        run = tmp_path / family
        shutil.copytree(fitted(family), run)
        if earlier:
            record = json.loads((run / "run.json").read_text("utf-8"))
            del record["files"]
            (run / "run.json").write_text(json.dumps(record), "utf-8")
        return run

    return copy


def files(run: Path) -> list[Path]:
    """Every file of a run but the report, which nothing reads."""
    return sorted(path for path in run.rglob("*") if path.is_file() and path.name != "report.html")


def answers(run: Path) -> list[Any]:
    """What the model in a directory says."""
    model = lossworks.load(run)
    if isinstance(model, Language):
        return [[row.nats.tolist() for row in model.score(ASKED)], model.next("a"), model.generate("a", max_new_tokens=3)]
    return [model.labels, model.predict(ASKED), model.predict_proba(ASKED).tolist()]


@pytest.mark.parametrize("family", FAMILIES)
def test_flipped_bits(copied: Callable[..., Path], family: str) -> None:
    """One bit, anywhere in any file: the same answers or an error that names the run; in a file of the model always the error."""
    run, rng = copied(family), np.random.default_rng(0)
    wanted = answers(run)
    for turn in range(max(20, len(files(run)))):
        path = files(run)[turn % len(files(run))]
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            assert answers(run) == wanted
            assert path.name in BESIDE or path.parent.name == OPTIMIZER
        except LossworksError as error:
            assert str(run) in str(error)  # noqa: PT017
        path.write_bytes(whole)
    assert answers(run) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_files(fitted: Callable[[str], Path], copied: Callable[..., Path], tmp_path: Path, family: str) -> None:
    """Each has a checksum, the mode that umask gives, and the same bytes when it is saved again; runs without checksums load."""
    run = fitted(family)
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names - BESIDE == set(lossworks.load_run(run).summary["files"])
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [run, *run.rglob("*")]}
    assert modes <= {(True, 0o777 & ~UMASK), (False, 0o666 & ~UMASK)}
    model = lossworks.load(run)
    (tmp_path / "again").mkdir()
    (model.trained if isinstance(model, Language) else model.predictor).save(tmp_path / "again")
    for path in (tmp_path / "again").rglob("*.safetensors"):
        assert path.read_bytes() == (run / path.relative_to(tmp_path / "again")).read_bytes()
    assert answers(copied(family, earlier=True)) == answers(run)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("family", FAMILIES)
def test_not_finite(copied: Callable[..., Path], family: str, value: float) -> None:
    """A weight that is no number is refused, checksum or not, with the name of its file."""
    run = copied(family, earlier=True)
    path = next(path for path in files(run) if path.name == "model.safetensors")
    with safe_open(path, "pt") as file:
        tensors, notes = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    last = [name for name, tensor in tensors.items() if tensor.is_floating_point()][-1]
    tensors[last].view(-1)[-1] = value
    save_file(tensors, path, notes)
    with pytest.raises(RecordError, match=rf"{path.parent}.*not finite"):
        lossworks.load(run)


def keys(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every key, of lists to those of their first item."""
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            yield (*above, key)
        yield from keys(item, (*above, key))


def without(value: Any, way: tuple[Any, ...]) -> Any:
    """A copy that lacks one key."""
    copy = json.loads(json.dumps(value))
    at = copy
    for key in way[:-1]:
        at = at[key]
    del at[way[-1]]
    return copy


@pytest.mark.parametrize("family", ["linear", "ngram"])
def test_a_record_without_a_key(copied: Callable[..., Path], family: str) -> None:
    """Whatever key ``run.json`` lacks, everything works without it, or the error names the file and the key."""
    run = copied(family)
    path, wanted = run / "run.json", answers(run)
    record = json.loads(path.read_text("utf-8"))
    named = 0
    for way in keys(record):
        path.write_text(json.dumps(without(record, way)), "utf-8")
        try:
            assert answers(run) == wanted
            evaluate(lossworks.load(run), ROWS[:2] if family in LABELS else TEXTS[:2])
            report.write(run)
        except RecordError as error:
            named += 1
            assert (str(path) in str(error), str(way[-1]) in str(error)) == (True, True), (way, error)  # noqa: PT017
    assert named > 20


@pytest.mark.parametrize("family", FAMILIES)
def test_other_files_without_a_key(copied: Callable[..., Path], family: str) -> None:
    """A key fewer, or none at all, in any JSON file of the model: it loads, or the error is ours and names the run; in files of a
    form of our own it names the file and the key.
    """
    run = copied(family, earlier=True)
    refused = 0
    for path in (path for path in files(run) if path.suffix == ".json" and path.name != "run.json"):
        whole = path.read_text("utf-8")
        value = json.loads(whole)
        ways = [way for way in keys(value) if "vocab" not in way[:-1]]
        lacking = [(json.dumps(without(value, way)), str(way[-1])) for way in ways]
        for content, key in (*lacking, ("[]", ""), ("null", ""), ("3", ""), ("{", "")):
            path.write_text(content, "utf-8")
            try:
                answers(run)
            except LossworksError as error:
                refused += 1
                ours = path.name == "classes.json" or path == run / "config.json"
                assert (f"{path} is damaged: it lacks {key}" if ours and key else str(run)) in str(error)  # noqa: PT017
        path.write_text(whole, "utf-8")
    assert refused > 5
