"""Time of one optimizer step, compared with the reference packages, on 1 M, 10 M and 100 M parameters in a Transformer's shapes.

    bench/steps.py [NAME …]

Both sides in turn, each in a fresh process with two threads, in float32, with given gradients; medians of the steps,
then of the rounds. The floor: the bytes that a step must read and write once, at the speed of a copy in the same process.
"""

from __future__ import annotations

import json
import sys

import _bench

ROUNDS = 3
SIZES = {"1 M": (1_000, 128, 4), "10 M": (5_000, 384, 5), "100 M": (32_000, 768, 11)}

COMMON = """
import json, statistics, sys, time
import numpy as np
import torch
torch.set_num_threads(2)
vocabulary, width, depth, steps = map(int, sys.argv[2:6])
torch.manual_seed(0)
class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        for name, shape in (("qkv", (3 * width, width)), ("merge", (width, width)), ("up", (4 * width, width)),
                            ("down", (width, 4 * width))):
            setattr(self, name, torch.nn.Parameter(torch.randn(shape) * 0.02))
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(depth))
        self.norm = torch.nn.LayerNorm(width)
model = Model()
parameters = list(model.parameters())
matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
rest = [p for n, p in model.named_parameters() if p.ndim < 2 or "embedding" in n]
for p in parameters:
    p.grad = torch.randn_like(p) * 1e-3
def timed(step):
    for _ in range(2):
        step()
    seen = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seen.append(time.perf_counter() - start)
    return statistics.median(seen)
"""

OURS = (
    COMMON
    + """
from lossworks.optim import build
optimizer = build(sys.argv[1]).over(model)
if hasattr(optimizer, "observe_curvature"):
    optimizer.observe_curvature(1)
step = timed(optimizer.step)
size = sum(p.numel() for p in parameters)
a, b = torch.ones(size), torch.zeros(size)
seen = timed(lambda: b.copy_(a))
print(json.dumps({"step": step, "byte": seen / (8 * size), "size": size}))
"""
)

THEIRS = (
    COMMON
    + """
import importlib
name = sys.argv[1]
import torch.optim
if name == "lion":
    from lion_pytorch import Lion; optimizer = Lion(parameters, lr=1e-4)
elif name == "schedule_free_adamw":
    from schedulefree import AdamWScheduleFree; optimizer = AdamWScheduleFree(parameters); optimizer.train()
elif name == "schedule_free_sgd":
    from schedulefree import SGDScheduleFree; optimizer = SGDScheduleFree(parameters); optimizer.train()
elif name == "prodigy":
    from prodigyopt import Prodigy; optimizer = Prodigy(parameters)
elif name == "muon":
    class Both:
        def __init__(self):
            self.every = [torch.optim.Muon(matrices), torch.optim.AdamW(rest, fused=True)]
        def step(self):
            for one in self.every: one.step()
    optimizer = Both()
elif name in (torchs := {"rmsprop": "RMSprop", "adagrad": "Adagrad", "adadelta": "Adadelta", "adamax": "Adamax", "nadam": "NAdam",
                         "radam": "RAdam"}):
    optimizer = getattr(torch.optim, torchs[name])(parameters)
else:
    import pytorch_optimizer
    optimizer = getattr(pytorch_optimizer, {"ademamix": "AdEMAMix", "adan": "Adan", "soap": "SOAP"}[name])(parameters)
print(json.dumps({"step": timed(optimizer.step)}))
"""
)

PASSES = {"lion": 5, "ademamix": 9, "adan": 11, "rmsprop": 5, "adagrad": 5} | dict.fromkeys(
    ("adadelta", "adamax", "nadam", "radam"), 7
)
"""Numbers read and written by parameter: weight, gradient and state read, weight and state written."""
NAMES = (*PASSES, "schedule_free_sgd", "schedule_free_adamw", "prodigy", "muon", "soap")


def main() -> None:
    """Print the table."""
    _bench.machine()
    rows = []
    for name in sys.argv[1:] or NAMES:
        for words, shape in SIZES.items():
            steps = 3 if name in ("muon", "soap") and words == "100 M" else {"1 M": 60, "10 M": 20, "100 M": 7}[words]
            arguments = (name, *map(str, shape), str(steps))
            sides = {
                "ours": lambda a=arguments: _bench.run(sys.executable, OURS, *a),
                "theirs": lambda a=arguments: _bench.run(_bench.peers(), THEIRS, *a),
            }
            found = _bench.in_turn(sides, 1 if name == "soap" and words == "100 M" else ROUNDS)
            ours, theirs = found["ours"]["step"], found["theirs"]["step"]
            floor = PASSES[name] * 4 * found["ours"]["size"] * found["ours"]["byte"] if name in PASSES else None
            rows.append((name, words, 1e3 * ours, 1e3 * theirs, theirs / ours, ours / floor if floor else "–"))
            print(json.dumps(rows[-1]), file=sys.stderr)
    _bench.table(("", "parameters", "ours, ms", "theirs, ms", "theirs / ours", "ours / floor"), rows)


if __name__ == "__main__":
    main()
