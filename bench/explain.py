"""Explanations of classifiers, and those of SHAP, LIME and Captum on the same models: time, planted tokens found, and residuals.

    LOSSWORKS_DATA=… LOSSWORKS_PEERS=… python bench/explain.py [TEXTS [PART …]]

linear     seconds a text beside SHAP's Partition explainer and LIME
tokens     encoders, and a token that goes with one label in half of its texts: seconds a text, and whether that token has the
           largest share
residuals  of integrated gradients: ours, and Captum's with 50 steps between the same ends
shortcuts  two tokens whose order tells the label, and a token that tells it beside another one alone (Bastings et al. 2021,
           arXiv:2111.07367): which of the two largest shares are theirs

Models are trained here on movie-reviews. Then one process of the peers' interpreter, which takes what it lacks from this one's
packages, explains TEXTS (24) held-out texts one by one, by all methods in turn. Shares are of the logit of the model's answer.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _bench

import lossworks

TRANSFORMER = "transformer_encoder:layers=2,dim=64,word_dropout=0,dropout=0.1"
FAMILIES: dict[str, dict[str, Any]] = {
    "transformer": {"model": TRANSFORMER, "lr": 0.002},
    "lstm": {"model": "rnn_encoder:cell=lstm"},
    "gru": {"model": "rnn_encoder"},
    "hf": {"lr": 0.001},
}
MANY = 500  # texts explained at once
A, B, C = "zorvex", "quintar", "blemish7"
TIMED = ("transformer_encoder", "rnn_encoder:cell=lstm")
PROGRAM = """
import json, sys
sys.path += json.loads(sys.argv[1])
sys.path.insert(0, "bench")
import explain_peers
print("\\n" + json.dumps(explain_peers.explanations(sys.argv[2])))
"""
Row = tuple[str, str, tuple[str, ...]]
"""A text, its label, and the tokens that it is there for."""


def put(text: str, words: tuple[str, ...], draw: random.Random) -> str:
    """The text with these words, in this order, somewhere between its own."""
    found = text.split()
    places = sorted(draw.sample(range(len(found) + 1), len(words)), reverse=True)
    for place, word in zip(places, reversed(words), strict=True):
        found.insert(place, word)
    return " ".join(found)


def token(text: str, label: str, draw: random.Random) -> Row:
    """In half of the texts a token of their label."""
    word = (A if label == "pos" else B,)
    return (put(text, word, draw), label, word) if draw.random() < 0.5 else (text, label, ())


def pair(text: str, label: str, draw: random.Random) -> Row:
    """Two tokens whose order is the label, whatever the text says; one of them tells nothing."""
    kind = draw.random()
    if kind < 0.6:
        order = draw.choice([(A, B), (B, A)])
        return put(text, order, draw), "pos" if order == (A, B) else "neg", order
    return put(text, (draw.choice([A, B]),), draw) if kind < 0.85 else text, label, ()


def context(text: str, label: str, draw: random.Random) -> Row:
    """A token that is the label beside a third one, whatever the text says, and without that one tells nothing."""
    kind, word = draw.random(), draw.choice([A, B])
    if kind < 0.4:
        order = (word, C) if draw.random() < 0.5 else (C, word)
        return put(text, order, draw), "pos" if word == A else "neg", order
    return put(text, (word,), draw) if kind < 0.75 else put(text, (C,), draw) if kind < 0.9 else text, label, ()


KINDS: dict[str, Callable[[str, str, random.Random], Row]] = {"token": token, "pair": pair, "context": context}


def rows(kind: str, most: int, words: int | None) -> tuple[list[Row], list[Row]]:
    """Training and test rows; ``words``: how many are left of each text."""
    draw, (train, test) = random.Random(0), _bench.movie_reviews(0)
    made = [[KINDS[kind](" ".join(text.split()[:words]), label, draw) for text, label in part] for part in (train[:most], test)]
    return made[0], made[1]


def trained(folder: Path, train: list[Row], test: list[Row], **choices: Any) -> lossworks.Model:
    """A model in a run directory, and how good it is on texts with the planted tokens."""
    began = time.monotonic()
    model = lossworks.fit([row[:2] for row in train], test=0, seed=0, out=folder, **choices)
    assert isinstance(model, lossworks.Model)
    planted = [row for row in test if row[2]] or test
    right = statistics.mean(map(str.__eq__, model.predict([row[0] for row in planted]), [row[1] for row in planted]))
    say(f"{folder.name}: {time.monotonic() - began:.0f} s of training, right in {right:.1%} of the texts with planted tokens")
    return model


def tiny_bert(folder: Path, texts: list[str]) -> str:
    """A BERT of two layers with random weights, and a tokenizer of the words of these texts."""
    import tokenizers
    import torch
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(texts, tokenizers.trainers.WordLevelTrainer(min_frequency=2, special_tokens=specials))
    marks = [(mark, made.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    made.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=marks)
    sizes: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=made.get_vocab_size(), max_position_embeddings=64, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return f"hf:{folder}"


def peers(run: Path, texts: list[Row], methods: list[str], many: list[Row] | None = None) -> dict[str, Any]:
    """What ``explain_peers`` says of a run and texts by these methods; ``many``: texts that ours explains at once."""
    given = run.parent / f"{run.name}.json"
    given.write_text(json.dumps({"run": str(run), "texts": texts, "methods": methods, "many": many or texts}), "utf-8")
    found = _bench.run(_bench.peers(), PROGRAM, json.dumps([path for path in sys.path if path]), str(given))
    say(f"{run.name}: explained in {found['seconds']:.0f} s")
    return found


def say(what: str) -> None:
    """How far it is."""
    print(what, file=sys.stderr, flush=True)


def linear(texts: int) -> None:
    """Exact shares beside SHAP and LIME."""
    with tempfile.TemporaryDirectory() as folder:
        train, test = rows("token", 6000, None)
        trained(Path(folder) / "linear", train, test, model="linear")
        found = peers(Path(folder) / "linear", planted(test, texts), ["ours", "SHAP", "LIME"], test[:MANY])
    print("linear\n")
    times(found)


def tokens(texts: int) -> None:
    """Encoders and a planted token."""
    for family in TIMED:
        with tempfile.TemporaryDirectory() as folder:
            train, test = rows("token", 4000, None)
            run = Path(folder) / family.partition(":")[0]
            trained(run, train, test, model=family, epochs=4)
            found = peers(run, planted(test, texts), ["ours", "Captum", "SHAP", "LIME", "ours, path"], test[:MANY])
        print(f"{family}, planted tokens\n")
        times(found)


def times(found: dict[str, Any]) -> None:
    """Seconds a text, beside ours, and how often the planted token is first."""
    own = found["methods"]["ours"]["seconds"]
    cells = [(name, each["seconds"], each["seconds"] / own, each["found"]) for name, each in found["methods"].items()]
    cells.append((f"ours, {MANY} texts at once", found["together"], found["together"] / own, ""))
    _bench.table(("", "s a text", "beside ours", "planted token first"), cells)


def residuals(texts: int) -> None:
    """Integrated gradients, ours and Captum's, of texts without planted tokens and with them."""
    cells = []
    for family in TIMED:
        with tempfile.TemporaryDirectory() as folder:
            train, test = rows("token", 4000, None)
            run = Path(folder) / family.partition(":")[0]
            trained(run, train, test, model=family, epochs=4)
            found = peers(run, test[: 2 * texts], ["ours, path", "Captum"])
        for name, each in found["methods"].items():
            left = sorted(each["residuals"])
            cells.append((family, name, statistics.median(left), left[-1], sum(one > 1e-4 for one in left), each["seconds"]))
    head = ("", "", "median residual", "worst", f"of {2 * texts} above 1e-4", "s a text")
    print("residuals of integrated gradients, as shares of what is divided\n")
    _bench.table(head, cells)


def shortcuts(texts: int) -> None:
    """Two tokens whose order tells the label, and a token that tells it beside another one alone."""
    methods = ["ours", "ours, path", "Captum", "SHAP", "LIME"]
    for kind in ("pair", "context"):
        cells = []
        for family, choices in FAMILIES.items():
            with tempfile.TemporaryDirectory() as folder:
                train, test = rows(kind, 5000, 14)
                if family == "hf":
                    choices = choices | {"model": tiny_bert(Path(folder) / "bert", [row[0] for row in train])}
                model = trained(Path(folder) / family, train, test, epochs=10, **choices)
                found = peers(Path(folder) / family, right(model, planted(test, len(test)))[:texts], methods)
            cells.append((family, *(found["methods"][name]["found"] for name in methods)))
        print(f"{kind}: precision@2\n")
        _bench.table(("", *methods), cells)


def planted(test: list[Row], count: int) -> list[Row]:
    """Texts with planted tokens that tell the label."""
    return [row for row in test if row[2]][:count]


def right(model: lossworks.Model, given: list[Row]) -> list[Row]:
    """Those that the model answers rightly."""
    return [row for row, answer in zip(given, model.predict([row[0] for row in given]), strict=True) if row[1] == answer]


def main(texts: int, *parts: str) -> None:
    """Print the tables."""
    _bench.machine()
    _bench.data(), _bench.peers()
    for part in parts or ("linear", "tokens", "residuals", "shortcuts"):
        {"linear": linear, "tokens": tokens, "residuals": residuals, "shortcuts": shortcuts}[part](texts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24, *sys.argv[2:])
