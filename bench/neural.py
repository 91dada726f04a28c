"""Neural language models, plain PyTorch and Hugging Face: speed of training and generation, and memory.

    bench/neural.py [training] [recurrent] [generation] [memory]

training    forward, backward and AdamW in nanoGPT's CPU configuration (4 layers, 4 heads, width 128, context 64, batch 12),
            in float32 and with bfloat16 products, compared with a GPT of that shape in plain PyTorch, and with nanoGPT itself,
            eager and with torch.compile (its minute of compilation not counted), if LOSSWORKS_NANOGPT names its folder
recurrent   the same for two LSTM layers, compared with nn.LSTM
generation  greedy, one text, with the cache, compared with ``generate`` of transformers on the exported model
memory      peak of a step at a vocabulary of 50,000, compared with full logits

Both sides in turn, each in a fresh process with LOSSWORKS_THREADS threads (2); medians of the steps, then of the rounds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import _bench

ROUNDS = int(os.environ.get("LOSSWORKS_ROUNDS", "3"))
STEPS = os.environ.get("LOSSWORKS_STEPS", "40")

COMMON = """
import json, os, statistics, sys, time
import torch
from torch import nn
from torch.nn import functional
torch.set_num_threads(int(os.environ.get("LOSSWORKS_THREADS", "2")))
torch.manual_seed(0)
def timed(step, count, least=3):
    for _ in range(least):
        step()
    seen = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seen.append(time.perf_counter() - start)
    return statistics.median(seen)
def peak(step):
    open("/proc/self/clear_refs", "w").write("5")
    step()
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
"""

GPT = Path(__file__).with_name("_gpt.py").read_text("utf-8")

TRAINING = (
    COMMON
    + GPT
    + """
side, vocabulary, layers, heads, width, context, batch, steps = sys.argv[1], *map(int, sys.argv[2:9])
ids = torch.randint(vocabulary, (batch, context + 1))
given, target = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
if side in ("ours", "bfloat16"):
    from lossworks import losses, scores
    from lossworks.models.transformer import TransformerSpec
    from lossworks.optim import build
    model = TransformerSpec(layers=layers, heads=heads, dim=width, context=context).network(vocabulary)
    optimizer = build("adamw:lr=1e-3,weight_decay=0.1").over(model)
    entropy = losses.build("cross_entropy")
    def loss():
        with torch.autocast("cpu", torch.bfloat16, enabled=side == "bfloat16"):
            states = model.hidden(given)
        if vocabulary < 1000:
            return entropy(scores.dense(model.logits(states), target)).mean()  # 65 tokens: whole logits are quicker
        return scores.fused(states, model.head, target).mean(entropy)
elif side.startswith("nanogpt"):
    sys.path.insert(0, os.environ["LOSSWORKS_NANOGPT"])
    from model import GPT, GPTConfig
    shape = {"n_layer": layers, "n_head": heads, "n_embd": width}
    model = GPT(GPTConfig(block_size=context, vocab_size=vocabulary, **shape, dropout=0.0, bias=False))
    optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    model = torch.compile(model) if side.endswith("compiled") else model
    loss = lambda: model(given, target)[1]
else:
    model = Gpt(vocabulary, layers, heads, width, context)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1)
    loss = lambda: model(given, target)
def step():
    loss().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
many = torch.get_num_threads()
def on(threads):
    torch.set_num_threads(threads)
    return timed(step, steps)
seconds = min(map(on, {1, many})) if side in ("ours", "bfloat16") else on(many)  # as `fit` chooses, by measuring
print("\\n" + json.dumps({"tokens": batch * context / seconds, "size": sum(p.numel() for p in model.parameters())}))
"""
)

RECURRENT = (
    COMMON
    + """
side, vocabulary, width, context, batch, steps = sys.argv[1], *map(int, sys.argv[2:7])
ids = torch.randint(vocabulary, (batch, context + 1))
given, target = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
if side == "plain":
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(vocabulary, width), nn.LSTM(width, width, 2, batch_first=True)
            self.head = nn.Linear(width, vocabulary)
            self.head.weight = self.embedding.weight
    model = Plain()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    zeros = (torch.zeros(2, batch, width),) * 2
    def loss(state):
        states, state = model.lstm(model.embedding(given), state)
        return functional.cross_entropy(model.head(states).flatten(0, 1), target.flatten()), [part.detach() for part in state]
else:
    from lossworks import losses, scores
    from lossworks.models.rnn import RnnSpec
    from lossworks.models.rnn.model import detached
    from lossworks.optim import build
    drop = {"weight_drop": 0.5, "dropout": 0.3, "input_dropout": 0.3, "embedding_dropout": 0.1} if side == "dropped" else {}
    model = RnnSpec(dim=width, **drop).network(vocabulary)
    optimizer = build("adamw:lr=1e-3").over(model)
    entropy, zeros = losses.build("cross_entropy"), model.start(batch)
    def loss(state):
        states, state = model.advance(state, given)
        if vocabulary < 1000:
            return entropy(scores.dense(model.logits(states), target)).mean(), detached(state)
        return scores.fused(states, model.head, target).mean(entropy), detached(state)
state = zeros
def step():
    global state
    found, state = loss(state)
    found.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
print(json.dumps({"tokens": batch * context / timed(step, steps)}))
"""
)

GENERATION = (
    COMMON
    + """
import tempfile
from pathlib import Path
from lossworks.interop.llama import export_llama
from lossworks.models.neural import NeuralModel
from lossworks.models.transformer import TransformerSpec
from lossworks.tokens import Vocabulary
side, vocabulary, layers, heads, width, tokens = sys.argv[1], *map(int, sys.argv[2:7])
network = TransformerSpec(layers=layers, heads=heads, dim=width, context=2 * tokens).network(vocabulary).eval()
model = NeuralModel(network, Vocabulary(vocabulary))
if side == "ours":
    def generate():
        state = model.start()
        for _ in range(tokens):
            state = model.advance(state, int(model.next(state).argmax()))
else:
    from transformers import AutoModelForCausalLM, logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        export_llama(model, Path(folder))
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    start = torch.tensor([[model.vocabulary.start]])
    how = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "pad_token_id": 0}
    def generate():
        with torch.inference_mode():
            theirs.generate(start, attention_mask=torch.ones_like(start), **how)
print("\\n" + json.dumps({"tokens": tokens / timed(generate, 3, least=1)}))
"""
)

MEMORY = (
    COMMON
    + """
from lossworks import losses, scores
from lossworks.models.transformer import TransformerSpec
side, vocabulary, width, context, batch = sys.argv[1], *map(int, sys.argv[2:6])
model = TransformerSpec(layers=2, heads=4, dim=width, context=context).network(vocabulary)
ids = torch.randint(vocabulary, (batch, context))
entropy = losses.build("cross_entropy")
def step(size=batch):
    hidden, target = model.hidden(ids[:size]), ids[:size]
    if side == "ours":
        loss = scores.fused(hidden, model.head, target).mean(entropy)
    else:
        loss = functional.cross_entropy(model.head(hidden).flatten(0, 1), target.flatten())
    loss.backward()
    model.zero_grad(set_to_none=True)
step(1)
before = int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
beyond = peak(step) - before
print(json.dumps({"beyond": beyond, "seconds": timed(step, 2, least=0)}))
"""
)

SHAPE = ("65", "4", "4", "128", "64", "12")


def training() -> None:
    """Steps in nanoGPT's CPU configuration: in float32, and with bfloat16 products."""
    names = ["ours", "bfloat16", "plain", *(["nanogpt", "nanogpt, compiled"] if os.environ.get("LOSSWORKS_NANOGPT") else [])]
    found = _sides(TRAINING, names, *SHAPE, STEPS)
    rows = [(name, f["size"], f["tokens"], f["tokens"] / found["plain"]["tokens"]) for name, f in found.items()]
    _bench.table(("training", "parameters", "tokens/s", "to plain"), rows)


def recurrent() -> None:
    """Two LSTM layers."""
    for shape in (("65", "128", "64", "12"), ("10000", "256", "64", "32")):
        found = _sides(RECURRENT, ["ours", "dropped", "plain"], *shape, str(max(5, int(STEPS) // 4)))
        rows = [(name, f["tokens"], f["tokens"] / found["plain"]["tokens"]) for name, f in found.items()]
        _bench.table((f"LSTM, V {shape[0]}, width {shape[1]}", "tokens/s", "to plain"), rows)


def generation() -> None:
    """Greedy, one text."""
    for *shape, tokens in (("65", "4", "4", "128", "128"), ("8000", "6", "6", "384", "128"), ("32000", "12", "12", "768", "48")):
        found = _sides(GENERATION, ["ours", "theirs"], *shape, tokens)
        ours, theirs = found["ours"]["tokens"], found["theirs"]["tokens"]
        _bench.table(
            (f"generation, width {shape[3]}", "ours, tokens/s", "transformers", "ratio"), [("", ours, theirs, ours / theirs)]
        )


def memory() -> None:
    """One step at a vocabulary of 50,000."""
    found = _sides(MEMORY, ["ours", "whole"], "50000", "256", "256", "16")
    _bench.table(
        ("V 50,000, 4096 positions", "MB beyond the model", "s/step"), [(n, f["beyond"], f["seconds"]) for n, f in found.items()]
    )


def _sides(program: str, names: list[str], *arguments: str) -> dict[str, dict[str, float]]:
    sides = {name: lambda n=name: _bench.run(sys.executable, program, n, *arguments) for name in names}
    found = _bench.in_turn(sides, ROUNDS)
    print(json.dumps(found), file=sys.stderr)
    return found


def main() -> None:
    """Print the tables."""
    _bench.machine()
    for part in sys.argv[1:] or ("training", "recurrent", "generation", "memory"):
        globals()[part]()


if __name__ == "__main__":
    main()
