"""What must come out the same of whole runs on a device: fits, generation, resuming, smaller micro-batches."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from _gpu import Check, Place, Skipped, worst

import lossworks
from lossworks.core.errors import Interrupted
from lossworks.data import Ragged
from lossworks.engine import Callbacks, checkpoint
from lossworks.models.neural import NeuralModel
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.tokens import Vocabulary

WORDS = (("lovely", "great", "fine", "superb"), ("awful", "broken", "poor", "dreadful"))
ROWS = [(f"a {WORDS[i % 2][i // 2 % 4]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(120)]
TEXTS = [text for text, _ in ROWS]
LANGUAGE = {"task": "lm", "tokenizer": "chars", "dtype": "float32", "batch_tokens": 256, "steps": 12}
FITS: dict[str, dict[str, Any]] = {
    "linear": {"model": "linear:bits=12", "epochs": 3},
    "bag": {"model": "bag:dim=8,bits=12", "epochs": 3},
    "transformer_encoder": {"model": "transformer_encoder:dim=16,heads=2,layers=1,dropout=0", "epochs": 3},
    "rnn_encoder": {"model": "rnn_encoder:dim=8,pooling=last", "epochs": 3},
    "linear, penalty and risk": {
        "model": "linear:bits=12",
        "penalty": "l1:strength=0.001",
        "risk": "cvar:alpha=0.5",
        "epochs": 3,
    },
    "transformer": {"model": "transformer:layers=2,dim=16,heads=2,context=32", "optimizer": "adamw:lr=0.01", **LANGUAGE},
    "rnn": {"model": "rnn:layers=1,dim=16", "optimizer": "adamw:lr=0.01", **LANGUAGE},
}


def fits(on: Place) -> Iterator[Check]:
    """Whole fits: what they then say of the texts, beside what the same fit on the CPU says (in float32 both)."""
    for name in on.some(list(FITS), "linear", "transformer"):
        yield Check(name, 2e-2, partial(_fit_error, on, FITS[name]))


def _fit_error(on: Place, choices: dict[str, Any]) -> float:
    lm = "task" in choices

    def said(device: str) -> torch.Tensor:
        trained: Any = lossworks.fit(TEXTS if lm else ROWS, device=device, **choices)
        return torch.tensor([trained.perplexity(TEXTS)] if lm else trained.predict_proba(TEXTS))

    return worst([said(on.device)], [said("cpu")])


def generation(on: Place) -> Iterator[Check]:
    """Greedy tokens as on the CPU in float64; with what is kept of the past as when all is read at once."""
    size: dict[str, Any] = {"dim": 16} if on.tiny else {"dim": 128}
    specs = {"transformer": TransformerSpec(heads=4, kv_heads=2, layers=2, context=24, **size), "rnn": RnnSpec(**size)}
    for name, spec in specs.items():
        network = spec.network(40, 1)
        with torch.no_grad():  # larger weights: what is likely then depends on what was read
            for p in network.parameters():
                p.mul_(3)
        yield Check(f"{name}, greedy, float64", 0.0, partial(_greedy_error, on, network))
        for dtype, limit in ((torch.float32, 1e-3), (torch.float64, 1e-9)):  # in float32 a CPU has a way of its own
            yield Check(f"{name}, cached and whole, {dtype}", limit, partial(_cache_error, on, network, dtype))


def _model(network: Any, device: str, dtype: torch.dtype) -> NeuralModel:
    return NeuralModel(copy.deepcopy(network).to(device, dtype).eval(), Vocabulary(40), ends=False)


def _greedy_error(on: Place, network: Any) -> float:
    """The share of tokens that differ."""

    def tokens(device: str) -> list[int]:
        model, drawn = _model(network, device, torch.float64), list[int]()
        state = model.start()
        for _ in range(40):  # beyond the context too
            drawn.append(int(model.next(state).argmax()))
            state = model.advance(state, drawn[-1])
        return drawn

    return float(np.mean(np.array(tokens(on.device)) != np.array(tokens("cpu"))))


def _cache_error(on: Place, network: Any, dtype: torch.dtype) -> float:
    ids = np.random.default_rng(0).integers(3, 40, 20).astype(np.uint16)
    model, stepped = _model(network, on.device, dtype), []
    state = model.start()
    for token in ids.tolist():
        stepped.append(model.next(state))
        state = model.advance(state, token)
    whole = _model(network, "cpu", torch.float64).distributions(Ragged(ids, np.array([0, len(ids)])))
    return worst([torch.from_numpy(np.stack(stepped))], [torch.from_numpy(whole)])


def resuming(on: Place) -> Iterator[Check]:
    """Interrupted, saved and gone on with, a run on the device ends in the same bits as one that was left alone."""
    cases = {
        "transformer, dropout": FITS["transformer"]
        | {"model": "transformer:layers=1,dim=16,heads=2,context=32,dropout=0.2", "ema": 0.9},
        "bag, muon": FITS["bag"] | {"optimizer": "muon"},
    }
    for name in on.some(list(cases), "transformer, dropout"):
        yield Check(f"{name}: bits", 0.0, partial(_resumed_error, on, cases[name]))


@contextmanager
def _deterministic() -> Iterator[None]:
    """PyTorch takes the kernels that add in a fixed order, where it has them."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@_deterministic()
def _resumed_error(on: Place, choices: dict[str, Any]) -> float:
    """0 where the resumed run ends in the bits of the other, else 1."""
    data: Any = TEXTS if "task" in choices else ROWS

    def digest(trained: Any) -> str:
        inner = trained.model if "task" in choices else trained.predictor
        return checkpoint.digest(inner.network)

    left_alone, again = (digest(lossworks.fit(data, device=on.device, **choices)) for _ in range(2))
    if left_alone != again:
        raise ValueError("two runs alike do not end in the same bits: a kernel adds in no fixed order")
    with tempfile.TemporaryDirectory() as folder:
        how: dict[str, Any] = {"device": on.device, "out": Path(folder) / "run", **choices}
        stop, steps = Event(), count(1)
        callbacks = Callbacks(stop=stop, stepped=lambda: stop.set() if next(steps) == 5 else None)
        with suppress(Interrupted):
            lossworks.fit(data, callbacks=callbacks, **how)
            raise ValueError("the run was not interrupted")
        resumed = lossworks.fit(data, resume=True, **how)
        return float(digest(resumed) != left_alone)


def out_of_memory(on: Place) -> Iterator[Check]:
    """Where memory runs out the micro-batches are halved; the fit is that of small ones. Provoked by a limit of the process."""
    yield Check("micro-batches halved", 2e-2, partial(_halved_error, on))


def _halved_error(on: Place) -> float:
    if not on.is_cuda:
        raise Skipped("a device of CUDA's alone can be given less memory")
    rows = [(" ".join(TEXTS[n:] + TEXTS[:n]), label) for n, (_, label) in enumerate(ROWS[:64])]
    choices: dict[str, Any] = {
        "model": "transformer_encoder:dim=256,heads=4,layers=4,context=256,dropout=0",
        "epochs": 1, "batch_size": 48, "micro_batch": 48, "valid": 0.1, "test": 0.0, "optimizer": "sgd:lr=0.1",
    }  # fmt: skip
    small: Any = lossworks.fit(rows, device=on.device, **choices | {"micro_batch": 6})
    seen = list[tuple[str, dict[str, Any]]]()
    torch.cuda.empty_cache()
    free = torch.cuda.memory_reserved(on.device) + 400 * 2**20
    whole = torch.cuda.get_device_properties(on.device).total_memory
    torch.cuda.set_per_process_memory_fraction(free / whole, on.device)
    try:
        callbacks = Callbacks(watch=lambda event, fields: seen.append((event, fields)))
        found: Any = lossworks.fit(rows, device=on.device, callbacks=callbacks, **choices)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, on.device)
    if not any(event == "memory" for event, _ in seen):
        raise Skipped("the limit was not reached: nothing had to be halved")
    return worst([torch.tensor(found.predict_proba(TEXTS))], [torch.tensor(small.predict_proba(TEXTS))])
