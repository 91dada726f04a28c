"""Files that are not what ``save`` wrote are refused with a reason; nothing in them is executed or trusted."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lossworks.core.errors import RecordError
from lossworks.inference import NetworkPredictor, load_predictor
from lossworks.models import build
from lossworks.tasks import label_task

TEXTS = ["good phone", "bad phone", "好"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a sound model."""
    spec = build("linear:bits=12")
    features = spec.features()
    features.prepare([TEXTS])
    counter = features.counter()
    counter.add(features.read(TEXTS), np.ones(3, bool))
    features.learn(counter)
    NetworkPredictor(label_task("classify", ("a", "b", "c")), spec, features, spec.network(len(features), 3, 0)).save(tmp_path)
    assert load_predictor(tmp_path).predict(TEXTS) == ["a", "a", "a"]
    return tmp_path


def refused(folder: Path, *words: str) -> None:
    """Loading raises RecordError, whose message holds the words and a remedy."""
    with pytest.raises(RecordError) as caught:
        load_predictor(folder)
    message = str(caught.value)
    assert all(word in message for word in (str(folder), *words)), message
    assert any(remedy in message for remedy in ("fit again", "Fit again", "lossworks fit", "Restore")), message


def with_header(text: bytes, length: int | None = None) -> bytes:
    """A safetensors file that says its header has ``length`` bytes."""
    return struct.pack("<Q", len(text) if length is None else length) + text


class Payload:
    """Unpickled, it would make a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_never_run(saved: Path, protocol: int) -> None:
    """A pickle, or PyTorch's zipped one, under our name is refused unread."""
    proof = saved / "proof"
    (saved / "model.safetensors").write_bytes(pickle.dumps(Payload(proof), protocol))
    refused(saved, "model.safetensors", "damaged")
    torch.save({"w": Payload(proof)}, saved / "model.safetensors", pickle_protocol=max(protocol, 2))
    refused(saved, "model.safetensors", "damaged")
    (saved / "config.json").write_bytes(pickle.dumps(Payload(proof), protocol))
    refused(saved, "config.json", "damaged")
    assert not proof.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_truncated(saved: Path, name: str, share: float) -> None:
    """A file cut short anywhere."""
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[: min(int(len(whole) * share), len(whole.rstrip()) - 1)])
    refused(saved, name, "damaged")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_missing(saved: Path, name: str) -> None:
    """A file that is not there."""
    (saved / name).unlink()
    refused(saved, name, "missing")


@pytest.mark.parametrize(
    "content",
    [
        with_header(b"{}", length=2**63), with_header(b"{}", length=2**40), with_header(b"{}", length=0), with_header(b"[1"),
        with_header(b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
        with_header(b'{"w":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,16]}}') + bytes(16),
        with_header(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[16,0]}}') + bytes(16),
        with_header(b'{"w":{"dtype":"X99","shape":[4],"data_offsets":[0,16]}}') + bytes(16),
        with_header(b"[" * 100_000), b"\x00" * 64, bytes(range(256)) * 40, b"PK\x03\x04",
    ],
)  # fmt: skip
def test_headers_that_lie(saved: Path, content: bytes) -> None:
    """Lengths, shapes and offsets beyond the file, and plain garbage."""
    (saved / "model.safetensors").write_bytes(content)
    refused(saved, "model.safetensors", "damaged")


def test_flipped_bytes(saved: Path) -> None:
    """Wherever a byte of the header is changed, the file loads or is refused; nothing else happens."""
    path, rng = saved / "model.safetensors", np.random.default_rng(0)
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for place in rng.integers(0, header, 150):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            load_predictor(saved).predict(TEXTS)
        except RecordError as error:
            assert str(saved) in str(error)  # noqa: PT017


Change = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"features.buckets": t["features.buckets"].long().add(1 << 12).to(torch.uint32)},
        lambda t: t | {"features.buckets": t["features.buckets"].long()},
        lambda t: t | {"features.buckets": t["features.buckets"][:-1].clone()},
        lambda t: t | {"features.buckets": t["features.buckets"][None]},
        lambda t: t | {"features.weights": t["features.weights"].half()},
        lambda t: {name: value for name, value in t.items() if name != "network.bias"},
        lambda t: {name: value for name, value in t.items() if name != "features.weights"},
        lambda t: t | {"network.extra": torch.zeros(2)},
        lambda t: t | {"network.table.weight": t["network.table.weight"][:-1].clone()},
        lambda t: t | {"network.table.weight": t["network.table.weight"].T.contiguous()},
        lambda t: {},
    ],
)
def test_tensors_that_do_not_fit(saved: Path, change: Change) -> None:
    """Buckets out of range, of a wrong kind or number; layers missing, of a wrong shape, or too many."""
    path = saved / "model.safetensors"
    save_file(change(load_file(path)), path)
    refused(saved, "do not fit")


def test_not_finite(saved: Path) -> None:
    """Weights that are not finite, by the names of file and tensor."""
    path = saved / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"network.bias": tensors["network.bias"] + torch.nan}, path)
    refused(saved, "model.safetensors: network.bias")


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("model", "perceiver", "perceiver"), ("model", "linear:bits=60", "bits"), ("model", "linear:bits=8", ""),
        ("model", "bag", ""), ("model", 3, ""), ("model", None, ""), ("format", 3, "format"), ("format", None, "format"),
        ("labels", ["a", "b"], ""), ("labels", None, ""), ("temperature", "warm", ""), ("temperature", None, ""),
        ("center", [], ""),
        ("temperature", 0, "temperature"),
        ("temperature", -1, "temperature"),
        pytest.param("temperature", 10**400, "", id="temperature-huge"),
        ("task", "guess", "guess"),
        ("thresholds", [0.5, 0.5], "threshold"),
        ("thresholds", "high", "threshold"),
    ],
)  # fmt: skip
def test_config_that_does_not_fit(saved: Path, key: str, value: Any, word: str) -> None:
    """An unknown model or task, another format, values of the wrong kind or outside their domain."""
    path = saved / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    refused(saved, word)


@pytest.mark.parametrize("key", ["format", "task", "labels", "model", "temperature", "thresholds", "center"])
def test_config_without_a_key(saved: Path, key: str) -> None:
    """Whatever is left out."""
    path = saved / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text("utf-8")).items() if k != key}), "utf-8")
    refused(saved, key)


@pytest.mark.parametrize("content", ["[]", "null", "3", '"x"', "[" * 100_000, "\ufeff{}", "{", "\x00"])
def test_config_that_is_none(saved: Path, content: str) -> None:
    """JSON of another kind, or none at all."""
    (saved / "config.json").write_text(content, "utf-8")
    refused(saved)
