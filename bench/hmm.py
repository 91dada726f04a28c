"""Seconds per iteration of Baum–Welch, compared with hmmlearn, and time and memory of thousands of states.

    bench/hmm.py [compared|large …]

compared: the same tables and texts for both, in turn, each in a fresh process, in float64; the median of the iterations after
the first, then of the rounds. 200,000 tokens from a vocabulary of 500, as 2,000 texts of 100, as poems (with the lengths of
LOSSWORKS_DATA's, if it is set), and as one long text. hmmlearn has two implementations: log, its default, and scaling, like ours.
At 64 and 128 states it runs one iteration; its time does not depend on earlier ones.
large: an iteration over a million tokens from a vocabulary of 10,000 in texts of 100, in float32, with the process's peak memory.
"""

from __future__ import annotations

import json
import os
import sys

import _bench

STATES = (16, 64, 128)
WAYS = ("log", "scaling")
SHAPES = ("2000 x 100", "poems", "1 x 200000")
LARGE = (
    "states=2048", "states=2048,transitions=low_rank,rank=128", "states=4096,transitions=low_rank,rank=128",
    "states=4096,transitions=blocked,blocks=64",
)  # fmt: skip

COMMON = """
import json, os, statistics, sys, time
import numpy as np
states, tokens, total, shape, iterations = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
rng = np.random.default_rng(0)
if shape == "poems":
    path = os.path.join(os.environ["LOSSWORKS_DATA"], "poetry.jsonl")
    with open(path, encoding="utf-8") as file:
        lengths = [len(json.loads(line)["text"]) for line, _ in zip(file, range(20_000))]
    lengths = [size for size in lengths if size]
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), total))]
else:
    count, size = map(int, shape.split(" x "))
    lengths = [size] * count
ids = rng.zipf(1.3, sum(lengths)) % tokens
start, table = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)
"""

OURS = (
    COMMON
    + """
import torch
from lossworks.data import Ragged
from lossworks.models.hmm import BaumWelch, Chain
from lossworks.models.hmm.expectation import sizes
from lossworks.models.hmm.packing import pack
torch.set_num_threads(2)
emission = torch.from_numpy(rng.dirichlet(np.ones(tokens), states).T.copy())
chain = Chain(torch.from_numpy(start), (torch.from_numpy(table),), emission, torch.zeros(tokens, dtype=torch.int64))
width, rows = sizes(chain)
batches = list(pack(Ragged(ids.astype(np.uint32), np.cumsum([0, *lengths])), tokens, None, width, rows))
taken = []
em = BaumWelch(iterations=iterations, tolerance=-1.0, prior=0.0, patience=1, rows=rows)
found = em.run(chain, batches, None, lambda fields: taken.append(fields["seconds"]))
print(json.dumps({"seconds": statistics.median(taken[1:]), "logp": -found.nll[0] * len(ids)}))
"""
)

THEIRS = (
    COMMON
    + """
from hmmlearn.hmm import CategoricalHMM
model = CategoricalHMM(states, n_iter=iterations, tol=-np.inf, init_params="", implementation=sys.argv[6])
model.startprob_, model.transmat_, model.emissionprob_ = start, table, rng.dirichlet(np.ones(tokens), states)
began = time.perf_counter()
model.fit(ids[:, None], lengths)
print(json.dumps({"seconds": (time.perf_counter() - began) / iterations, "logp": model.monitor_.history[0]}))
"""
)

MANY = (
    COMMON
    + """
from lossworks.data import Ragged
from lossworks.core import specs
from lossworks.models import models
from lossworks.tokens import Vocabulary
import torch
torch.set_num_threads(2)
spec = specs.build(models, "hmm:" + sys.argv[6] + f",iterations={iterations},dtype=float32")
taken = []
def watch(event, fields):
    if event == "iteration" and fields["of"] == iterations:
        taken.append(fields["seconds"])
        print(fields, file=sys.stderr, flush=True)
texts = Ragged((3 + ids % (tokens - 3)).astype(np.uint32), np.cumsum([0, *lengths]))
spec.fit(texts, Vocabulary(tokens), ends=False, watch=watch)
print(json.dumps({"seconds": min(taken)}))
"""
)


def compared() -> None:
    """Print the comparison with hmmlearn."""
    rows = []
    for shape in SHAPES:
        if shape == "poems" and not os.environ.get("LOSSWORKS_DATA"):
            continue
        for states in STATES:
            given = (str(states), "500", "200000", shape)
            sides = {
                "ours": lambda given=given: _bench.run(sys.executable, OURS, *given, "6"),
            }
            for way in WAYS:
                their = (*given, "3" if states < 64 else "1", way)
                sides[way] = lambda their=their: _bench.run(_bench.peers(), THEIRS, *their)
            found = _bench.in_turn(sides, 3 if states < 64 else 1)
            ours, *theirs = (found[side]["seconds"] for side in sides)
            logp = found["ours"]["logp"]
            assert all(abs(found[way]["logp"] - logp) < 1e-9 * abs(logp) for way in WAYS)
            rows.append((shape, states, ours, *theirs, *(their / ours for their in theirs)))
            print(json.dumps(rows[-1]), file=sys.stderr)
    head = "texts", "states", "ours, s", *(f"hmmlearn {way}, s" for way in WAYS), *(f"{way} / ours" for way in WAYS)
    _bench.table(head, rows)


def large() -> None:
    """Print time and memory of large state spaces."""
    rows = []
    for keys in LARGE:
        found = _bench.run(sys.executable, MANY, "1", "10000", "1000000", "10000 x 100", "2", keys)
        rows.append((keys, found["seconds"], found["memory"]))
        print(json.dumps(rows[-1]), file=sys.stderr)
    _bench.table(("hmm:", "an iteration, s", "peak memory, MB"), rows)


def main() -> None:
    """Print the requested tables."""
    _bench.machine()
    tables = {"compared": compared, "large": large}
    for name in sys.argv[1:] or tables:
        tables[name]()


if __name__ == "__main__":
    main()
