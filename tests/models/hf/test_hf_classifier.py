"""Sequence classifiers of transformers, tiny and random: read as transformers reads them, trained, kept, and refused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import Interrupted, NotInstalled, RecordError, UsageError
from lossworks.engine import Callbacks
from lossworks.inference import NetworkPredictor, load_predictor
from lossworks.models import build
from lossworks.models.hf.classifier import HfClassifier, load_classifier
from lossworks.models.hf.unpadded import prepared
from lossworks.models.neural.dropout import Dropout
from lossworks.optim.roles import roles
from lossworks.tasks import label_task
from lossworks.training import Settings
from lossworks.training.resolving import for_examples

transformers = pytest.importorskip("transformers")
from models.hf import hf_files  # noqa: E402
from models.hf.hf_files import TEXTS, rows  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("once"),
]
MARKS = {"bert": 2, "roberta": 2, "distilbert": 2, "gpt2": 0}


def untrained(folder: Path, labels: int = 3, more: str = "") -> NetworkPredictor:
    """A predictor of first weights."""
    spec = build(f"hf_classifier:{folder}{more}")
    features = spec.features()
    features.prepare([])
    network = spec.network(len(features), labels, seed=5)
    return NetworkPredictor(label_task("classify", tuple("abcdefg"[:labels])), spec, features, network.eval())


def network_of(predictor: NetworkPredictor) -> HfClassifier:
    """Its network, as what it is."""
    assert isinstance(predictor.network, HfClassifier)
    return predictor.network


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_same_logits(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """What is said of each text is what transformers says of it alone, cut at the context with its marks kept."""
    from tokenizers import Tokenizer

    predictor = untrained(folders[kind])
    torch.nn.init.normal_(network_of(predictor).head.weight)  # so that what is wrong shows
    network_of(predictor).model.save_pretrained(tmp_path)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = Tokenizer.from_file(str(folders[kind] / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    tokenizer.enable_truncation(24)
    found = predictor.scores(TEXTS)
    for text, logits in zip(TEXTS, found, strict=True):
        ids = tokenizer.encode(text).ids or [0]
        with torch.no_grad():
            wanted = theirs(input_ids=torch.tensor([ids])).logits[0].numpy()
        np.testing.assert_allclose(logits, wanted, atol=1e-5, rtol=1e-4, err_msg=text)
    assert len(np.unique(found.round(4), axis=0)) == len(TEXTS)


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_neighbours_do_not_matter(kind: str, folders: dict[str, Path]) -> None:
    """With a gradient, where all rows are padded to the longest, a text's outputs are those that it has alone."""
    predictor = untrained(folders[kind])
    torch.nn.init.normal_(network_of(predictor).head.weight)
    selected, nothing = predictor.prepared(TEXTS), torch.empty(0)
    together = predictor.network(selected.batch(np.arange(len(TEXTS)), nothing, nothing))
    alone = np.concatenate([predictor.scores([text]) for text in TEXTS])
    np.testing.assert_allclose(together.detach().numpy(), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_training_without_padding(kind: str, folders: dict[str, Path]) -> None:
    """In training no padding goes through the blocks; outputs and gradients are those of padded rows, of the table sparse."""
    network = network_of(untrained(folders[kind]))
    torch.nn.init.normal_(network.head.weight)
    network.train()
    for module in network.modules():
        if isinstance(getattr(module, "dropout", None), float):  # DistilBERT's, of attention
            module.dropout = 0.0
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    ids, lengths = torch.arange(7 * 20).view(7, 20) % 31 + 4, torch.tensor([3, 20, 7, 7, 1, 11, 10])
    assert network.unpadded
    seen = list[int]()
    block = next(m for m in network.modules() if isinstance(m, torch.nn.ModuleList))[1]
    block.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args or [kwargs["hidden_states"]])[0].shape[:2].numel()), with_kwargs=True
    )
    found = []
    for network.unpadded in (True, False):
        network.zero_grad()
        outputs = network.outputs(ids, lengths)
        (outputs * torch.arange(21).view(7, 3)).sum().backward()
        assert network.table.weight.grad.is_sparse  # type: ignore[union-attr]
        found.append([outputs.detach(), *(p.grad.to_dense() for p in network.parameters() if p.grad is not None)])
    assert seen == [int(lengths.sum()), ids.numel()]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_attention_of_its_own(folders: dict[str, Path]) -> None:
    """A model whose blocks look at places, here by a bias of distances, keeps its padding, and transformers' attention."""
    config = transformers.BertConfig(vocab_size=30, **hf_files.SIZES)
    model = transformers.BertForSequenceClassification(config)
    model.bert.encoder.layer[0].attention.self.register_forward_pre_hook(
        lambda _, args: (args[0] + torch.arange(16.0) * (args[0].shape[1] == 20),)
    )
    assert not prepared(model)
    assert model.config._attn_implementation == "sdpa"


def test_dropout() -> None:
    """A share p of the elements is left out, others made larger, the same in the gradient; by the seed, and not in evaluation."""
    x = torch.full((300, 1000), 2.0, requires_grad=True)
    layer = Dropout(0.1)
    torch.manual_seed(3)
    found = layer(x)
    found.sum().backward()
    out = found.detach() == 0
    assert abs(float(out.float().mean()) - 0.1) < 0.002
    assert x.grad is not None
    assert torch.equal(x.grad, torch.where(out, 0.0, 1 / 0.9))
    torch.testing.assert_close(found.detach(), torch.where(out, 0.0, 2 / 0.9))
    for other in (layer(x) == 0, out.roll(1, 0), out.roll(1, 1)):  # the next draw, and neighbours, know nothing of it
        assert abs(float((out & other).float().mean()) - 0.01) < 0.001
    torch.manual_seed(3)
    assert torch.equal(layer(x), found)
    assert layer.eval()(x) is x


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_context_is_the_models(kind: str, folders: dict[str, Path]) -> None:
    """As many tokens are read as the model was made for; fewer where told, with the same marks; more are refused."""
    whole, less = untrained(folders[kind]), untrained(folders[kind], more=",context=6")
    assert whole.prepared(TEXTS).lengths.max() == 24
    cut = less.prepared(["poor " * 60, "poor"])
    ids = [cut.ids[start : start + length].tolist() for start, length in zip(cut.starts, cut.lengths, strict=True)]
    assert len(ids[0]) == 6
    if MARKS[kind]:
        assert (ids[0][0], ids[0][-1]) == (ids[1][0], ids[1][-1])
    assert less.remarks([["poor " * 60]])[0].startswith("1 of 1 texts are longer than the context, 6 tokens")
    with pytest.raises(UsageError, match="context is 25; wanted 1 to 24"):
        untrained(folders[kind], more=",context=25")
    if MARKS[kind]:
        with pytest.raises(UsageError, match="context is 2; wanted 3 or more"):
            untrained(folders[kind], more=",context=2")


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_body_is_pretrained_and_head_is_new(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """The body is that of the files, in float32; the last layer is a function of the seed, also where the files hold one."""
    network = load_classifier(str(folders[kind]), 3, seed=1)
    body = transformers.AutoModel.from_pretrained(folders[kind]).state_dict()
    ours = network.model.base_model.state_dict()
    assert all(torch.equal(value, body[name]) for name, value in ours.items() if "pooler" not in name)
    half = tmp_path / "half"
    network.model.bfloat16().save_pretrained(half)
    again = load_classifier(str(half), 3, seed=1)
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}
    assert torch.equal(again.head.weight, load_classifier(str(half), 3, seed=1).head.weight)
    assert not torch.equal(again.head.weight, load_classifier(str(half), 3, seed=2).head.weight)
    assert not torch.allclose(again.head.weight, network.head.weight.float(), atol=1e-3)


@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_roles(kind: str, folders: dict[str, Path]) -> None:
    """The last layer is the head, tables are embeddings, and what is a bias or a norm does not decay."""
    network = network_of(untrained(folders[kind]))
    found = roles(network)
    assert [parameter for parameter, role in found.items() if role == "head"] == [network.head.weight]
    for name, parameter in network.named_parameters():
        if "embeddings" in name or ".wte" in name or ".wpe" in name:
            assert found[parameter] == ("vector" if "LayerNorm" in name else "embedding"), name
        elif parameter.ndim == 1:
            assert found[parameter] == "vector", name


@pytest.mark.filterwarnings("error:fan_in_fan_out")
@pytest.mark.parametrize("kind", hf_files.KINDS)
def test_adapters(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """Of a model with adapters those and what stands behind the body are trained, and nothing else changes; it is kept whole."""
    pytest.importorskip("peft")
    before = network_of(untrained(folders[kind], 1, ",lora=2"))
    trained = {name for name, parameter in before.named_parameters() if parameter.requires_grad}
    inside = f"model.{before.model.base_model_prefix}."
    assert any("lora_" in name for name in trained)
    assert not any("lora_" in name and "pooler" in name for name in trained)
    assert all("lora_" in name or "pooler" in name or not name.startswith(inside) for name in trained)
    assert {name for name, _ in before.named_parameters() if not name.startswith(inside)} <= trained
    model = hf_files.fitted(folders[kind], rows(), tmp_path / "run", ",lora=2", lr=0.05)
    after = network_of(model.predictor).state_dict()
    changed = {name for name, value in before.state_dict().items() if not torch.equal(value, after[name])}
    assert changed
    assert changed <= trained
    away = shutil.move(folders[kind], tmp_path / "away")
    loaded = lossworks.load(tmp_path / "run")
    shutil.move(away, folders[kind])
    assert loaded.predict_proba(TEXTS).tolist() == model.predict_proba(TEXTS).tolist()  # type: ignore[union-attr]


def test_learns(folders: dict[str, Path]) -> None:
    """With its weights trained it tells texts apart, by another loss than the usual too."""
    for loss in ("cross_entropy", "focal:gamma=2"):
        model = hf_files.fitted(folders["bert"], rows(200), epochs=6, patience=6, loss=loss)
        assert model.metrics["accuracy"]["value"] > 0.9, loss


def test_resumes(folders: dict[str, Path], tmp_path: Path) -> None:
    """A stopped fit goes on from its checkpoint and ends in the same bits as one that was not stopped."""
    whole = hf_files.fitted(folders["bert"], rows(), tmp_path / "whole", epochs=2)
    callbacks, steps = Callbacks(), iter(range(1, 100))

    def stop() -> None:
        if next(steps) == 4:  # the last of the first epoch
            callbacks.stop.set()

    callbacks.stepped = stop
    with pytest.raises(Interrupted):
        hf_files.fitted(folders["bert"], rows(), tmp_path / "run", epochs=2, callbacks=callbacks)
    ended = hf_files.fitted(folders["bert"], rows(), tmp_path / "run", epochs=2, resume=True)
    ours, theirs = network_of(ended.predictor).state_dict(), network_of(whole.predictor).state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_no_pickles(folders: dict[str, Path], tmp_path: Path) -> None:
    """A directory whose weights are pickles is refused, with how to write them otherwise."""
    copy = shutil.copytree(folders["bert"], tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"pickles.*AutoModelForSequenceClassification.from_pretrained"):
        untrained(copy)


def test_damaged(folders: dict[str, Path], tmp_path: Path) -> None:
    """Weights that are cut short, missing or of another shape are not silently drawn anew."""
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folders["bert"], tmp_path / "copy")
    path = copy / "model.safetensors"
    whole = load_file(path)
    name = "bert.encoder.layer.1.output.dense.weight"
    save_file({key: value for key, value in whole.items() if key != name}, path, {"format": "pt"})
    with pytest.raises(RecordError, match=f"1 of its weights are missing or of another shape, {name}"):
        untrained(copy)
    save_file(whole | {name: torch.zeros(3, 3)}, path, {"format": "pt"})
    with pytest.raises(RecordError, match="1 of its weights"):
        untrained(copy)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match="cannot be read as a classifier of texts"):
        untrained(copy)


def test_refused(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tokenizer, one with more tokens than the model, adapters alone, two halves, no such place, no package: each is said."""
    copy = shutil.copytree(folders["bert"], tmp_path / "copy")
    outline = json.loads((copy / "tokenizer.json").read_text())
    outline["model"]["vocab"]["extra"] = 999
    (copy / "tokenizer.json").write_text(json.dumps(outline))
    with pytest.raises(UsageError, match="the tokenizer has the token 999, and"):
        untrained(copy)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"holds no tokenizer.json. Save its tokenizer there"):
        untrained(copy)
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="adapters alone"):
        load_classifier(str(copy), 2)
    sizes: dict[str, Any] = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1}
    transformers.BartConfig(vocab_size=20, **sizes).save_pretrained(tmp_path / "bart")
    with pytest.raises(UsageError, match="a bart model is an encoder and a decoder"):
        untrained(tmp_path / "bart")
    transformers.MambaConfig(vocab_size=20, hidden_size=8).save_pretrained(tmp_path / "mamba")
    with pytest.raises(UsageError, match="transformers makes no classifier of texts of"):
        load_classifier(str(tmp_path / "mamba"), 2)
    with pytest.raises(UsageError, match="no directory here"):
        untrained(tmp_path / "nowhere")
    hf_files.fitted(folders["bert"], rows(), tmp_path / "run")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NotInstalled, match=r"transformers is not installed.*lossworks\[hf\]"):
        untrained(folders["bert"])
    with pytest.raises(NotInstalled, match="transformers is not installed"):
        lossworks.load(tmp_path / "run")
    with pytest.raises(UsageError, match="names no model"):
        build("hf_classifier").features()
    with pytest.raises(UsageError, match="lora is 0"):
        build("hf_classifier:x,lora=0")


def test_configuration_missing(folders: dict[str, Path], tmp_path: Path) -> None:
    """A run without its model's configuration names the file."""
    hf_files.fitted(folders["bert"], rows(), tmp_path / "run")
    (tmp_path / "run/hf/config.json").write_text("{")
    with pytest.raises(RecordError, match="cannot be read as a classifier of texts"):
        load_predictor(tmp_path / "run")
    with pytest.raises(RecordError, match=r"hf/config.json is damaged"):
        lossworks.load(tmp_path / "run")
    (tmp_path / "run/hf/config.json").unlink()
    with pytest.raises(RecordError, match=r"hf/config.json is missing"):
        lossworks.load(tmp_path / "run")


def test_few_rows_are_gone_over_more_often() -> None:
    """48 rows take 3 updates an epoch, and 3 epochs would teach next to nothing; many rows take 3, and what is said holds."""
    task = label_task("classify", ("a", "b"))

    def length(rows: int, **said: int) -> tuple[int | None, int | None]:
        settings = for_examples(Settings(model="hf_classifier:anywhere", **said), task, rows)  # type: ignore[arg-type]
        return settings.epochs, settings.patience

    assert length(48) == (40, 14)
    assert length(16 * 40) == (3, 1)
    assert length(16 * 40 - 16) == (4, 2)
    assert length(48, epochs=2, patience=1) == (2, 1)
