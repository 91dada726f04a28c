"""Transformers written as, and read from, directories of Hugging Face's Llama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lossworks.core.errors import RecordError, UsageError
from lossworks.inference import Beams, Sampling, beam_search, generate
from lossworks.interop import llama
from lossworks.interop.hugging_face import write_tokenizer
from lossworks.interop.llama import export_llama, import_llama
from lossworks.interop.llama_config import read_config
from lossworks.models.neural import NeuralModel
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.tokens import Vocabulary
from models.neural.checks import V, lively, texts, tokens

SPECS = {
    "tied": TransformerSpec(layers=2, heads=4, dim=32, context=32),
    "untied": TransformerSpec(layers=1, heads=2, dim=16, context=32, ffn=20, tied=False, theta=500.0, eps=1e-6),
    "grouped": TransformerSpec(layers=3, heads=6, kv_heads=2, dim=36, context=32),
    "wide heads": TransformerSpec(layers=2, heads=3, kv_heads=1, head_dim=10, dim=24, context=32, tied=False),
    "window": TransformerSpec(layers=2, heads=4, kv_heads=2, dim=32, context=32, window=5),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to read."""
    folder = tmp_path_factory.mktemp("llama")
    export_llama(model("tied"), folder)
    return folder


def model(name: str) -> NeuralModel:
    """A model with lively weights."""
    network = SPECS[name].network(V)
    lively(network, 0.25)
    return NeuralModel(network.eval(), Vocabulary(V))


@pytest.fixture
def theirs() -> Any:
    """transformers' way of reading a directory."""
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", SPECS)
def test_same_in_transformers(name: str, theirs: Any, tmp_path: Path) -> None:
    """transformers has the same logits, and generates the same tokens; what it writes again is read with the same bits."""
    ours = model(name)
    export_llama(ours, tmp_path)
    other = theirs(tmp_path).eval()
    ids = tokens(3, 20)
    with torch.no_grad():
        wanted = ours.network.logits(ours.network.hidden(ids))
        torch.testing.assert_close(other(ids).logits, wanted, atol=1e-5, rtol=1e-5)
        found = other.generate(ids[:1, :4], max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0)
    states, state = ours.network.advance(ours.network.start(), ids[:1, :4])
    for token in found[0, 4:].tolist():
        assert int(ours.network.logits(states[:, -1]).argmax()) == token
        states, state = ours.network.advance(state, torch.tensor([[token]]))
    for size in ("1GB", "5KB"):
        other.save_pretrained(tmp_path / size, max_shard_size=size)
        again = import_llama(tmp_path / size)
        assert np.array_equal(again.logp(texts()), ours.logp(texts()))
        assert again.vocabulary == Vocabulary(V, None, 1, 2)
    assert (tmp_path / "5KB" / "model.safetensors.index.json").exists()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_generates_as_transformers(exported: Path, theirs: Any) -> None:
    """The same texts as ``generate``'s, with a penalty on repetition, without n-grams that repeat, and by beams."""
    ours, other = import_llama(exported), theirs(exported).eval()
    start, end = ours.vocabulary.start, ours.vocabulary.end
    fixed = {"do_sample": False, "suppress_tokens": [start], "eos_token_id": end, "pad_token_id": 0, "max_new_tokens": 16}
    random, ended = np.random.default_rng(0), 0
    for prompt in ([], [5], [4, 7, 4, 7, 4]):
        ids = torch.tensor([[start, *prompt]])
        for how in ({"repetition_penalty": 1.7}, {"no_repeat_ngram": 2}, {"no_repeat_ngram": 1, "repetition_penalty": 0.6}):
            renamed = {{"no_repeat_ngram": "no_repeat_ngram_size"}.get(name, name): value for name, value in how.items()}
            for width, penalty in ((1, 1.0), (3, 1.0), (4, -0.5), (4, 2.0)):
                beams = {"num_beams": width, "num_return_sequences": width, "length_penalty": penalty} if width > 1 else {}
                wanted = [[*row[ids.shape[1] :].tolist(), end] for row in other.generate(ids, **fixed, **renamed, **beams)]
                wanted = [row[: row.index(end)] for row in wanted]
                if width == 1:
                    found = [generate(ours, prompt, 16, Sampling(temperature=0, **how), random)]
                else:
                    search = Beams(width=width, length_penalty=penalty)
                    found = [tokens for tokens, _ in beam_search(ours, prompt, 16, search, Sampling(**how))]
                assert found == wanted, (prompt, how, width, penalty)
                ended += sum(len(row) < 16 for row in found)
    assert ended > 5


@pytest.mark.parametrize("name", SPECS)
def test_there_and_back(name: str, tmp_path: Path) -> None:
    """What was exported is imported with the same bits; tied weights are written once and shared again."""
    before = model(name)
    export_llama(before, tmp_path)
    after = import_llama(tmp_path)
    assert np.array_equal(after.logp(texts()), before.logp(texts()))
    assert ("lm_head.weight" in load_file(tmp_path / "model.safetensors")) != SPECS[name].tied
    parameters = [sum(p.numel() for p in each.network.parameters()) for each in (before, after)]
    assert parameters[0] == parameters[1]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_tokenizer(tmp_path: Path) -> None:
    """The tokenizer goes along: transformers' puts the start mark first, and the model reads what it gives."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    words = ["<unk>", "<s>", "</s>", *(f"w{number}" for number in range(V - 3))]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    export_llama(model("tied"), tmp_path)
    write_tokenizer(tokenizer, model("tied"), tmp_path)
    read = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert read("w0 w5 other")["input_ids"] == [1, 3, 8, 0]
    assert (read.bos_token, read.eos_token, read.unk_token) == ("<s>", "</s>", "<unk>")
    assert tokenizer.encode("w0").ids == [3]  # ours is as it was
    large = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate([*words, "more"])}, "<unk>"))
    with pytest.raises(UsageError, match=f"the tokenizer has {V + 1} tokens and the model {V}"):
        write_tokenizer(large, model("tied"), tmp_path)


def test_older_configuration(tmp_path: Path) -> None:
    """What transformers wrote before version 5 is read too, and what it left out is as it was there."""
    export_llama(model("untied"), tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text("utf-8"))
    for key in ("rope_parameters", "head_dim", "num_key_value_heads", "attention_bias", "mlp_bias"):
        del config[key]
    path.write_text(json.dumps({**config, "rope_scaling": None}), "utf-8")
    assert np.array_equal(import_llama(tmp_path).logp(texts()), model("untied").logp(texts()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "qwen2"}, "is a 'qwen2' model"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "scaled \\('llama3'\\)"),
        ({"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "scaled \\('linear'\\)"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"bos_token_id": None}, "bos_token_id is None.*start=N"),
        ({"eos_token_id": [2, 3]}, "eos_token_id is .*end=N"),
        ({"eos_token_id": V}, f"eos_token_id is {V}"),
    ],
)
def test_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    """What a transformer of ours has not is refused by its name."""
    export_llama(model("tied"), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(UsageError, match=said):
        import_llama(tmp_path)


@pytest.mark.parametrize("huge", [10**12, float("inf"), [32], 1 << 31])
@pytest.mark.parametrize(
    "key", ["vocab_size", "hidden_size", "num_hidden_layers", "num_key_value_heads", "max_position_embeddings"]
)
def test_hostile_configuration(key: str, huge: Any, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that no model has, and what is no number, are refused by their name before anything is built or read."""
    monkeypatch.setattr(TransformerSpec, "network", None)
    monkeypatch.setattr(llama, "read_tensors", None)
    config = json.loads((exported / "config.json").read_text("utf-8"))
    (exported / "odd.json").write_text(json.dumps(config | {key: huge}), "utf-8")
    monkeypatch.setattr(llama, "read_config", lambda path: read_config(path.with_name("odd.json")))
    with pytest.raises(
        RecordError, match=rf"Expected .*\$\.{key}|layers.2.* is missing|kv_heads=2147483648|wanted \[[\d, ]*2147483648"
    ):
        import_llama(exported)


def test_named_marks(tmp_path: Path) -> None:
    """Marks that the configuration leaves open can be named."""
    export_llama(model("tied"), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"bos_token_id": None, "eos_token_id": [2, 3]}), "utf-8")
    assert import_llama(tmp_path, start=4, end=3).vocabulary == Vocabulary(V, None, 4, 3)


def test_damaged(tmp_path: Path) -> None:
    """Missing and damaged files are RecordErrors that name the place; weights of other layers are told apart from those."""
    export_llama(model("tied"), tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    tensors = {name: tensor.clone() for name, tensor in load_file(weights).items()}
    name = "model.layers.1.self_attn.k_proj.weight"
    for other, error, said in (
        ({key: tensors[key] for key in tensors if key != name}, RecordError, f"{name} is missing"),
        ({**tensors, name: torch.ones(3)}, RecordError, f"{name} is \\[3\\]"),
        ({**tensors, name: tensors[name] * torch.nan}, RecordError, f"{name} holds values that are not finite"),
        ({**tensors, "model.layers.0.self_attn.q_proj.bias": torch.ones(32)}, UsageError, "q_proj.bias"),
    ):
        save_file(other, weights)
        with pytest.raises(error, match=said):
            import_llama(tmp_path)
    weights.write_bytes(b"short")
    with pytest.raises(RecordError, match="damaged"):
        import_llama(tmp_path)
    weights.unlink()
    for index in (
        {"weight_map": {"a": "../a"}},
        {"weight_map": {}},
        {"weight_map": None},
        {"weight_map": {"a": 1, "b": "c"}},
        {},
        [],
    ):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
        with pytest.raises(RecordError, match=r"index\.json"):
            import_llama(tmp_path)
    (tmp_path / "model.safetensors.index.json").unlink()
    with pytest.raises(RecordError, match="neither"):
        import_llama(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"pickles.*save_pretrained"):
        import_llama(tmp_path)
    for text in ("[]", "{}", '{"model_type": "llama", "vocab_size": 5}', '{"model_type": "llama", "vocab_size": "many"}'):
        config.write_text(text, "utf-8")
        with pytest.raises((RecordError, UsageError), match=str(tmp_path)):
            import_llama(tmp_path)


def test_only_transformers(tmp_path: Path) -> None:
    """A recurrent network has no such form."""
    with pytest.raises(UsageError, match="got a Rnn"):
        export_llama(NeuralModel(RnnSpec(dim=8).network(V), Vocabulary(V)), tmp_path)
