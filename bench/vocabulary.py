"""Can the backward products of a trained model skip blocks of the vocabulary whose probabilities are negligible?

A character model of the poems (the last eight characters, two hidden layers, a tied head) is trained for a few minutes; then, on
held-out positions, the dense backward products are compared with products that skip every block of rows x classes whose
probabilities, except the targets', are all below a threshold. Classes are sorted by frequency.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import Counter

import _bench
import torch
from torch import Tensor, nn
from torch.nn import functional

import lossworks

WIDTH, CONTEXT, ROWS = 128, 8, 4096
BLOCK = 512  # outcomes a block; rows a block are those of a chunk


class Model(nn.Module):
    """The last eight characters → the next one's hidden state; the head is the embedding."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, WIDTH)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.body = nn.Sequential(
            nn.Linear(CONTEXT * WIDTH, 512), nn.GELU(), nn.Linear(512, 512), nn.GELU(), nn.Linear(512, WIDTH)
        )

    def forward(self, context: Tensor) -> Tensor:
        """[N, 8] → [N, 128]."""
        hidden: Tensor = self.body(self.embedding(context).flatten(1))
        return hidden


def tokens() -> tuple[Tensor, int]:
    """The poems as one stream of characters, the most frequent being 0."""
    lines = (_bench.data() / "poetry.jsonl").open(encoding="utf-8")
    text = "\n".join(json.loads(line)["text"] for line in lines)
    order = {character: place for place, (character, _) in enumerate(Counter(text).most_common())}
    return torch.tensor([order[character] for character in text]), len(order)


def trained(stream: Tensor, classes: int, minutes: float) -> Model:
    """Trained on all but the last 200,000 characters, by Adam with the fused loss."""
    torch.manual_seed(0)
    model, windows = Model(classes), stream.unfold(0, CONTEXT + 1, 1)
    adam, start, step = torch.optim.Adam(model.parameters(), lr=3e-3), time.monotonic(), 0
    while (spent := (time.monotonic() - start) / 60) < minutes:
        for group in adam.param_groups:
            group["lr"] = 3e-3 * (1 - spent / minutes)
        batch = windows[torch.randint(len(windows) - 200_000, (1024,))]
        loss = lossworks.fused("cross_entropy", model(batch[:, :-1]), model.embedding.weight, batch[:, -1])
        adam.zero_grad()
        loss.backward()
        adam.step()
        step += 1
        if step % 50 == 0:
            print(f"step {step}, {spent:.1f} min, {float(loss):.3f} nats", file=sys.stderr)
    return model


def dense(p: Tensor, w: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The two products whole; p is the gradient into the logits."""
    return p @ w, p.T @ h


def skipping(p: Tensor, w: Tensor, h: Tensor, threshold: float, chunk: int) -> tuple[Tensor, Tensor, float]:
    """The same from the blocks that hold something above the threshold, and which share of them did."""
    d_h, d_w = torch.zeros_like(h), torch.zeros_like(w)
    kept = total = 0
    for a in range(0, len(p), chunk):
        rows = slice(a, a + chunk)
        for b in range(0, len(w), BLOCK):
            some, total = slice(b, b + BLOCK), total + 1
            part = p[rows, some]
            if part.abs().max() >= threshold:
                kept += 1
                d_h[rows].addmm_(part, w[some])
                d_w[some].addmm_(part.T, h[rows])
    return d_h, d_w, kept / total


def without_targets(p: Tensor, target: Tensor) -> Tensor:
    """The targets' own gradients are few: rows of the weight, gathered and scattered. The blocks need not hold them."""
    return p.scatter(1, target[:, None], 0)


def main() -> None:
    """Print the table."""
    _bench.machine()
    stream, classes = tokens()
    model = trained(stream, classes, float(sys.argv[1]) if sys.argv[1:] else 4.0)
    batch = stream[-200_000:].unfold(0, CONTEXT + 1, 1)[torch.randint(199_000, (ROWS,))]
    with torch.no_grad():
        hidden, weight, target = model(batch[:, :-1]), model.embedding.weight, batch[:, -1]
        z = hidden @ weight.T
        print(f"{classes} outcomes, held-out {functional.cross_entropy(z, target):.3f} nats\n")
        p = without_targets(z.softmax(-1), target)
        exact = [t.double() for t in dense(p, weight, hidden)]
        rows = []
        for chunk in (64, 512):
            for bits in (8, 12, 16, 20):
                times: dict[str, list[float]] = {"dense": [], "skip": []}
                for _ in range(3):
                    start = time.perf_counter()
                    dense(p, weight, hidden)
                    times["dense"].append(time.perf_counter() - start)
                    start = time.perf_counter()
                    d_h, d_w, kept = skipping(p, weight, hidden, 2.0**-bits, chunk)
                    times["skip"].append(time.perf_counter() - start)
                error = [float((got - want).norm() / want.norm()) for got, want in zip((d_h, d_w), exact, strict=True)]
                ratio = statistics.median(times["skip"]) / statistics.median(times["dense"])
                rows.append((f"2^-{bits}", chunk, kept, ratio, *error))
        _bench.table(
            ("threshold", "rows a block", "blocks kept", "time over dense", "error into hidden", "error into weight"), rows
        )
        half = [t.double() for t in dense(p.bfloat16(), weight.bfloat16(), hidden.bfloat16())]
        errors = [f"{float((got - want).norm() / want.norm()):.2g}" for got, want in zip(half, exact, strict=True)]
        print("For scale, the dense products in bfloat16 are off by " + " and ".join(errors))


if __name__ == "__main__":
    main()
