"""Models in few bytes: what is left is what was asked for, answers nearly as before, and what it changed is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.api.paired import paired_labels
from lossworks.core.errors import RecordError, UsageError
from lossworks.data import load
from lossworks.inference.quantized import FILE, Table, pack, restored, unpack
from lossworks.interop.quantizing import quantize

WORDS = [
    "fine",
    "good",
    "nice",
    "lovely",
    "great",
    "bad",
    "awful",
    "poor",
    "sad",
    "dull",
    "table",
    "chair",
    "window",
    "door",
    "river",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 texts with three labels that their words tell, mostly."""
    draw, rows = np.random.default_rng(0), []
    for row in range(400):
        label = row % 3
        own = draw.choice(WORDS[5 * label : 5 * label + 5], 3)
        rows.append({"text": " ".join([*own, *draw.choice(WORDS, 3), f"n{row % 50}"]), "label": "abc"[label]})
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.fixture(scope="module")
def linear(data: Path) -> Any:
    """A run on them."""
    return lossworks.fit(data, model="linear:bits=16", epochs=3, out=data.parent / "linear")


@pytest.mark.parametrize("values", [[], [0], [0, 1, 127, 128, 16383, 16384, 1 << 40, 5]])
def test_whole_numbers(values: list[int]) -> None:
    """They come back; a stream that breaks off is refused."""
    packed = pack(np.array(values, np.int64))
    assert unpack(packed).tolist() == values
    import zlib

    with pytest.raises(ValueError, match="breaks off"):
        unpack(np.frombuffer(zlib.compress(b"\x01\x80"), np.uint8))


def test_rounding(linear: Any) -> None:
    """Each weight is within half its step, the finer the more its feature matters; what is left out is nearer to 0 than that."""
    features, weights = linear.predictor.features, linear.predictor.network.table.weight.detach().numpy()
    table = Table.of(features, weights, shifts=True)
    step = table.largest / 20
    back = restored(table.rounded(step))
    kept = dict(zip(back["features.buckets"].tolist(), back["network.table.weight"], strict=True))
    assert 0 < len(kept) < len(features)
    each = zip(features.buckets.tolist(), weights, features.importance(), features.weights, strict=True)
    for bucket, row, importance, weight in each:
        found, centred = kept.get(bucket, np.zeros(3)), row - row.mean()
        assert np.abs(found - centred).max() <= step / importance / 2 * 1.0001
        if bucket in kept:
            assert weight in back["features.weights"]
    often = features.importance()[np.argsort(features.buckets)]
    assert len(np.unique(np.round(often, 6))) > 3
    counts = features.importance() / np.sqrt(features.weights)
    assert (np.diff(counts) <= 1e-6).all()  # features stand by falling frequency


@pytest.mark.parametrize("spec", ["linear:bits=16", "linear:bits=16,idf=0", "bag:dim=8", "bag:dim=8,hidden=4"])
def test_runs(data: Path, tmp_path: Path, spec: str) -> None:
    """They are read like any run, answer as before but for what is told, and are as large as is told."""
    model = lossworks.fit(data, model=spec, epochs=3, out=tmp_path / "run")
    told = quantize(model, tmp_path / "small")
    small = lossworks.load(tmp_path / "small")
    texts = [json.loads(line)["text"] for line in data.read_text("utf-8").splitlines()]
    moved = np.abs(small.predict_proba(texts) - model.predict_proba(texts)).max()
    assert 0 < moved < 0.05
    before, after = told["bytes"]
    assert after == sum(file.stat().st_size for file in (tmp_path / "small").iterdir()) < before
    assert told["features"] == [len(model.predictor.features), len(small.predictor.features)]
    accuracy, figures = told["held_out"]["metrics"]["accuracy"], lossworks.evaluate(small)["metrics"]
    assert accuracy["before"] == pytest.approx(model.metrics["accuracy"]["value"])
    assert accuracy["after"] == pytest.approx(figures["accuracy"]["value"])
    assert told["held_out"]["metrics"]["nll"]["after"] == pytest.approx(figures["nll"]["value"])
    assert told["held_out"]["largest_change"] <= moved
    assert "quantised from" in lossworks.report.write(tmp_path / "small").read_text("utf-8")


def test_size(linear: Any, tmp_path: Path) -> None:
    """The largest model below a size is written; what is too little for anything is refused, with nothing left."""
    sizes = [quantize(linear, tmp_path / "small", max_size=size)["bytes"][1] for size in ("6KB", "9KB")]
    assert 4.5 * 1024 < sizes[0] <= 6 * 1024 < 7.5 * 1024 < sizes[1] <= 9 * 1024
    with pytest.raises(UsageError, match="Give more"):
        quantize(linear, tmp_path / "none", max_size="2KB")
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="the run itself"):
        quantize(linear, linear.path)


@pytest.mark.parametrize("to", ["run", "html", "js"])
def test_a_disk_that_takes_no_more(linear: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """What stood there is still there, nothing half written is, and the error is ours."""
    quantize(linear, tmp_path / "out", to=to)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*of: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecordError, match="No space left"):
        quantize(linear, tmp_path / "out", to=to, max_size="30KB")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_nothing_claimed(data: Path, tmp_path: Path) -> None:
    """Where the data is gone, or no longer the same, there are no figures, and it is said why."""
    copy = tmp_path / "rows.jsonl"
    copy.write_bytes(data.read_bytes())
    model = lossworks.fit(copy, model="linear:bits=10", epochs=1, out=tmp_path / "run")
    copy.write_text(copy.read_text("utf-8").replace("fine", "rough"), "utf-8")
    changed = quantize(model, tmp_path / "small")
    copy.unlink()
    gone = quantize(model, tmp_path / "small")
    assert changed["held_out"] is gone["held_out"] is None
    assert "is not here" in gone["unmeasured"]
    assert changed["unmeasured"] != gone["unmeasured"]


def test_damage(linear: Any, tmp_path: Path) -> None:
    """A changed byte, a missing file, and streams that do not fit are refused."""
    quantize(linear, tmp_path / "small")
    path, record = tmp_path / "small" / FILE, tmp_path / "small/run.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RecordError, match="damaged"):
        lossworks.load(tmp_path / "small")
    summary = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps(summary | {"files": {}}), "utf-8")
    for end in (len(whole) - 400, 400):
        path.write_bytes(whole[:end] + bytes([whole[end] ^ 255]) + whole[end + 1 :])
        with pytest.raises(RecordError):
            lossworks.load(tmp_path / "small")


def test_what_changed(linear: Any, data: Path) -> None:
    """Against a model that answers otherwise: differences, words and examples are the rows'; against itself nothing is shown."""
    other = lossworks.load(linear.path)
    other.predictor.temperature *= 20
    network = other.predictor.network
    network.bias.data += network.bias.new_tensor([9.0, 0.0, 0.0])
    corpus = load(data)
    found = paired_labels(linear, other, corpus)
    texts = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    one, two = (each.predict([row["text"] for row in texts]) for each in (linear, other))
    broken = sum(a == row["label"] != b for a, b, row in zip(one, two, texts, strict=True))
    fixed = sum(b == row["label"] != a for a, b, row in zip(one, two, texts, strict=True))
    assert (found["broken"], found["fixed"]) == (broken, fixed)
    assert found["agreement"] == pytest.approx(np.mean([a == b for a, b in zip(one, two, strict=True)]))
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["difference"]["value"] == pytest.approx((fixed - broken) / len(texts))
    assert accuracy["word"] == found["metrics"]["nll"]["word"] == "worse"
    assert paired_labels(other, linear, corpus)["metrics"]["accuracy"]["word"] == "better"
    assert all(row["after"] != row["label"] == row["before"] for row in found["examples"]["broken"])
    same = paired_labels(linear, linear, corpus)
    assert {one["word"] for one in same["metrics"].values()} == {"no difference shown"}
    assert (same["agreement"], same["largest_change"], same["fixed"]) == (1.0, 0.0, 0)


def test_onnx(data: Path, linear: Any, tmp_path: Path) -> None:
    """Encoders and language models: smaller, and what is told is what onnxruntime says by that file; sums of rows are refused."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    spec = "transformer_encoder:dim=32,heads=2,layers=1,context=8,min_count=1"
    model = lossworks.fit(data, model=spec, epochs=1, out=tmp_path / "run")
    told = quantize(model, tmp_path / "model.onnx", to="onnx")
    assert (tmp_path / "model.onnx").stat().st_size == told["bytes"][1] < 0.8 * told["bytes"][0]
    assert 0 < told["held_out"]["largest_change"] < 0.1
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(json.loads(line)["text"] for line in data.read_text("utf-8").splitlines()), "utf-8")
    spec = "transformer:dim=32,heads=2,layers=1,context=16"
    language = lossworks.fit(lines, task="lm", model=spec, tokenizer="chars", steps=3, out=tmp_path / "lm")
    bits = quantize(language, tmp_path / "lm.onnx", to="onnx")["held_out"]["metrics"]["bits_per_byte"]
    assert 0 < abs(bits["after"] - bits["before"]) < 0.05 * bits["before"]
    with pytest.raises(UsageError, match="sums of rows"):
        quantize(linear, tmp_path / "no.onnx", to="onnx")
    with pytest.raises(UsageError, match="--max-size"):
        quantize(model, tmp_path / "no.onnx", to="onnx", max_size="1MB")
    with pytest.raises(UsageError, match="Try --to onnx"):
        quantize(model, tmp_path / "no")
