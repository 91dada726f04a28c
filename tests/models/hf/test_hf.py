"""Causal models of transformers, tiny and random, as language models of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossworks import losses
from lossworks.core.errors import RecordError, UsageError
from lossworks.engine import Callbacks
from lossworks.models.hf import HfSpec, classifier
from lossworks.models.hf import model as hf
from lossworks.models.hf.classifier import load_classifier
from lossworks.models.hf.encoder import load_encoder
from lossworks.models.hf.model import HfNetwork, load_hf
from lossworks.scores import dense, fused
from lossworks.tokens import Vocabulary
from lossworks.training import Settings
from lossworks.training.language_training import train
from models.neural.checks import V, lively, texts, tokens

transformers = pytest.importorskip("transformers")
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out"),
]

MARKS = {"vocab_size": V, "bos_token_id": 1, "eos_token_id": 2}
COMMON = MARKS | {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16}
FFN = {"intermediate_size": 24}
GROUPED = FFN | {"num_key_value_heads": 1}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", MARKS | {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16}),
    "llama": ("Llama", COMMON | GROUPED),
    "opt": ("OPT", COMMON | {"ffn_dim": 24, "word_embed_proj_dim": 8}),
    "gpt_neox": ("GPTNeoX", COMMON | FFN),
    "phi": ("Phi", COMMON | FFN),  # a bias in the last layer
    "gemma2": ("Gemma2", COMMON | GROUPED | {"head_dim": 8, "sliding_window": 6}),  # capped logits
    "bloom": ("Bloom", MARKS | {"hidden_size": 16, "n_layer": 2, "n_head": 2}),
}


def tiny(kind: str, **more: Any) -> Any:
    """A random model of transformers."""
    name, config = KINDS[kind]
    torch.manual_seed(0)
    made = getattr(transformers, f"{name}ForCausalLM" if name != "GPT2" else "GPT2LMHeadModel")
    found = made(getattr(transformers, f"{name}Config")(**{**config, **more}))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return found.eval()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """``written(kind)``: a directory, and the model that it holds."""

    def write(kind: str, **more: Any) -> tuple[Path, Any]:
        found = tiny(kind, **more)
        found.save_pretrained(tmp_path / kind)
        return tmp_path / kind, found

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_same_probabilities(kind: str, written: Callable[..., tuple[Path, Any]]) -> None:
    """What the model says of a text is what transformers says, as whole distributions, as scores, and token by token."""
    folder, theirs = written(kind)
    model, given = load_hf(folder), texts()
    assert model.vocabulary == Vocabulary(V, None, 1, 2)
    assert model.network.context == (None if kind == "bloom" else 16)
    rows, start = model.distributions(given), 0
    np.testing.assert_allclose(model.logp(given), rows[np.arange(len(rows)), model.targets(given)], atol=1e-5, rtol=1e-5)
    for text in range(len(given)):
        row = given.ids[given.offsets[text] : given.offsets[text + 1]].tolist()
        if len(row) < 16:
            with torch.no_grad():
                wanted = theirs(torch.tensor([[1, *row]])).logits[0].log_softmax(-1).numpy()
            np.testing.assert_allclose(rows[start : start + len(row) + 1], wanted, atol=1e-5, rtol=1e-5)
        state = model.start()
        for place, token in enumerate([*row, None]):
            np.testing.assert_allclose(model.next(state), rows[start + place], atol=2e-5, rtol=1e-5)
            state = state if token is None else model.advance(state, token)
        start += len(row) + 1


@pytest.mark.parametrize("kind", ["gpt2", "gemma2"])
def test_branches(kind: str, written: Callable[..., tuple[Path, Any]]) -> None:
    """A state can be gone on from twice."""
    network = load_hf(written(kind)[0]).network
    ids = tokens(1, 9)
    _, state = network.advance(network.start(), ids[:, :5])
    network.advance(state, tokens(1, 2, seed=3))
    states, _ = network.advance(state, ids[:, 5:])
    with torch.no_grad():
        torch.testing.assert_close(states, network.hidden(ids)[:, 5:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "phi", "gemma2"])
def test_fused_loss(kind: str, written: Callable[..., tuple[Path, Any]]) -> None:
    """A fused loss on states and head is the loss on the model's own logits, and so are the gradients."""
    folder, theirs = written(kind)
    network = load_hf(folder).network
    ids, target, loss = tokens(2, 7), tokens(2, 7, seed=4), losses.build("focal:gamma=2")
    wanted = loss(dense(theirs(ids).logits, target)).mean()
    found = fused(network.hidden(ids), network.head, target, softcap=network.softcap).mean(loss)
    torch.testing.assert_close(found, wanted)
    wanted.backward()
    found.backward()
    for (name, mine), other in zip(network.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
def test_adapters(kind: str, written: Callable[..., tuple[Path, Any]], tmp_path: Path) -> None:
    """Adapters begin as nothing, are all that is trained, and are saved by themselves."""
    pytest.importorskip("peft")
    folder, _ = written(kind)
    plain, model = load_hf(folder), load_hf(folder, lora=2)
    np.testing.assert_allclose(model.logp(texts()), plain.logp(texts()), atol=1e-5)
    network = model.network
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name for name, _ in trained)
    ids = tokens(2, 7)
    fused(network.hidden(ids), network.head, ids).mean(losses.build("cross_entropy")).backward()
    assert {name for name, p in network.named_parameters() if p.grad is not None} == {name for name, _ in trained}
    torch.optim.SGD([p for _, p in trained], 1.0).step()
    assert np.abs(model.logp(texts()) - plain.logp(texts())).max() > 1e-3
    model.write(tmp_path / "adapters")
    assert not (tmp_path / "adapters" / "model.safetensors").exists()
    again = load_hf(tmp_path / "adapters")
    assert np.array_equal(again.logp(texts()), model.logp(texts()))
    assert any(p.requires_grad for p in again.network.parameters())


def test_saved(written: Callable[..., tuple[Path, Any]], tmp_path: Path) -> None:
    """A changed model is saved as transformers saves it."""
    model = load_hf(written("gpt2")[0])
    lively(model.network)
    model.write(tmp_path / "again")
    assert np.array_equal(load_hf(tmp_path / "again").logp(texts()), model.logp(texts()))


def test_special_tokens(written: Callable[..., tuple[Path, Any]]) -> None:
    """A model without a start token gets its end token there; without either, they must be named."""
    folder, _ = written("llama", bos_token_id=None, eos_token_id=5)
    assert load_hf(folder).vocabulary == Vocabulary(V, None, 5, 5)
    assert load_hf(folder, start=7).vocabulary == Vocabulary(V, None, 7, 5)
    folder, _ = written("llama", bos_token_id=V)
    with pytest.raises(UsageError, match=rf"bos_token_id is {V}; wanted a token below {V}\..*start=N"):
        load_hf(folder)
    folder, _ = written("gpt_neox", bos_token_id=None, eos_token_id=None)
    with pytest.raises(UsageError, match=r"eos_token_id is None.*end=N"):
        load_hf(folder)
    assert load_hf(folder, end=3).vocabulary == Vocabulary(V, None, 3, 3)


def test_read_once(written: Callable[..., tuple[Path, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit reads the weights once: vocabulary, special tokens and context are those of the configuration."""
    folder, _ = written("gpt2")
    read, spec, honest = [], HfSpec(path=str(folder)), hf._pretrained
    wanted = load_hf(folder)
    monkeypatch.setattr(hf, "_pretrained", lambda name: read.append(name) or honest(name))
    assert spec.output_vocab(Vocabulary(9)) == wanted.vocabulary
    assert (spec.window, HfSpec(path=str(folder), context=7).window) == (wanted.context, 7)
    settings = Settings(model=f"hf:{folder}", task="lm", epochs=1, dtype="float32")
    trained = train(texts(), Vocabulary(V), settings, Callbacks(), folder, valid=None, seed=0)
    assert trained.model.vocabulary == wanted.vocabulary
    assert len(read) == 1


def test_context(written: Callable[..., tuple[Path, Any]]) -> None:
    """The context may be made shorter, not longer."""
    folder, _ = written("gpt2")
    assert load_hf(folder, context=8).network.context == 8
    with pytest.raises(UsageError, match="context is 17; wanted 1 to 16"):
        load_hf(folder, context=17)


def test_changed_logits() -> None:
    """A model that does more to its logits than is known here is refused, not scored wrongly."""
    made = transformers.GraniteForCausalLM(transformers.GraniteConfig(**COMMON, **GROUPED, logits_scaling=3.0))
    with pytest.raises(UsageError, match="the logits of GraniteForCausalLM are not its last layer's"):
        HfNetwork(made)


@pytest.mark.parametrize(
    "read",
    [
        load_hf,
        lambda folder: load_encoder(str(folder), "float32"),
        lambda folder: load_classifier(str(folder), 2),
        lambda folder: classifier.outline(str(folder)),
    ],
)
def test_more_layers_than_tensors(read: Callable[[Path], Any], written: Callable[..., tuple[Path, Any]]) -> None:
    """A configuration of 10⁹ layers, which transformers would make one by one, is refused before."""
    folder, _ = written("llama")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"num_hidden_layers": 10**9}), "utf-8")
    with pytest.raises(RecordError, match=r"config\.json tells of 1,000,000,000 layers, and its weights are \d+ tensors"):
        read(folder)


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_not_finite(written: Callable[..., tuple[Path, Any]], value: float) -> None:
    """Weights that are no numbers are refused by name, by the language model and by the classifier."""
    folder, theirs = written("gpt2")
    with torch.no_grad():
        theirs.transformer.h[1].mlp.c_fc.weight[0, 0] = value
    theirs.save_pretrained(folder)
    for load in (load_hf, lambda name: load_classifier(str(name), 2)):
        with pytest.raises(RecordError, match=r"gpt2: .*h\.1\.mlp\.c_fc\.weight holds values that are not finite"):
            load(folder)


def test_refused(tmp_path: Path, written: Callable[..., tuple[Path, Any]]) -> None:
    """Pickles, damage, what is no causal model, and names that nobody has: each is said in a way of its own."""
    folder, theirs = written("gpt2")
    torch.save(theirs.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").rename(folder / "away")
    with pytest.raises(UsageError, match="pickles"):
        load_hf(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(RecordError, match="cannot be read"):
        load_hf(folder)
    (folder / "model.safetensors").write_bytes((folder / "away").read_bytes()[:100])
    with pytest.raises(RecordError, match="cannot be read"):
        load_hf(folder)
    with pytest.raises(UsageError, match="no directory here"):
        load_hf(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no directory here"):
        load_hf("some/name-that-is-not-here")
