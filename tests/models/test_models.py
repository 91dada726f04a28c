"""What every model owes: probabilities, files that give back the same bits, determinism, answers to any text."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from lossworks.core.errors import UsageError
from lossworks.inference import NetworkPredictor, load_predictor
from lossworks.models import ModelSpec, build, models, render
from lossworks.tasks import label_task

NAMES = [entry.name for entry in models if issubclass(entry.thing, ModelSpec)]
SPECS = {
    "linear": "linear:bits=18,share=0.25,idf=1.0",
    "bag": "bag:dim=8,hidden=6,dropout=0.5,bits=14",
    "transformer_encoder": "transformer_encoder:dim=8,heads=2,dropout=0.5,min_count=1,context=32",
    "rnn_encoder": "rnn_encoder:dim=6,layers=2,weight_drop=0.5,embedding_dropout=0.3,min_count=1,context=32",
}
PRETRAINED = ["hf_classifier", "hf_contrastive", "hf_frozen"]
ORDERED = [name for name in NAMES if "encoder" in name or name == "hf_classifier"]
TEXTS = ["I love this product!", "Not worth the money.", "好用，很喜欢。", "It broke after two days."]
STRANGE = ["", " \n", "ζζζ ψψψ", "\x00\ud800", "a" * 100_000, "love " * 5000]
TASKS = {
    "binary": label_task("classify", ("no", "yes")),
    "multiclass": label_task("classify", ("a", "b", "c")),
    "multilabel": label_task("multilabel", ("x", "y", "z")),
    "regress": label_task("regress", (), 10.0, 3.0),
}


@cache
def spec_of(name: str) -> str:
    """A small one of a family; a pretrained one is written first."""
    if name == "vectors":
        path = Path(tempfile.mkdtemp()) / "vectors.txt"
        path.write_text("i 0 1 -1\nlove .5 .3 -1\nthis 0 .6 -1\nnot .5 .9 -1\n好 0 .2 -1\ntwo .5 .5 -1\n")
        return f"vectors:{path}"
    if name not in PRETRAINED:
        return SPECS[name]
    pytest.importorskip("transformers")
    from models.hf import hf_files

    return f"{name}:{hf_files.bert(Path(tempfile.mkdtemp()))}"


def made(name: str, task: str = "multiclass", seed: int = 0) -> NetworkPredictor:
    """A model with the features of the texts and weights drawn at random."""
    spec, kind = build(spec_of(name)), TASKS[task]
    features = spec.features()
    features.prepare([TEXTS])
    counter = features.counter()
    counter.add(features.read(TEXTS), np.ones(len(TEXTS), bool))
    features.learn(counter)
    network = spec.network(len(features), kind.outputs, seed)
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn(parameter.shape, generator=rng)
    return NetworkPredictor(kind, spec, features, network, temperature=1.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_probabilities(name: str, task: str) -> None:
    """One row a text; of classes they sum to 1, of label sets each lies between 0 and 1; strange texts too."""
    predictor = made(name, task)
    found = predictor.predict_proba(TEXTS + STRANGE)
    assert found.shape == (len(TEXTS + STRANGE), len(predictor.task.labels))
    assert ((found >= 0) & (found <= 1)).all()
    assert np.unique(found[: len(TEXTS)], axis=0).shape[0] == len(TEXTS)
    if task != "multilabel":
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-12)
        assert predictor.predict(TEXTS) == [predictor.task.labels[best] for best in found[: len(TEXTS)].argmax(1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_shapes_of_answers(name: str, task: str) -> None:
    """A label, a set of labels or a number for each text; none for none."""
    predictor = made(name, task)
    kind = {"multilabel": tuple, "regress": float}.get(task, str)
    assert all(type(answer) is kind for answer in predictor.predict(TEXTS + STRANGE))
    assert predictor.predict([]) == []
    outputs = predictor.scores(TEXTS)
    assert outputs.shape == ((4,) if task == "regress" else (4, len(predictor.task.labels)))


@pytest.mark.parametrize("name", NAMES)
def test_texts_do_not_see_each_other(name: str) -> None:
    """A text's scores are the same alone and in company, also beyond the size of a chunk."""
    predictor = made(name)
    together = predictor.scores(TEXTS * 1500)
    alone = np.concatenate([predictor.scores([text]) for text in TEXTS])
    rounding = 10 if name in ORDERED else 1  # of products, which depends on their shapes, through many layers and steps
    np.testing.assert_allclose(together, np.tile(alone, (1500, 1)), rtol=1e-5 * rounding, atol=1e-6 * rounding)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*ORDERED, "hf_contrastive", "hf_frozen")])
def test_nothing_known_in_the_text(name: str) -> None:
    """Of bags an empty text and one of unknown words get the same answer, whatever the model says without evidence."""
    empty, unknown = made(name).scores(["", "ζζζ"])
    assert np.array_equal(empty, unknown)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_saved_and_loaded(name: str, task: str, tmp_path: Path) -> None:
    """The files give back the same bits, and all that stands beside the weights."""
    predictor = made(name, task)
    predictor.thresholds = (0.3, 0.5, 0.7) if task == "multilabel" else (0.3,) if task == "binary" else None
    predictor.save(tmp_path)
    loaded = load_predictor(tmp_path)
    assert (loaded.task, loaded.spec) == (predictor.task, predictor.spec)
    assert (loaded.temperature, loaded.thresholds) == (predictor.temperature, predictor.thresholds)
    assert predictor.scores(TEXTS + STRANGE).tobytes() == loaded.scores(TEXTS + STRANGE).tobytes()
    assert predictor.predict(TEXTS) == loaded.predict(TEXTS)
    assert isinstance(loaded, NetworkPredictor)
    assert isinstance(loaded.learned, dict) == (name == "linear")  # arrays answered; and so does the network made of them
    weights = loaded.network.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in predictor.network.state_dict().items())
    assert predictor.scores(TEXTS).tobytes() == loaded.scores(TEXTS).tobytes()
    files = ["config.json", "model.safetensors", *(["tokenizer.json"] if name in (*ORDERED, *PRETRAINED) else [])]
    files = sorted([*files, "hf"]) if name in PRETRAINED else files
    assert sorted(path.name for path in tmp_path.iterdir()) == files


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_are_a_function_of_the_seed(name: str) -> None:
    """The same seed gives the same bits and leaves PyTorch's own random numbers alone; another gives others, or zeros."""
    spec = build(spec_of(name))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two, other = (spec.network(20, 3, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[key], two[key]) for key in one)
    moved = any(not torch.equal(one[key], other[key]) for key in one)
    assert moved or not any(value.any() for value in one.values())


@pytest.mark.parametrize("name", NAMES)
def test_spec_goes_there_and_back(name: str) -> None:
    """The spec that a run records builds the same model; sources and defaults are there."""
    spec = build(spec_of(name))
    assert build(render(spec)) == spec
    assert models[name].source
    assert spec.epochs >= spec.patience >= 1


def test_linear_weighs_as_it_is_told() -> None:
    """Words have the share that the spec says, and rare n-grams weigh by its idf; left out, both are the usual ones."""
    for spec, words, power in (("linear:bits=18", 0.9, 0.5), ("linear:bits=18,share=0.25,idf=1.0", 0.25, 1.0)):
        features = build(spec).features()
        read = features.read(TEXTS)
        counter = features.counter()
        counter.add(read, np.ones(len(TEXTS), bool))
        features.learn(counter)
        learnt = features.save(Path())
        selected = features.select(read)
        values, ids = selected.values[: selected.lengths[0]], selected.ids[: selected.lengths[0]]
        of_words = learnt["buckets"][ids] < 1 << 17
        assert float((values[of_words] ** 2).sum()) == pytest.approx(words, rel=1e-5)
        assert learnt["weights"].max() == pytest.approx((np.log(5 / 2) + 1) ** power, rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("linaer", "linear"), ("linear:word=2", "words"), ("linear:bits=99", "bits"), ("linear:chars=1", "chars"),
        ("linear:share=1.5", "share"), ("linear:idf=-1", "idf"),
        ("bag:dim=0", "dim"), ("bag:dropout=1", "dropout"), ("bag:dropout=nan", "dropout"), ("linear:min_count=0", "min_count"),
        ("transformer_encoder:heads=3", "heads"), ("transformer_encoder:pooling=last", "'mean' or 'first'"),
        ("transformer_encoder:context=1", "context"), ("transformer_encoder:dropout=1", "dropout"),
        ("transformer_encoder:tokens=wrods", "words"), ("transformer_encoder:vocabulary=3", "vocabulary"),
        ("transformer_encoder:min_count=0", "min_count"), ("transformer_encoder:tokens=bpe,vocabulary=99", "size"),
        ("rnn_encoder:pooling=first", "'mean' or 'last'"), ("rnn_encoder:cell=rnn", "cell"), ("rnn_encoder:layers=0", "layers"),
        ("rnn_encoder:weight_drop=1", "weight_drop"), ("rnn_encoder:word_dropout=1", "word_dropout"),
        ("rnn_encoder:tokens=words:lower=true", "bpe"),
    ],
)  # fmt: skip
def test_wrong_specs(spec: str, message: str) -> None:
    """A wrong name, key or value is named."""
    with pytest.raises(UsageError, match=message):
        build(spec)


def test_threshold_decides() -> None:
    """Two classes: the second from its threshold on; label sets: each label from its own."""
    predictor = made("linear", "binary")
    predictor.thresholds = (0.3,)
    assert predictor.decide(np.array([[0.71, 0.29], [0.7, 0.3]])) == ["no", "yes"]
    predictor = made("linear", "multilabel")
    predictor.thresholds = (0.2, 0.5, 0.9)
    assert predictor.decide(np.array([[0.3, 0.3, 0.8], [0.1, 0.1, 0.9]])) == [("x",), ("z",)]


def test_numbers_are_in_the_units_of_the_data() -> None:
    """Of two classes the one output is the log-odds of the second; numbers are scaled back."""
    assert TASKS["regress"].readable(np.array([[0.0], [2.0]])).tolist() == [10.0, 16.0]
    assert TASKS["binary"].readable(np.array([[2.0]])).tolist() == [[0.0, 2.0]]
