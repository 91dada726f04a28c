"""Language models trained end to end: compared with nanoGPT's training program, and all families with each other.

    bench/language.py race      [SEEDS]  nanoGPT's CPU configuration; a short run of ours that reaches its loss on the whole
                                         validation split; and `--minutes` with the time of nanoGPT's configuration
    bench/language.py equal     [MINUTES [SEEDS]]  nanoGPT's configuration with as many steps as fit (5 minutes), and `--minutes`
    bench/language.py families  [MINUTES …]  bits per byte of every family by seconds of training, and the chart in docs/

LOSSWORKS_NANOGPT names a checkout of nanoGPT, whose train.py is run unmodified, with the flags that its README gives for CPUs.
The text is tiny-shakespeare, its split nanoGPT's (the first nine tenths to train on). Both sides' losses are of the whole
validation split, in windows of 64 characters that do not overlap. Seconds are of the whole program,
including reading and evaluation during training.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _bench
import numpy as np
import torch
from scipy import stats

import lossworks

CONTEXT = 64
SHAPE = ["--n_layer=4", "--n_head=4", "--n_embd=128", f"--block_size={CONTEXT}", "--batch_size=12", "--dropout=0.0"]
CPU = ["--device=cpu", "--compile=False", "--eval_iters=20", "--log_interval=1", "--always_save_checkpoint=True"]
FIT = [sys.executable, "-m", "lossworks", "fit", "--task", "lm", "--tokenizer", "chars", "--document-unit", "file", "--json"]
RECIPE = 2000
"""Steps of nanoGPT's recipe."""
OURS = "transformer:layers=2,heads=2,dim=64,context=64"
RACE = {"steps": 850, "batch_tokens": 768, "lr": 0.02}


def nanogpt(seed: int, steps: int) -> dict[str, float]:
    """nanoGPT's own program: its seconds, and the loss of its final weights."""
    home = Path(os.environ.get("LOSSWORKS_NANOGPT") or sys.exit("skipped: LOSSWORKS_NANOGPT names no checkout of nanoGPT"))
    data = home / "data" / "lossworks"
    data.mkdir(exist_ok=True)
    text = corpus()
    letters = sorted(set(text))
    ids = np.array([letters.index(letter) for letter in text], np.uint16)
    cut = int(0.9 * len(ids))
    ids[:cut].tofile(data / "train.bin")
    ids[cut:].tofile(data / "val.bin")
    with (data / "meta.pkl").open("wb") as file:
        pickle.dump({"vocab_size": len(letters)}, file)
    source = (home / "train.py").read_text().replace("torch.manual_seed(1337 + seed_offset)", f"torch.manual_seed({seed})")
    program = home / "seeded.py"
    program.write_text(source)
    with tempfile.TemporaryDirectory() as out:
        flags = [f"--out_dir={out}", "--dataset=lossworks", f"--max_iters={steps}", f"--lr_decay_iters={steps}"]
        began = time.monotonic()
        command = [sys.executable, str(program), "config/train_shakespeare_char.py", *CPU, *SHAPE, *flags]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"nanoGPT ended with {done.returncode}:\n{done.stderr}")
        state = torch.load(Path(out) / "ckpt.pt", weights_only=False)
    sys.path.insert(0, str(home))
    from model import GPT, GPTConfig

    model = GPT(GPTConfig(**state["model_args"]))
    model.load_state_dict(state["model"])
    model.eval()
    held = torch.from_numpy(ids[cut:].astype(np.int64))
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(held) - 1, 64 * CONTEXT):
            part = held[first : first + 64 * CONTEXT + 1]
            for given, target in _windows(part):
                total += float(model(given, target)[1].double()) * target.numel()
    return {"seconds": seconds, "nll": total / (len(held) - 1), "said": _last_printed(done.stdout)}


def ours(seed: int, flags: dict[str, Any]) -> dict[str, float]:
    """Our command, as a user would call it; the loss of the saved weights."""
    with tempfile.TemporaryDirectory() as folder:
        text, cut = corpus(), int(0.9 * len(corpus()))
        train, valid = Path(folder) / "train.txt", Path(folder) / "valid.txt"
        train.write_text(text[:cut])
        valid.write_text(text[cut:])
        out = Path(folder) / "run"
        options = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        command = [*FIT, str(train), "--valid", str(valid), "--test", "0", "--seed", str(seed), "--out", str(out), *options]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"lossworks ended with {done.returncode}:\n{done.stderr}")
        model = lossworks.load(out)
        assert isinstance(model, lossworks.Language)
        held = torch.from_numpy(model.trained.encode([text[cut:]]).ids.astype(np.int64))
        network, total = model.model.network.eval(), 0.0
        with torch.no_grad():
            for first in range(0, len(held) - 1, 64 * CONTEXT):
                for given, target in _windows(held[first : first + 64 * CONTEXT + 1]):
                    logits = network.logits(network.hidden(given)).double()
                    total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum"))
        config = json.loads(done.stdout)["config"]
        return {"seconds": seconds, "nll": total / (len(held) - 1), "model": config["model"], "steps": config["steps"]}


def _windows(part: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Non-overlapping windows, and the shorter last one."""
    given, target = part[:-1], part[1:]
    whole = len(given) // CONTEXT * CONTEXT
    found = [(given[:whole].view(-1, CONTEXT), target[:whole].view(-1, CONTEXT))] if whole else []
    return found + ([(given[whole:][None], target[whole:][None])] if whole < len(given) else [])


def corpus() -> str:
    """Tiny-shakespeare."""
    return (_bench.data() / "tiny-shakespeare.txt").read_text()


def race(seeds: int = 3) -> None:
    """All three, seed by seed in turn: medians of seconds, and the interval of the paired differences in loss."""
    seen: dict[str, list[dict[str, Any]]] = {"nanoGPT": [], "ours, short": [], "ours, as long": []}
    for seed in range(seeds):
        theirs = nanogpt(seed, RECIPE)
        short = ours(seed, {"model": OURS, **RACE})
        as_long = ours(seed, {"model": "transformer", "minutes": theirs["seconds"] / 60})
        for name, run in zip(seen, (theirs, short, as_long), strict=True):
            _note(seen, name, seed, run)
    _report(seen)


def equal(minutes: float = 5, seeds: int = 3) -> None:
    """Both for ``minutes``: nanoGPT's configuration with steps and decay to fill them, and ours as it chooses."""
    few, more = (nanogpt(0, steps)["seconds"] for steps in (250, 750))
    steps = round((60 * minutes - few) / (more - few) * 500 + 250)
    print(f"nanoGPT: {few:.1f} s for 250 steps, {more:.1f} s for 750; {steps} steps in {minutes:g} minutes", file=sys.stderr)
    seen: dict[str, list[dict[str, Any]]] = {"nanoGPT": [], "ours": []}
    for seed in range(seeds):
        _note(seen, "nanoGPT", seed, nanogpt(seed, steps))
        _note(seen, "ours", seed, ours(seed, {"model": "transformer", "minutes": minutes}))
    _report(seen)


def _note(seen: dict[str, list[dict[str, Any]]], name: str, seed: int, run: dict[str, Any]) -> None:
    seen[name].append(run)
    print(name, seed, json.dumps(run), file=sys.stderr, flush=True)


def _report(seen: dict[str, list[dict[str, Any]]]) -> None:
    """The table of all runs, and the interval of the paired differences from nanoGPT's."""
    rows = []
    for name, runs in seen.items():
        losses, times = ([run[key] for run in runs] for key in ("nll", "seconds"))
        ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in zip(seen["nanoGPT"], runs, strict=True))
        rows.append((name, statistics.median(times), statistics.mean(losses), max(losses), ratio))
    _bench.table(("", "seconds", "nats per character", "highest", "times as fast"), rows)
    seeds = len(seen["nanoGPT"])
    for name in list(seen)[1:] if seeds > 1 else []:
        gaps = [b["nll"] - a["nll"] for a, b in zip(seen["nanoGPT"], seen[name], strict=True)]
        half = float(stats.t.ppf(0.975, seeds - 1)) * statistics.stdev(gaps) / seeds**0.5
        mean = statistics.mean(gaps)
        print(f"{name} − nanoGPT: {mean:+.4f} nats (95 % interval over seeds {mean - half:+.4f} to {mean + half:+.4f})")


def _last_printed(out: str) -> float:
    """The last validation loss that nanoGPT printed, on 20 random batches."""
    return float(re.findall(r"val loss ([0-9.]+)", out)[-1])


FAMILIES = {
    "n-gram, 2": {"model": "ngram:order=2"}, "n-gram, 4": {"model": "ngram:order=4"},
    "n-gram, 6": {"model": "ngram:order=6"}, "n-gram, 8": {"model": "ngram:order=8"},
    "HMM, 16 states": {"model": "hmm:states=16,iterations=30"}, "HMM, 64 states": {"model": "hmm:states=64,iterations=30"},
}  # fmt: skip


def families(*minutes: str) -> None:
    """Bits per byte on the test set by seconds of training, as a table and a chart."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(corpus())
        rows = [(name, *_fitted(text, flags)) for name, flags in FAMILIES.items()]
        for each in minutes or ("0.25", "1", "4"):
            for family, name in (("transformer", "Transformer"), ("rnn", "LSTM")):
                rows.append((f"{name}, {each} min", *_fitted(text, {"model": family, "minutes": each})))
    _bench.table(("family", "seconds", "bits per byte", "low", "high", "model"), rows)
    _draw([row[:3] for row in rows], Path(__file__).parents[1] / "docs" / "families.svg")


def _fitted(text: Path, flags: dict[str, Any]) -> tuple[float, float, float, float, str]:
    out = text.parent / f"run{len(list(text.parent.iterdir()))}"
    options = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    command = [*FIT, str(text), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout)
    bits = found["result"]["metrics"]["bits_per_byte"]
    print(flags, bits, file=sys.stderr, flush=True)
    return found["result"]["seconds"], bits["value"], bits["low"], bits["high"], found["config"]["model"]


COLOURS = {"n-gram": "#2a6fdb", "HMM": "#c2410c", "Transformer": "#15803d", "LSTM": "#7e22ce"}


def _draw(points: list[tuple[str, float, float]], path: Path) -> None:
    """The chart: bits per byte by seconds on a logarithmic axis; a line for each family."""
    wide, high, left, top, right, bottom = 760, 420, 60, 20, 110, 50
    x0, x1 = np.log10(min(p[1] for p in points) / 1.5), np.log10(max(p[1] for p in points) * 1.5)
    y0, y1 = min(p[2] for p in points) - 0.2, max(p[2] for p in points) + 0.2

    def at(seconds: float, bits: float) -> tuple[float, float]:
        x = left + (np.log10(seconds) - x0) / (x1 - x0) * (wide - left - right)
        return x, top + (y1 - bits) / (y1 - y0) * (high - top - bottom)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">',
             f'<rect width="{wide}" height="{high}" fill="#fff"/>']  # fmt: skip
    for seconds in (times * 10.0**power for power in range(int(np.floor(x0)), int(np.ceil(x1)) + 1) for times in (1, 3)):
        if x0 <= np.log10(seconds) <= x1:
            x, _ = at(seconds, y0)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{high - bottom}" stroke="#e5e7eb"/>')
            parts.append(f'<text x="{x:.1f}" y="{high - bottom + 18}" text-anchor="middle">{seconds:g}</text>')
    for bits in np.arange(np.ceil(y0 * 2) / 2, y1, 0.5):
        _, y = at(10**x0, bits)
        parts.append(f'<line x1="{left}" x2="{wide - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{bits:g}</text>')
    for family, colour in COLOURS.items():
        own = [(name.partition(", ")[2], *at(*where)) for name, *where in points if name.partition(",")[0] == family]
        line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in own)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        below = 18 if family in ("Transformer", "n-gram") else -9
        for name, x, y in own:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            over = 'paint-order="stroke" stroke="#fff" stroke-width="4"'  # readable where a line crosses it
            parts.append(f'<text x="{x:.1f}" y="{y + below:.1f}" text-anchor="middle" fill="{colour}" {over}>{name}</text>')
        _, x, y = own[-1]
        parts.append(f'<text x="{x + 12:.1f}" y="{y + 4:.1f}" fill="{colour}" font-weight="bold">{family}</text>')
    middle = (left + wide - right) / 2
    parts.append(f'<text x="{middle}" y="{high - 12}" text-anchor="middle">seconds of training, 2 cores</text>')
    turned = f"translate(16 {(top + high - bottom) / 2}) rotate(-90)"
    parts.append(f'<text transform="{turned}" text-anchor="middle">bits per byte</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]))


def main() -> None:
    """Run the named part."""
    _bench.machine()
    name, *rest = sys.argv[1:] or ["race"]
    if name == "families":
        families(*rest)
    elif name == "equal":
        equal(float(rest[0]) if rest else 5, int(rest[1]) if rest[1:] else 3)
    else:
        race(*map(int, rest))


if __name__ == "__main__":
    main()
