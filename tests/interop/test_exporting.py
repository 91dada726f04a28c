"""Exports are whole or not there: over what exists, into a file, on a disk that takes no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.interop import exporting, llama

TEXTS = ["the cat sat", "a dog ran", "the dog sat"] * 20


@pytest.fixture(scope="module")
def model() -> Any:
    """A small Transformer."""
    spec = "transformer:layers=1,dim=8,heads=2,context=8"
    return lossworks.fit(TEXTS, task="lm", model=spec, tokenizer="chars", steps=2)


@pytest.mark.parametrize("tokenizer", ["bpe:size=270", "bytes", "chars"])
@pytest.mark.parametrize("unit", ["line", "file"])
def test_scores_after_export_and_import(tmp_path: Path, tokenizer: str, unit: str) -> None:
    """They are those before, the end of a text counted where the model predicts it and else not."""
    spec = "transformer:layers=1,dim=8,heads=2,context=8"
    data = TEXTS if unit == "line" else ["".join(f"{text}\n" for text in TEXTS)]
    model = lossworks.fit(data, task="lm", model=spec, tokenizer=tokenizer, document_unit=unit, steps=2)
    lossworks.export(model, tmp_path / "hf", to="hf")
    back = lossworks.import_model(tmp_path / "hf", tmp_path / "back")
    assert back.document_unit == unit
    same_scores(model, back)
    same_scores(model, lossworks.load(tmp_path / "back"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("more", ["", ",lora=2"])
def test_scores_of_what_was_fitted_further(model: Any, tmp_path: Path, more: str) -> None:
    """The same of a model of transformers: as it is ("hf:PATH"), and fitted further, whole or by adapters, and exported again."""
    pytest.importorskip("peft" if more else "transformers")
    lossworks.export(model, tmp_path / "hf", to="hf")
    same_scores(model, lossworks.load(f"hf:{tmp_path / 'hf'}"))
    further = lossworks.fit(TEXTS, task="lm", model=f"hf:{tmp_path / 'hf'}{more}", steps=2, lr=0.1)
    lossworks.export(further, tmp_path / "again", to="hf")
    same_scores(further, lossworks.load(f"hf:{tmp_path / 'again'}"))
    if not more:
        same_scores(further, lossworks.import_model(tmp_path / "again", tmp_path / "back"))


def same_scores(model: Any, other: Any) -> None:
    """Both say the same of texts, one of them beyond the context."""
    texts = ["the cat sat", "a dog", "", "the dog sat the cat sat"]
    for one, two in zip(model.score(texts), other.score(texts), strict=True):
        assert one.nats == pytest.approx(two.nats, abs=1e-5)


def test_the_end_of_a_name_says_the_format(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python as by the command: ONNX, quantised or not, where the path ends so; what is asked for goes before."""
    written: list[str] = []
    monkeypatch.setattr(exporting, "export_onnx", lambda network, path: written.append(path.name))
    lossworks.export(model, tmp_path / "a.onnx")
    lossworks.export(model, tmp_path / "b", to="onnx")
    lossworks.export(model, tmp_path / "c.onnx", to="hf")
    assert written == ["a.onnx", "b"]
    assert (tmp_path / "c.onnx/config.json").exists()
    assert exporting.format_of("x.onnx", None, "run") == "onnx"
    assert [exporting.format_of("x", to, "run") for to in (None, "onnx")] == ["run", "onnx"]


def listed(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_over_another_export(model: Any, tmp_path: Path) -> None:
    """It is replaced as a whole, what the new one has not is gone; an empty folder is filled."""
    (tmp_path / "out").mkdir()
    lossworks.export(model, tmp_path / "out", to="hf")
    whole = listed(tmp_path)
    (tmp_path / "out/stale.bin").write_text("old")
    lossworks.export(model, tmp_path / "out", to="hf")
    assert listed(tmp_path) == whole


def test_where_something_else_stands(model: Any, tmp_path: Path) -> None:
    """A file, and a folder that is no export, are left as they are, and named."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.txt").write_text("mine")
    before = listed(tmp_path)
    for name in ("file", "folder"):
        with pytest.raises(UsageError, match=f"{name} exists, and is nothing that can be replaced"):
            lossworks.export(model, tmp_path / name, to="hf")
    assert listed(tmp_path) == before


@pytest.mark.parametrize("to", ["hf", "onnx"])
def test_a_disk_that_takes_no_more(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """The export before is still there, nothing half written is, and the error is ours."""
    out = tmp_path / "out"
    lossworks.export(model, out, to=to)
    before = listed(tmp_path)

    def full(*of: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(llama, "write_json", full)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecordError, match="No space left"):
        lossworks.export(model, out, to=to)
    assert listed(tmp_path) == before
    assert exporting.FORMATS == ("arpa", "hf", "onnx", "html", "js", "run")  # the last three in test_quantizing


def test_without_a_tokenizer(tmp_path: Path) -> None:
    """What was exported without its tokenizer, as words have no form of Hugging Face's, is not read back; and that is why."""
    model = lossworks.fit(TEXTS, task="lm", model="transformer:layers=1,dim=8,heads=2,context=8", tokenizer="words", steps=2)
    lossworks.export(model, tmp_path / "hf", to="hf")
    with pytest.raises(DataError, match=r"has no tokenizer\.json, .* use the run that it was exported from"):
        lossworks.import_model(tmp_path / "hf", tmp_path / "back")
    assert not (tmp_path / "back").exists()
