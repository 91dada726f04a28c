"""A pretrained encoder beside its peers: how fast it is fine-tuned and read, and how good few and many rows make it.

    LOSSWORKS_DATA      folder with movie-reviews and trec
    LOSSWORKS_ENCODER   a directory of Hugging Face's form, such as all-MiniLM-L6-v2's
    LOSSWORKS_PEERS     an interpreter with sentence-transformers, for `reading`; with setfit, for `accuracy`

    python bench/pretrained.py speed DATA [ROUNDS]    examples/s of fine-tuning: ours, transformers' Trainer, a loop in PyTorch
    python bench/pretrained.py reading DATA [ROUNDS]  texts/s, and how near the vectors are: ours, sentence-transformers
    python bench/pretrained.py accuracy DATA EACH DRAWS [SIDE …]
        of EACH training rows a class (0: all), in so many draws (or FIRST:LAST, the last not among them), by the sides frozen,
        contrastive, fine-tuned, setfit (its library's defaults), setfit-20 (its paper's: 20 pairs of each row's class and 20
        of others) and setfit-1 (one of each, for many rows); also the first side less each

DATA is movie_reviews or trec. The sides of `speed` have batches of the same size in float32 and a fused AdamW; the peers pad each
to its longest text. Each trains in turn, in one process; the first steps of a round are not counted.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import _bench

STEPS, UNCOUNTED, READS = 16, 3, 2000
Steps = list[float]
"""When each step ended."""


def main() -> None:
    """Print what was asked for."""
    encoder = os.environ.get("LOSSWORKS_ENCODER")
    if not encoder:
        sys.exit("skipped: LOSSWORKS_ENCODER names no directory of an encoder")
    what, name, *more = sys.argv[1:]
    train, test = getattr(_bench, name)(0)
    _bench.machine()
    if what == "speed":
        speed(encoder, name, train, int(more[0]) if more else 1)
    elif what == "reading":
        reading(encoder, name, [text for text, _ in train[:READS]], int(more[0]) if more else 1)
    else:
        draws = range(*map(int, more[1].split(":")))
        accuracy(encoder, name, train, test, int(more[0]), draws, more[2:] or list(SIDES))


def speed(encoder: str, name: str, rows: _bench.Pairs, rounds: int) -> None:
    """Examples a second of each side, medians of ``rounds``."""
    size = 32 if name == "movie_reviews" else 16  # ours by default, of so many rows
    sides = {"Lossworks": ours, "Trainer": trainer, "PyTorch": loop}
    seen: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        random.Random(number).shuffle(rows)
        for side, train in sides.items():
            ended = train(encoder, rows[: STEPS * size], size)[UNCOUNTED - 1 :]
            seen[side].append(size * (len(ended) - 1) / (ended[-1] - ended[0]))
    found = {side: statistics.median(each) for side, each in seen.items()}
    table = [[side, rate, found["Lossworks"] / rate] for side, rate in found.items()]
    _bench.table([f"{name}, batches of {size}", "examples/s", "Lossworks / it"], table)


def ours(encoder: str, rows: _bench.Pairs, size: int) -> Steps:
    """By `lossworks.fit`; what is left of its epoch is not made."""
    import lossworks
    from lossworks.engine import Callbacks

    ended: Steps = []
    callbacks = Callbacks(stepped=lambda: ended.append(time.perf_counter()))
    model = f"hf_classifier:{encoder}"
    lossworks.fit(rows, valid=rows[:2], test=0, callbacks=callbacks, model=model, batch_size=size, epochs=1)
    return ended


def network(encoder: str, rows: _bench.Pairs) -> tuple[Any, Any, list[dict[str, Any]]]:
    """For the peers: model, tokenizer, and rows as tokens with the number of their label."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

    logging.set_verbosity_error()
    labels = sorted({label for _, label in rows})
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=len(labels))
    ids = tokenizer([text for text, _ in rows], truncation=True, max_length=512)["input_ids"]
    return (
        model,
        tokenizer,
        [{"input_ids": own, "labels": labels.index(label)} for own, (_, label) in zip(ids, rows, strict=True)],
    )


def trainer(encoder: str, rows: _bench.Pairs, size: int) -> Steps:
    """By the Trainer of transformers."""
    from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    model, tokenizer, examples = network(encoder, rows)
    ended: Steps = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ended.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=size,
            num_train_epochs=1,
            learning_rate=5e-5,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
        )
        collator = DataCollatorWithPadding(tokenizer)
        Trainer(model, arguments, data_collator=collator, train_dataset=examples, callbacks=[Clock()]).train()
    return ended


def loop(encoder: str, rows: _bench.Pairs, size: int) -> Steps:
    """By a plain loop."""
    import torch

    model, tokenizer, examples = network(encoder, rows)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)
    random.Random(0).shuffle(examples)
    ended: Steps = []
    for first in range(0, len(examples), size):
        batch = tokenizer.pad(examples[first : first + size], return_tensors="pt")
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        ended.append(time.perf_counter())
    return ended


READ = """
import json, sys, time
import numpy as np
encoder, texts, out = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3]
"""
OURS = """
from lossworks.models import build
features = build(f"hf_frozen:{encoder}{sys.argv[4]}").features()
features.prepare([texts])
features.states(texts[:50])
began, found = time.perf_counter(), []
for first in range(0, len(texts), features.at_once):  # as a fit reads them
    found.append(features.states(texts[first : first + features.at_once]))
seconds = time.perf_counter() - began
np.save(out, np.concatenate(found))
print(json.dumps({"seconds": seconds}))
"""
THEIRS = """
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(encoder, device="cpu")
model.encode(texts[:50])
began = time.perf_counter()
found = model.encode(texts)
seconds = time.perf_counter() - began
np.save(out, found)
print(json.dumps({"seconds": seconds}))
"""


def reading(encoder: str, name: str, texts: list[str], rounds: int) -> None:
    """Texts a second of each side in fresh processes, and how near the vectors are to the peer's."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "texts.json")
        given.write_text(json.dumps(texts))
        peer = "sentence-transformers"
        outs = {side: Path(folder, f"{side}.npy") for side in ("Lossworks", "Lossworks, float32", peer)}
        sides: dict[str, Callable[..., dict[str, Any]]] = {
            side: partial(
                _bench.run,
                _bench.peers() if side == peer else sys.executable,
                READ + (THEIRS if side == peer else OURS),
                *(encoder, str(given), str(out), ",dtype=float32" if "float32" in side else ""),
            )
            for side, out in outs.items()
        }
        found = _bench.in_turn(sides, rounds)
        vectors = [np.load(path) for path in outs.values()]
    one, exact, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors)
    rates = {side: len(texts) / each["seconds"] for side, each in found.items()}
    table = [[side, rate, rates["Lossworks"] / rate] for side, rate in rates.items()]
    _bench.table([f"{name}, {len(texts):,} texts", "texts/s", "Lossworks / it"], table)
    print(f"smallest cosine {float((one * other).sum(1).min()):.4f}, of float32 {float((exact * other).sum(1).min()):.7f}\n")


SETFIT = """
import json, sys, tempfile, warnings
warnings.simplefilter("ignore")
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
encoder, (rows, test, seed, pairs) = sys.argv[1], json.load(open(sys.argv[2]))
labels = sorted({label for _, label in rows})
data = Dataset.from_dict({"text": [text for text, _ in rows], "label": [labels.index(label) for _, label in rows]})
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, batch_size=16, num_epochs=1, num_iterations=pairs, seed=seed, save_strategy="no", report_to="none"
    )
    trainer = Trainer(model=SetFitModel.from_pretrained(encoder), args=arguments, train_dataset=data)
    trainer.train()
found = trainer.model.predict([text for text, _ in test]).tolist()
print(json.dumps({"accuracy": sum(labels[int(at)] == label for at, (_, label) in zip(found, test)) / len(test)}))
"""


def setfit(pairs: int | None, encoder: str, rows: _bench.Pairs, test: _bench.Pairs, seed: int) -> float:
    """By SetFit: pairs (so many of each kind for a row; None: all, the rarer kind repeated), then logistic regression."""
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump([rows, test, seed, pairs], file)
        file.flush()
        return float(_bench.run(_bench.peers(), SETFIT, encoder, file.name)["accuracy"])


def fitted(form: str, encoder: str, rows: _bench.Pairs, test: _bench.Pairs, seed: int) -> float:
    """By our defaults."""
    import lossworks

    return float(lossworks.fit(rows, model=f"hf:{encoder}{form}", test=test, seed=seed).metrics["accuracy"]["value"])


SIDES: dict[str, Callable[..., float]] = {
    "frozen": partial(fitted, ",frozen"),
    "contrastive": partial(fitted, ",contrastive"),
    "fine-tuned": partial(fitted, ",contrastive=false"),
    "setfit": partial(setfit, None),
    "setfit-20": partial(setfit, 20),
    "setfit-1": partial(setfit, 1),
}


def accuracy(
    encoder: str, name: str, train: _bench.Pairs, test: _bench.Pairs, each: int, draws: Sequence[int], sides: list[str]
) -> None:
    """Mean and standard deviation over draws of the training rows, on the first 500 test rows; differences on the same draws."""
    of = {label: [row for row in train if row[1] == label] for label in sorted({label for _, label in train})}
    seen: dict[str, list[float]] = {side: [] for side in sides}
    for seed in draws:
        chosen = random.Random(seed)
        rows = [row for own in of.values() for row in chosen.sample(own, min(each, len(own)))] if each else train
        for side in sides:
            seen[side].append(SIDES[side](encoder, rows, test[:500], seed))
            print(name, each, side, seed, seen[side][-1], file=sys.stderr, flush=True)
    several = len(draws) > 1
    table = [
        (
            side,
            statistics.mean(found),
            statistics.stdev(found) if several else 0.0,
            _bench.paired(seen[sides[0]], found) if several else seen[sides[0]][0] - found[0],
        )
        for side, found in seen.items()
    ]
    head = (f"{name}, {each or 'all'} rows a class, {len(draws)} draws", "accuracy", "standard deviation", f"{sides[0]} less it")
    _bench.table(head, table)


if __name__ == "__main__":
    main()
