"""Makes keras_reference.json: what Keras computes for the classic embedding + average pooling classifier.

Run by hand, outside the checks, in an environment of its own that has `tensorflow-cpu`:

    python tests/parity/make_keras_reference.py

The network is Embedding(vocabulary, 16) → GlobalAveragePooling1D → Dense. Every run starts from the same weights,
takes the sentences in the order they stand in (nine of them in batches of two, so the last batch of an epoch is a
single sentence), in float32, for ten epochs. The averages of Adam and RMSprop decay in the rows that a batch does not
touch, and Adam moves those rows: nothing here is lazy.

One thing of Keras's is not in the textbooks. On TensorFlow the gradient of an embedding comes as one slice for each
occurrence of an id, and Adam, Adagrad and RMSprop square the slices before they add them up: a row's second moment gets
the sum of squares where the definition has the square of the sum. The two part only where an id stands twice in a
batch. Here no word does, so only padding does, and that counts only in the networks without a mask. Those are recorded
both ways: `row_gradient` is "occurrences" for Keras as it comes, "summed" for the definition.
"""

from __future__ import annotations

import itertools
import json
import re
import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, losses, optimizers

WIDTH, EPOCHS, BATCH = 16, 10, 2
PADDING, UNKNOWN, FIRST = 0, 1, 2

# The sentence, whether it praises, and what it talks about: 0 all in all, 1 the thing itself, 2 money and service.
EXAMPLES = [
    ("I love this product!", 1, 0),
    ("Not worth the money.", 0, 2),
    ("I am not satisfied with this product.", 0, 0),
    ("Great value and very fast delivery!", 1, 2),
    ("The battery lasts long and charges quickly.", 1, 1),
    ("It broke after two days, very disappointing.", 0, 1),
    ("This is the best purchase of my life!", 1, 0),
    ("Bad sound and it feels cheap.", 0, 1),
    ("Very good quality, I would buy it again.", 1, 1),
]
NEW = ["I really love the battery.", "The delivery is bad and it broke."]
SENTENCES = [sentence for sentence, _, _ in EXAMPLES]
PRAISE = [praise for _, praise, _ in EXAMPLES]
TOPICS = [topic for _, _, topic in EXAMPLES]


@dataclass(frozen=True)
class Program:
    """One network. One class is a sigmoid, several are a softmax.

    Without the mask, padding counts in the average: the classic form. ``length`` None is the longest sentence's; 4 cuts
    every sentence to the shortest one's length, so that nothing is padded.
    """

    classes: int
    mask_zero: bool
    length: int | None = None


PROGRAMS = {
    "sigmoid": Program(1, mask_zero=False),
    "sigmoid_cut": Program(1, mask_zero=False, length=4),
    "sigmoid_masked": Program(1, mask_zero=True),
    "softmax": Program(3, mask_zero=False),
    "softmax_masked": Program(3, mask_zero=True),
}

# Each at Keras's own learning rate, and at one that moves these few sentences far enough to tell two updates apart.
RATES = {
    optimizers.Adam: (0.001, 0.05),
    optimizers.SGD: (0.01, 1.0),
    optimizers.Adagrad: (0.001, 0.3),
    optimizers.RMSprop: (0.001, 0.02),
}

SETTINGS = ("beta_1", "beta_2", "rho", "momentum", "centered", "epsilon", "initial_accumulator_value")

UPDATES = {
    "adam": "m += (g - m)(1 - beta_1); v += (g^2 - v)(1 - beta_2); "
    "w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon): epsilon beside the root of the uncorrected v",
    "sgd": "w -= lr g",
    "adagrad": "a += g^2; w -= lr g / sqrt(a + epsilon): epsilon under the root; a starts at initial_accumulator_value",
    "rmsprop": "v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + epsilon): epsilon under the root",
}


def words(sentence: str) -> list[str]:
    """Lower case, punctuation dropped, split at spaces."""
    return sentence.lower().translate(str.maketrans("", "", string.punctuation)).split()


def vocabulary(sentences: list[str]) -> dict[str, int]:
    """Ids from 2 on, the most frequent word first, equally frequent ones in order of first appearance."""
    counts = Counter(word for sentence in sentences for word in words(sentence))
    return {word: FIRST + rank for rank, (word, _) in enumerate(counts.most_common())}


def encode(sentences: list[str], ids: dict[str, int], length: int) -> np.ndarray:
    """Ids, shape [sentences, length], cut or padded at the end."""
    rows = [[ids.get(word, UNKNOWN) for word in words(sentence)][:length] for sentence in sentences]
    return np.array([row + [PADDING] * (length - len(row)) for row in rows], dtype=np.int32)


def build(program: Program, vocab: int, length: int) -> keras.Model:
    """The network, with Keras's own initial weights for seed 0."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            layers.Embedding(vocab, WIDTH, mask_zero=program.mask_zero),
            layers.GlobalAveragePooling1D(),
            layers.Dense(program.classes, activation="sigmoid" if program.classes == 1 else "softmax"),
        ]
    )


def summed(kind: type[optimizers.Optimizer]) -> type[optimizers.Optimizer]:
    """The optimiser with each embedding row's gradient summed before the update sees it."""

    class Summed(kind):  # type: ignore[valid-type, misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(tf.convert_to_tensor(gradient), variable, learning_rate)

    return Summed


def train(model: keras.Model, optimizer: optimizers.Optimizer, ids: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """One run from the model's weights: the losses as `fit` reports them, and their exact means over each epoch."""
    start = model.get_weights()
    loss = losses.BinaryCrossentropy() if target.shape[1] == 1 else losses.CategoricalCrossentropy()
    fresh = optimizer.from_config(optimizer.get_config())

    model.compile(optimizer, loss)
    reported = model.fit(ids, target, BATCH, EPOCHS, shuffle=False, verbose=0).history["loss"]
    end = model.get_weights()

    # `fit` keeps a running mean in float32. The same steps again, one batch at a time, give the sum in float64.
    model.set_weights(start)
    model.compile(fresh, loss)
    means = []
    for _ in range(EPOCHS):
        batches = [(ids[at : at + BATCH], target[at : at + BATCH]) for at in range(0, len(ids), BATCH)]
        means.append(sum(len(x) * float(model.train_on_batch(x, y)) for x, y in batches) / len(ids))
    again = zip(end, model.get_weights(), strict=True)
    assert all(np.allclose(a, b, rtol=0, atol=1e-5) for a, b in again), "the second run went another way"
    assert np.allclose(reported, means, rtol=0, atol=1e-6), "the exact means are not those of the reported losses"
    return {"losses": reported, "epoch_means": means}


def predict(model: keras.Model, ids: np.ndarray) -> list[Any]:
    """Probabilities: a number per sentence, or a list of them per class."""
    probabilities = model(ids).numpy()
    return (probabilities[:, 0] if probabilities.shape[1] == 1 else probabilities).tolist()


def record(program: Program, known: dict[str, int]) -> dict[str, Any]:
    """One network with its ids and initial weights, trained by every optimiser at both its rates."""
    vocab = FIRST + len(known)
    length = program.length or max(len(words(sentence)) for sentence in SENTENCES)
    ids, new = encode(SENTENCES, known, length), encode(NEW, known, length)
    labels = PRAISE if program.classes == 1 else TOPICS
    target = np.array(labels)[:, None] if program.classes == 1 else np.eye(program.classes)[labels]

    rows = ("occurrences", "summed") if (ids == PADDING).any() and not program.mask_zero else ("occurrences",)
    runs = []
    for kind, rates in RATES.items():
        for rate, row in itertools.product(rates, rows):
            model = build(program, vocab, length)
            optimizer = (summed(kind) if row == "summed" else kind)(learning_rate=rate)
            config = {key: value for key, value in optimizer.get_config().items() if key in SETTINGS}
            run = {"optimizer": kind.__name__.lower(), "config": {"learning_rate": rate} | config, "row_gradient": row}
            run |= train(model, optimizer, ids, target.astype(np.float32))
            runs.append(run | {"predictions": predict(model, ids), "new_predictions": predict(model, new)})
    names = ("embedding", "kernel", "bias")
    initial = build(program, vocab, length).get_weights()
    return {
        "classes": program.classes,
        "mask_zero": program.mask_zero,
        "labels": labels,
        "ids": ids.tolist(),
        "new_ids": new.tolist(),
        "initial": {name: weight.tolist() for name, weight in zip(names, initial, strict=True)},
        "runs": runs,
    }


def main() -> None:
    """Write the reference beside this file."""
    tf.config.experimental.enable_op_determinism()
    for at in range(0, len(SENTENCES), BATCH):
        batch = words(" ".join(SENTENCES[at : at + BATCH]))
        assert len(set(batch)) == len(batch), f"a word stands twice in the batch {batch}"
    known = vocabulary(SENTENCES)
    reference = {
        "made_by": {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
        "sentences": SENTENCES,
        "new_sentences": NEW,
        "vocabulary": known,
        "width": WIDTH,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "order": list(range(len(SENTENCES))),
        "dtype": "float32",
        "updates": UPDATES,
        "programs": {name: record(program, known) for name, program in PROGRAMS.items()},
    }
    path = Path(__file__).with_name("keras_reference.json")
    text = json.dumps(reference, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(_numbers_on_one_line(text) + "\n", encoding="utf-8")
    print(f"wrote {path.name}: {len(PROGRAMS)} programs, a vocabulary of {FIRST + len(known)}")


def _numbers_on_one_line(text: str) -> str:
    """JSON with each innermost list on a line of its own, so that a difference can be read."""
    return re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda match: "[" + " ".join(match[1].split()) + "]", text)


if __name__ == "__main__":
    main()
