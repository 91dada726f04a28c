"""Encoders trained by a contrastive loss on few rows: their states and gradients, the loss, when it is chosen, bits, the run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from losses.test_supervised_contrastive import formula
from lossworks.core.errors import Interrupted, UsageError
from lossworks.engine import Callbacks
from lossworks.inference import NetworkPredictor
from lossworks.losses import SupervisedContrastive
from lossworks.models import build, for_labels

transformers = pytest.importorskip("transformers")
from lossworks.models.hf import HfClassifierSpec, HfContrastiveSpec  # noqa: E402
from lossworks.models.hf.contrastive import ContrastedStates, MeanStates  # noqa: E402
from models.hf import hf_files  # noqa: E402
from models.hf.hf_files import TEXTS, rows  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
LABELS = torch.tensor([0, 1, 0, 1, 0, 1])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without dropout."""
    return hf_files.bert(tmp_path_factory.mktemp("plain"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def reading(folder: Path) -> ContrastedStates:
    """What reads texts, not trained yet."""
    features = build(f"hf:{folder},contrastive").features()
    features.prepare([])
    assert isinstance(features, ContrastedStates)
    return features


def fitted(folder: Path, data: list[tuple[str, Any]], out: Path | None = None, more: str = ",steps=3", **choices: Any) -> Any:
    """The model of a fit, of a few steps where nothing else is said."""
    return lossworks.fit(data, model=f"hf:{folder},contrastive{more}", out=out, **choices)


def states(model: Any, texts: list[str]) -> Any:
    """What the model's encoder gives texts, as directions."""
    assert isinstance(model.predictor, NetworkPredictor)
    found = model.predictor.features.states(texts)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_spelled_as_a_form_of_hf() -> None:
    """hf:PATH,contrastive forces it and hf:PATH,contrastive=false refuses it; hf:PATH alone leaves it to the number of rows."""
    for spec in ("hf:here,contrastive,context=8", "hf_classifier:here,context=8,contrastive", "hf_contrastive:here,context=8"):
        assert build(spec) == HfContrastiveSpec(path="here", context=8), spec
    for spec in ("hf:here,contrastive=false", "hf_classifier:here,contrastive=false"):
        assert build(spec) == HfClassifierSpec(path="here", contrastive=False), spec
        assert build(spec).for_few(2) is None
    usual = build(str(for_labels("hf:here,context=8")))
    assert usual.for_few(639) == HfContrastiveSpec(path="here", context=8)
    assert usual.for_few(640) is None
    assert build("hf_classifier:here,lora=2").for_few(2) is None
    with pytest.raises(UsageError, match=r"steps is 0; wanted"):
        build("hf:here,contrastive,steps=0")
    with pytest.raises(UsageError, match=r"temperature is 0.0; wanted"):
        build("hf:here,contrastive,temperature=0")


def test_gradients_without_padding(plain: Path) -> None:
    """States and the loss's gradients are those of the padded rows, and every weight below the pooler has one."""
    found = []
    for unpadded in (True, False):
        features = reading(plain)
        network = MeanStates(features.encoder).train()
        assert network.unpadded
        network.unpadded = unpadded
        selected, nothing = features.tokens.select(features.tokens.read(TEXTS)), torch.empty(0)
        means = network(selected.batch(np.arange(len(TEXTS)), nothing, nothing))
        SupervisedContrastive().contrasts(means, means, LABELS).mean().backward()
        grads = {name: weight.grad for name, weight in network.named_parameters() if weight.requires_grad}
        found.append((means.detach(), {name: grad.to_dense() for name, grad in grads.items() if grad is not None}))
        assert len(found[-1][1]) == len(grads) > 10
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    for name, grad in found[0][1].items():
        torch.testing.assert_close(grad, found[1][1][name], rtol=1e-3, atol=1e-5, msg=name)


def test_the_loss_that_is_descended(plain: Path) -> None:
    """The first step's loss is the formula of the pretrained states; classes weigh in it as they do in the training loss. Where a
    fit trains twice, the encoder is trained anew with the validation rows.
    """
    data = [*rows(8), ("a number alone", "good")]
    told: list[float] = []

    def watch(event: str, fields: dict[str, Any]) -> None:
        told.extend([fields["loss"]] if event == "contrast" else [])

    for weights in ({"good": 1.0, "bad": 1.0}, {"good": 3.0, "bad": 1.0}):
        fitted(plain, data, more=",steps=1,temperature=0.5", class_weight=weights, callbacks=Callbacks(watch=watch))
        found = torch.from_numpy(reading(plain).states([text for text, _ in data])).double()
        labels = torch.tensor([label == "good" for _, label in data])
        values = formula(SupervisedContrastive(temperature=0.5), found, found, labels)
        weight = torch.tensor([weights[label] for _, label in data])
        assert told.pop() == pytest.approx(float((values * weight).sum() / weight.sum()), rel=1e-5)
    assert not told
    fitted(plain, rows(44), more=",steps=1", callbacks=Callbacks(watch=watch))
    assert len(set(told)) == 2


def test_texts_of_a_class_come_together(folders: dict[str, Path], tmp_path: Path) -> None:
    """After it texts of unseen numbers are nearer to their own class than before, and are told apart; the run needs no model
    beside it, and answers in the same bits.
    """
    folder = shutil.copytree(folders["bert"], tmp_path / "theirs")
    texts, labels = zip(*[(text.replace("number", "6"), label) for text, label in rows(16)], strict=True)
    model = fitted(folder, rows(36), tmp_path / "run", more=",lr=0.003", test=list(zip(texts, labels, strict=True)))
    before, after = states(fitted(folder, rows(8), more=",steps=1,lr=1e-9"), list(texts)), states(model, list(texts))
    same = np.equal.outer(labels, labels)
    apart = [float((found @ found.T)[same].mean() - (found @ found.T)[~same].mean()) for found in (before, after)]
    assert apart[1] > apart[0] + 0.5
    assert model.metrics["accuracy"]["value"] == 1
    shutil.rmtree(folder)
    loaded = lossworks.load(tmp_path / "run")
    assert loaded.record["config"]["model"] == f"hf_contrastive:{folder},lr=0.003"
    assert loaded.predict(list(texts)) == model.predict(list(texts))
    assert np.array_equal(states(loaded, list(texts)), states(model, list(texts)))


def test_same_bits(folders: dict[str, Path], tmp_path: Path) -> None:
    """Another fit, and one that was stopped while it contrasted and resumed, end in the same bits; another seed in others."""
    data, seen = rows(30), list[dict[str, Any]]()
    callbacks = Callbacks()

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "contrast":
            seen.append(fields)
            callbacks.stop.set()

    ticks = iter(range(10_000))
    callbacks.watch, callbacks.clock = watch, lambda: float(next(ticks))  # a line of the log at every step
    with pytest.raises(Interrupted):
        fitted(folders["bert"], data, tmp_path / "run", callbacks=callbacks)
    assert [fields["of"] for fields in seen] == [3]  # the next step is not taken
    ended = [
        fitted(folders["bert"], data, tmp_path / "run", resume=True),
        fitted(folders["bert"], data, test=[(text, "bad") for text, _ in rows(12)]),  # which are not trained on
        fitted(folders["bert"], [*data, *((text, None) for text, _ in rows(6))], teach="uniform"),  # nor what has no label
        fitted(folders["bert"], data, seed=1),
    ]
    found = [states(model, TEXTS) for model in ended]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(*(model.predict_proba(TEXTS) for model in ended[:2]))
    assert not np.array_equal(found[0], found[3])


class Chosen(Exception):
    """What a fit of a spec had chosen before it began to train."""


def chosen(spec: str, **choices: Any) -> tuple[str, str]:
    """The model that a fit on few rows takes, and the notes on the data."""

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "data":
            raise Chosen(fields["config"]["model"], " ".join(fields["notes"]))

    with pytest.raises(Chosen) as found:
        lossworks.fit(**{"data": rows(24), "model": spec, "callbacks": Callbacks(watch=watch), **choices})
    model, notes = found.value.args
    return model, notes


def test_few_rows_take_it(folders: dict[str, Path]) -> None:
    """Few rows of classes do, and it is said; not where it is refused, where anything is said of training, or without classes."""
    folder = folders["distilbert"]
    fine_tuned, contrastive = f"hf_classifier:{folder}", f"hf_contrastive:{folder}"
    model, notes = chosen(f"hf:{folder}")
    assert model == contrastive
    assert f"24 training rows: the model is {contrastive} instead of {fine_tuned}" in notes
    assert f"{fine_tuned},contrastive=false or any setting of training says otherwise" in notes
    assert chosen(fine_tuned)[0] == contrastive
    assert chosen(f"hf:{folder},contrastive=false") == (f"{fine_tuned},contrastive=false", "")
    assert chosen(f"hf:{folder}", task="classify")[0] == contrastive
    assert chosen(f"hf:{folder}", epochs=1) == chosen(fine_tuned, batch_size=12) == (fine_tuned, "")
    assert chosen(fine_tuned, class_weight="balanced") == chosen(f"hf:{folder}", loss="focal") == (fine_tuned, "")
    stars = [(text, str(len(text))) for text, _ in rows(24)]
    assert chosen(f"hf:{folder}", data=stars, task="regress") == (fine_tuned, "")
    assert chosen(f"hf:{folder}", data=rows(640), valid=0.0, test=0.0) == (fine_tuned, "")
    with pytest.raises(UsageError, match="compares classes; the task regress has none"):
        lossworks.fit(stars, model=f"hf:{folder},contrastive", task="regress")
