"""What bench/explain.py has done in the peers' interpreter: explanations of one run's texts, by ours and theirs in turn."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lossworks

Found = tuple[list[str], Any, float]
"""Passages of a text, the share of each, and what the shares leave over, as a share of what they divide."""
STEPS = 50  # Captum's default


def ours(model: lossworks.Model, method: str) -> Callable[[str], Found]:
    """Of the library."""

    def explain(text: str) -> Found:
        (found,) = model.explain([text], method=method, trial=False)
        return found.parts, found.shares, abs(found.residual / (found.value - found.baseline))

    return explain


def of_shap(model: lossworks.Model) -> Callable[[str], Found]:
    """The Partition explainer with the masker for texts, of the log-odds."""
    import shap

    def logits(texts: Sequence[str]) -> Any:
        probabilities = model.predict_proba(list(texts)).clip(1e-12)
        return np.log(probabilities / (1 - probabilities).clip(1e-12))

    explainer = shap.Explainer(logits, shap.maskers.Text(r"\W+"), silent=True)

    def explain(text: str) -> Found:
        found = explainer([text])
        answer = int(model.predict_proba([text])[0].argmax())
        return [piece.strip() for piece in found.data[0]], found.values[0][:, answer], np.nan

    return explain


def of_lime(model: lossworks.Model) -> Callable[[str], Found]:
    """5,000 samples, as it comes."""
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(random_state=0)

    def explain(text: str) -> Found:
        found = explainer.explain_instance(text, lambda some: model.predict_proba(list(some)), num_features=10_000, top_labels=1)
        words, shares = zip(*found.as_list(found.available_labels()[0]), strict=True)
        return list(words), np.array(shares), np.nan

    return explain


def of_captum(model: lossworks.Model) -> Callable[[str], Found]:
    """Integrated gradients over the vectors of tokens, from the same beginning as ours."""
    from captum.attr import LayerIntegratedGradients

    predictor: Any = model.predictor
    network, features = predictor.network, predictor.features
    path = LayerIntegratedGradients(lambda ids, lengths, sign: sign[:, None] * network.outputs(ids, lengths), network.table)
    before, after = len(features.marks().before), len(features.marks().after)

    def explain(text: str) -> Found:
        read = predictor.prepared([text])
        ids = torch.from_numpy(read.ids[read.starts[0] :][: read.lengths[0]].astype(np.int64))[None]
        begin, last = ids.clone(), ids.shape[1] - after
        begin[:, before:last] = features.silent()
        lengths = torch.tensor([ids.shape[1]])
        with torch.no_grad():
            value, baseline = (network.outputs(each, lengths).item() for each in (ids, begin))
        sign = torch.tensor([1.0 if value > 0 else -1.0])
        given = {"additional_forward_args": (lengths, sign), "target": 0, "n_steps": STEPS}
        shares = path.attribute(ids, begin, **given).sum(-1)[0].detach().numpy()
        left = abs(sign.item() * (value - baseline) - shares.sum()) / abs(value - baseline)
        return [text[first:end] for first, end in features.tokenizer.spans(text).tolist()], shares[before:last], float(left)

    return explain


def explanations(path: str) -> dict[str, Any]:
    """By each of the methods asked for, in turn: seconds of processor time a text, what was found of the planted, residuals."""
    torch.set_num_threads(1)
    began, given = time.monotonic(), json.loads(Path(path).read_text("utf-8"))
    model: Any = lossworks.load(given["run"])
    made = {"ours": ours(model, "auto"), "ours, pairs": ours(model, "pairs"), "SHAP": of_shap(model), "LIME": of_lime(model)}
    if model.predictor.features.__class__.__name__ != "HashedFeatures":
        made |= {"ours, path": ours(model, "integrated_gradients"), "Captum": of_captum(model)}
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in given["methods"]}
    for number, (text, _, words) in enumerate([given["texts"][0], *given["texts"]]):
        for name in seen:
            start = time.process_time()
            passages, shares, left = made[name](text)
            seconds = time.process_time() - start
            first = [passages[place] in words for place in np.argsort(-shares, kind="stable")[: len(words)]]
            if number:  # the first call loads what later ones have
                seen[name].append((seconds, sum(first) / max(1, len(words)), left))
    together = []
    for _ in range(5 if len(given["many"]) > len(given["texts"]) else 0):
        start = time.process_time()
        model.explain([row[0] for row in given["many"]], trial=False)
        together.append((time.process_time() - start) / len(given["many"]))
    methods = {}
    for name, rows in seen.items():
        times, shares_found, residuals = zip(*rows, strict=True)
        methods[name] = {"seconds": statistics.median(times), "found": statistics.mean(shares_found), "residuals": residuals}
    return {"methods": methods, "together": statistics.median(together or [0]), "seconds": time.monotonic() - began}


if __name__ == "__main__":
    sys.exit("skipped: bench/explain.py runs this")
