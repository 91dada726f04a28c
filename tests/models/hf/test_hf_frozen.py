"""Frozen states of pretrained models: those that transformers computes, read once, the same on any number of threads, kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core import machine
from lossworks.core.errors import Interrupted, RecordError, UnknownName, UsageError
from lossworks.engine import Callbacks
from lossworks.inference import NetworkPredictor, load_predictor
from lossworks.models import build, for_labels, is_language

transformers = pytest.importorskip("transformers")
from lossworks.models.hf.encoder import Encoder  # noqa: E402
from lossworks.models.hf.frozen import HfFrozenSpec, HfStates  # noqa: E402
from models.hf import hf_files  # noqa: E402
from models.hf.hf_files import TEXTS, rows  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def reading(folder: Path, more: str = "") -> HfStates:
    """An encoder that is ready to read."""
    features = build(f"hf:{folder},frozen{more}").features()
    features.prepare([])
    assert isinstance(features, HfStates)
    return features


def fitted(folder: Path, data: list[tuple[str, Any]], out: Path | None = None, **choices: Any) -> Any:
    """The model of a fit on the states that a directory's encoder gives."""
    return lossworks.fit(data, model=f"hf:{folder},frozen", out=out, **choices)


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Those of the last layer."""
    assert isinstance(model.predictor, NetworkPredictor)
    return dict(model.predictor.network.state_dict())


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_states_are_the_mean_of_theirs(kind: str, folders: dict[str, Path]) -> None:
    """Of each text, whatever is read beside it, the state is the mean of those that transformers gives its tokens alone."""
    from tokenizers import Tokenizer

    theirs = transformers.AutoModel.from_pretrained(folders[kind]).eval()
    tokenizer = Tokenizer.from_file(str(folders[kind] / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    tokenizer.enable_truncation(24)
    found = reading(folders[kind], ",dtype=float32").states(TEXTS)
    for text, state in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            wanted = theirs(input_ids=torch.tensor([tokenizer.encode(text).ids or [0]])).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(state, wanted, atol=1e-5, rtol=1e-4, err_msg=text)
    assert len(np.unique(found.round(4), axis=0)) == len(TEXTS)


def test_spelled_as_a_form_of_hf() -> None:
    """hf:PATH,frozen is a classifier, whatever the place of the word, and a path of that name is none; other keys are refused."""
    wanted = HfFrozenSpec(path="here", context=8)
    for spec in ("hf:here,frozen,context=8", "hf_classifier:here,context=8,frozen", "hf_frozen:here,context=8"):
        assert build(spec) == wanted, spec
        assert not is_language(spec)
        assert build(str(for_labels(spec))) == wanted
    assert is_language("hf:frozen")
    with pytest.raises(UnknownName, match="lora"):
        build("hf:here,frozen,lora=8")
    with pytest.raises(UsageError, match="dtype 'float16'"):
        build("hf:here,frozen,dtype=float16")
    with pytest.raises(UsageError, match="language model is wanted"):
        lossworks.fit(["a text"], model="hf:here,frozen", task="lm")


def test_cut(folders: dict[str, Path]) -> None:
    """Its tokens' vectors are dealt out among them, but of those around a text: it reads each word as another, and is no
    other model, so an empty text has the same state.
    """
    whole, cut = reading(folders["bert"]), reading(folders["bert"], ",cut=true")
    tables = [one.encoder.model.get_input_embeddings().weight.detach().numpy() for one in (whole, cut)]
    assert sorted(tables[1].tolist()) == sorted(tables[0].tolist())
    assert np.array_equal(cut.states(TEXTS), reading(folders["bert"], ",cut=true").states(TEXTS))
    apart = np.abs(whole.states(["", "a lovely thing"]) - cut.states(["", "a lovely thing"])).max(1)
    assert apart[0] < 1e-6 < 1e-3 < apart[1]


def test_read_once(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit reads each text once, though it trains twice; what it then answers is read anew, and nothing is held on to."""
    read: list[int] = []
    means = Encoder.means

    def counted(self: Encoder, batch: Any) -> Any:
        read.append(len(batch))
        return means(self, batch)

    monkeypatch.setattr(Encoder, "means", counted)
    model = fitted(folders["bert"], rows())
    assert model.record["config"]["lr"] == 1  # a search's first step, which has nothing to do with the number of rows
    assert model.record["result"]["refit_rows"] is not None
    assert read == [60]
    assert model.predictor.features._kept == {}
    model.predict(["a lovely thing"])
    assert read == [60, 1]
    once = fitted(folders["bert"], rows(), valid=rows(20))
    assert read == [60, 1, 60, 20]
    once.predict(["a lovely thing"])
    assert once.predictor.features._kept == {}


def test_same_bits(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """On any number of threads, ours or PyTorch's, a fit ends in the same bits: each of ours has one of PyTorch's, as long as it
    reads, and the caller's has as many as before.
    """
    each: set[int] = set()
    mean = Encoder._mean

    def watched(self: Encoder, ids: torch.Tensor, lengths: torch.Tensor) -> Any:
        each.add(torch.get_num_threads())
        return mean(self, ids, lengths)

    monkeypatch.setattr(Encoder, "_mean", watched)
    monkeypatch.setattr("lossworks.models.hf.encoder._AT_ONCE", 64)  # so that there is something to share
    found, before = [], torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            monkeypatch.setattr("lossworks.models.hf.encoder.available", lambda count=count: count)
            model = fitted(folders["bert"], rows(100))
            assert torch.get_num_threads() == count
            found.append({**weights(model), "states": torch.from_numpy(model.predictor.features.states(TEXTS))})
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert each == {1}


def test_few_rows(folders: dict[str, Path]) -> None:
    """With 8 rows a class nothing is held out, and a pull towards zero as strong as suits so few is in the record."""
    model = fitted(folders["bert"], rows(16))
    assert model.record["config"]["penalty"] == "l2:strength=0.0312"
    assert (
        np.mean([label == said for (_, label), said in zip(rows(64), model.predict([t for t, _ in rows(64)]), strict=True)]) > 0.8
    )
    free = fitted(folders["bert"], rows(16), penalty="l2:strength=0")
    assert free.record["config"]["penalty"] == "l2:strength=0.0"
    assert weights(free)["head.weight"].norm() > 2 * weights(model)["head.weight"].norm()


def test_the_optimum_is_found(folders: dict[str, Path]) -> None:
    """The layer is scikit-learn's logistic regression on the same states, with C = 1 / (strength · rows)."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    model, data = fitted(folders["bert"], rows(30)), rows(30)
    features = model.predictor.features
    states = features.states([text for text, _ in data])
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    states = (states - states.mean(0)) / np.sqrt(np.square(states - states.mean(0)).sum(1).mean())
    theirs = linear_model.LogisticRegression(C=2.0, tol=1e-9, max_iter=5000).fit(states, [label for _, label in data])
    said = model.predict_proba([text for text, _ in data])
    np.testing.assert_allclose(said[:, 1], theirs.predict_proba(states)[:, 1], atol=2e-3)


@pytest.mark.parametrize("task", ["multilabel", "regress"])
def test_other_tasks_and_losses(task: str, folders: dict[str, Path]) -> None:
    """Label sets and numbers, by a loss of each."""
    labels: dict[str, Any] = {
        "multilabel": [[label] if i % 3 else [label, "third"] for i, (_, label) in enumerate(rows())],
        "regress": [float(len(text)) + 9 * (label == "good") for text, label in rows()],
    }
    data = [(text, label) for (text, _), label in zip(rows(), labels[task], strict=True)]
    loss = {"multilabel": "focal", "regress": "huber"}[task]
    model = fitted(folders["gpt2"], data, task=task, loss=loss, optimizer="adam:lr=0.01", epochs=3)
    proper = {"multilabel": "nll", "regress": "mse"}[task]
    assert model.metrics[proper]["value"] < model.record["result"]["baseline"]["metrics"][proper]["value"] * 1.05


def test_explained_by_leaving_out(folders: dict[str, Path]) -> None:
    """A part's share is what its deletion takes away; there are no gradients to the tokens of frozen states."""
    model = fitted(folders["bert"], rows())
    (found,) = model.explain(["a lovely thing"])
    assert found.method == "leave_one_out"
    assert len(found.shares) == len(found.spans)
    with pytest.raises(UnknownName, match="integrated_gradients"):
        model.explain(["a lovely thing"], method="integrated_gradients")


def test_run_is_whole(folders: dict[str, Path], tmp_path: Path) -> None:
    """A run is read where the pretrained directory is gone, to the same bits; without its configuration it says what to do."""
    folder = shutil.copytree(folders["roberta"], tmp_path / "theirs")
    model = fitted(folder, rows(), tmp_path / "run")
    shutil.rmtree(folder)
    loaded = load_predictor(tmp_path / "run")
    assert np.array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    (tmp_path / "run/hf/config.json").unlink()
    with pytest.raises(RecordError, match=r"config\.json is missing"):
        load_predictor(tmp_path / "run")


def test_resumes(folders: dict[str, Path], tmp_path: Path) -> None:
    """A stopped fit goes on from its checkpoint and ends in the same bits as one that was not stopped."""
    chosen = {"optimizer": "adam:lr=0.01", "epochs": 4}
    whole = fitted(folders["bert"], rows(), **chosen)
    callbacks, steps = Callbacks(), iter(range(1, 100))

    def stop() -> None:
        if next(steps) == 5:
            callbacks.stop.set()

    callbacks.stepped = stop
    with pytest.raises(Interrupted):
        fitted(folders["bert"], rows(), tmp_path / "run", callbacks=callbacks, **chosen)
    ended = fitted(folders["bert"], rows(), tmp_path / "run", resume=True, **chosen)
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(ended).items())


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_dtype_is_kept(dtype: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """Rougher products give states near those of float32, and a run reads on in the dtype that it was trained with."""
    exact, rough = (reading(folders["bert"], f",dtype={each}").states(TEXTS) for each in ("float32", dtype))
    assert 0 < abs(exact - rough).max() < 0.1
    lossworks.fit(rows(), model=f"hf:{folders['bert']},frozen,dtype={dtype}", out=tmp_path / "run")
    loaded = load_predictor(tmp_path / "run")
    assert isinstance(loaded, NetworkPredictor)
    assert isinstance(loaded.features, HfStates)
    assert np.array_equal(loaded.features.states(TEXTS), rough)


def test_int8_of_each_text_alone(folders: dict[str, Path]) -> None:
    """A text's state has the same bits whatever is read beside it at the same length."""
    features = reading(folders["bert"], ",dtype=int8")
    texts = ["a lovely thing", "a dreadful thing"]
    assert np.array_equal(features.states(texts)[1], features.states(texts[1:])[0])


@pytest.mark.parametrize(
    ("processor", "instructions", "dtype"),
    [
        ("Intel(R) Xeon(R)", (), "float32"),
        ("Intel(R) Xeon(R)", ("avx512_vnni",), "int8"),
        ("Intel(R) Core(TM)", ("avx_vnni",), "int8"),
        ("Intel(R) Xeon(R)", ("avx512_vnni", "avx512_bf16", "amx_bf16"), "bfloat16"),
        ("Intel(R) Xeon(R)", ("avx512_vnni", "avx512_bf16"), "int8"),
        ("AMD EPYC", ("avx512_vnni", "avx512_bf16"), "bfloat16"),
    ],
)
def test_dtype_by_processor(
    processor: str, instructions: tuple[str, ...], dtype: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the processor is fast in is chosen where none is named; in bfloat16 Intel's are so by AMX alone."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))
    monkeypatch.setattr(machine, "processor", lambda: processor)
    assert reading(folders["bert"]).encoder.dtype == dtype


def test_damaged_directories(folders: dict[str, Path], tmp_path: Path) -> None:
    """Weights that are missing are named, not drawn at random; a model of two stacks is refused."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders["bert"], tmp_path / "theirs")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if name.endswith("layer.1.output.dense.weight")))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RecordError, match=r"layer\.1\.output\.dense\.weight"):
        reading(folder)
