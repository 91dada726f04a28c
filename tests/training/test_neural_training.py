"""Training of neural models of language: carried states, packed rows, checkpoints, several processes, plans."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from clocks import WoundClock
from lossworks.api import evaluate
from lossworks.core.errors import Interrupted, RecordError, UsageError
from lossworks.data import Ragged
from lossworks.data.layouts import Lanes, Positions
from lossworks.engine import Callbacks, Loop
from lossworks.engine.distributed import World
from lossworks.engine.joining import world
from lossworks.models import LanguageModel, build_language
from lossworks.models.neural import NeuralSpec
from lossworks.models.ngram import NgramSpec
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.tokens import Vocabulary
from lossworks.training import Settings
from lossworks.training.config import TrainConfig
from lossworks.training.planning import Plan, few_tokens, plan
from lossworks.training.resolving import for_language
from lossworks.training.sequences import train_sequences
from lossworks.training.sizing import tokens_for
from lossworks.training.step_timing import StepTime, step_time

V = 12
VOCABULARY = Vocabulary(V)
SPECS: dict[str, NeuralSpec] = {
    "transformer": TransformerSpec(layers=1, heads=2, dim=8, context=16),
    "rnn": RnnSpec(layers=1, dim=8),
}
DROPPED: dict[str, NeuralSpec] = {
    "transformer": TransformerSpec(layers=1, heads=2, dim=8, context=16, dropout=0.2),
    "rnn": RnnSpec(layers=2, dim=8, dropout=0.2, weight_drop=0.2, input_dropout=0.1, embedding_dropout=0.1),
}


def stream(size: int, seed: int = 0) -> Ragged:
    """One text that mostly counts upwards."""
    rng = np.random.default_rng(seed)
    ids = (3 + np.arange(size) % (V - 3)).astype(np.uint16)
    noise = rng.random(size) < 0.1
    ids[noise] = rng.integers(3, V, noise.sum())
    return Ragged(ids, np.array([0, size]))


def lines(count: int, seed: int = 0) -> Ragged:
    """Short texts of unequal length."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, count)
    ids = np.concatenate([3 + (rng.integers(9) + np.arange(size)) % (V - 3) for size in sizes]).astype(np.uint16)
    return Ragged(ids, np.cumsum([0, *sizes]))


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "stream": ("transformer", {"window": 16}),
    "lines": ("transformer", {"window": 16}),
    "packed": ("transformer", {"window": 16, "pack": True}),
    "carried": ("rnn", {"window": 8}),
    "taught": ("transformer", {"window": 16, "loss": "0.2*cross_entropy+0.8*forward_kl"}),
}


@cache
def teacher() -> LanguageModel:
    """Knows what the texts are made by."""
    return NgramSpec(order=2).fit(stream(700), VOCABULARY, ends=False)


def fit(case: str, specs: dict[str, NeuralSpec] = SPECS, callbacks: Callbacks | None = None, **choices: Any) -> tuple[Any, Any]:
    """A network trained as a case says, and how that went."""
    name, own = CASES[case]
    texts = lines(60) if case in ("lines", "packed") else stream(700)
    network = specs[name].sequence_network(texts, VOCABULARY, ends=case in ("lines", "packed"), seed=1)
    how = {"batch_tokens": 40, "epochs": 3, "optimizer": "adamw:lr=0.01", "clip": 1.0, **own, **choices}
    ends = case in ("lines", "packed")
    how |= {"teacher": teacher()} if case == "taught" else {}
    valid = choices.pop("valid", lines(10, 5) if ends else stream(100, 5))
    return network, train_sequences(network, texts, VOCABULARY, ends=ends, valid=valid, callbacks=callbacks, **how)


@pytest.mark.parametrize("case", CASES)
def test_learns(case: str) -> None:
    """Every way of laying texts out brings the held-out loss down, well below that of knowing nothing."""
    _, progress = fit(case, epochs=6, optimizer="adamw:lr=0.03")
    assert progress.best < 0.75 * np.log(V - 3)


def _stop_at(step: int, stop: threading.Event, event: str, fields: dict[str, Any]) -> None:
    if event == "train" and fields["step"] >= step:
        stop.set()


AVERAGED, FREE = {"ema": 0.9, "evals": 7, "steps": 50}, {"optimizer": "schedule_free_adamw:lr=0.01"}


@pytest.mark.parametrize(
    ("case", "settings"),
    [*((case, {}) for case in CASES), *product(("packed", "carried"), (AVERAGED, FREE))],
)
def test_resumed_to_the_same_bits(case: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Stopped twice in mid-epoch with dropout on, carried states and averages included, training ends in the same bits."""
    whole, plain = fit(case, DROPPED, **settings)
    for until in (7, 23):
        stop = threading.Event()
        callbacks = Callbacks(watch=partial(_stop_at, until, stop), checkpoints=tmp_path, stop=stop)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lossworks.engine.logged._LOG_EVERY", 0.0)
            with pytest.raises(Interrupted, match="--resume"):
                fit(case, DROPPED, callbacks, resume=until == 23, **settings)
    network, resumed = fit(case, DROPPED, Callbacks(checkpoints=tmp_path), resume=True, **settings)
    assert resumed.scores == plain.scores
    assert resumed.step == plain.step > 23
    for (name, a), b in zip(whole.named_parameters(), network.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_keeps_to_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where steps turn out slower than planned there are fewer, and the schedule ends all the same. A resumed training
    goes on by what was planned last.
    """
    monkeypatch.setattr("lossworks.engine.logged._LOG_EVERY", 0.0)
    rates, notes, stop = list[float](), list[str](), threading.Event()

    def watch(event: str, fields: dict[str, Any]) -> None:
        rates.extend([fields["lr"]] if event == "train" else [])
        notes.extend([fields["text"]] if event == "note" else [])

    clock = WoundClock()
    callbacks = Callbacks(watch=watch, stepped=lambda: clock.pass_by(0.025), checkpoints=tmp_path, stop=stop, clock=clock)
    how: dict[str, Any] = {"steps": 400, "seconds": 1.0, "evals": 20, "epochs": 100, "schedule": "linear"}
    _, progress = fit("stream", callbacks=callbacks, **how)
    assert progress.step == progress.steps == 41  # one step goes before each plan can end
    assert clock() == pytest.approx(1.0, abs=0.026)
    assert rates[-1] < 0.1 * max(rates)
    assert "instead of 400" in notes[0]
    callbacks.watch = partial(_stop_at, 25, stop)
    with pytest.raises(Interrupted):
        fit("stream", callbacks=callbacks, **how)
    monkeypatch.setattr(Loop, "_plan_again", lambda loop: None)
    _, resumed = fit("stream", callbacks=Callbacks(checkpoints=tmp_path), resume=True, **how)
    assert 25 < resumed.step == resumed.steps <= 45


def test_damaged_checkpoint(tmp_path: Path) -> None:
    """One of another network is refused with what to do."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        fit("stream", callbacks=Callbacks(checkpoints=tmp_path, stop=stop))
    with pytest.raises(RecordError, match="does not fit the run"):
        fit("carried", callbacks=Callbacks(checkpoints=tmp_path), resume=True)
    (path,) = tmp_path.glob("step-*")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RecordError, match="damaged"):
        fit("stream", callbacks=Callbacks(checkpoints=tmp_path), resume=True)


def test_lanes_go_on_where_they_ended() -> None:
    """Each lane is one stretch of the text, and the state of a row is that of all that its lane has read in the epoch."""
    text = stream(700)
    positions = Positions.of(text, VOCABULARY, False)
    layout = Lanes(positions, 8, 5, seed=2)
    steps = layout.steps(40, 0)
    rows = [layout.take(step, 0) for step in steps]
    for lane in range(5):
        whole = np.concatenate([row.ids[lane].numpy() for row in rows])
        first = next(i for i in range(700) if (text.ids[i : i + len(whole)] == whole).all())
        assert len(whole) == 8 * len(steps)
        assert first // 140 == lane
        assert rows[1].before[lane] == rows[0].ids[lane, -1]
    network = SPECS["rnn"].sequence_network(text, VOCABULARY, ends=False).eval()
    carried = [network.scores(row).logp.view(5, 8) for row in rows[:3]]
    given = torch.cat([row.given(VOCABULARY.start) for row in rows[:3]], 1)
    logits = network.network.logits(network.network.hidden(given))
    wanted = logits.log_softmax(-1).gather(-1, torch.cat([row.ids for row in rows[:3]], 1)[..., None])[..., 0]
    torch.testing.assert_close(torch.cat(carried, 1), wanted, atol=1e-5, rtol=1e-5)


def test_micro_batches_of_lanes() -> None:
    """In parts that fit into memory, carried states go to their own lanes: the result is that of whole steps."""
    whole, _ = fit("carried")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lossworks.training.sequences.SCORES", V * 16)
        parts, _ = fit("carried")
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is done in halves and said; the result is the same up to rounding, carried states too."""
    whole, _ = fit("carried", epochs=1)
    real, told = SPECS["rnn"]._network(V).__class__.advance, list[Any]()

    def small(self: Any, state: Any, ids: Any) -> Any:
        if ids.shape[0] > 2 and self.training:
            raise MemoryError("no room")
        return real(self, state, ids)

    monkeypatch.setattr("lossworks.models.rnn.model.Rnn.advance", small)
    parts, _ = fit("carried", callbacks=Callbacks(watch=lambda *what: told.append(what)), epochs=1)
    assert [fields["micro_batch"] for event, fields in told if event == "memory"] == [20]
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_one_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torchrun there is one process; where the environment names others that do not answer, that is said."""
    assert world() == World(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun"):
        world()


def test_wrong_windows() -> None:
    """Rows longer than the context, and packing where documents cannot be kept apart, are refused."""
    with pytest.raises(UsageError, match="reads 16 tokens at once"):
        fit("stream", window=17)
    with pytest.raises(UsageError, match="pack"):
        fit("carried", pack=True)


def timed(monkeypatch: pytest.MonkeyPatch, seconds: Any) -> None:
    """Steps of a network take ``seconds`` of a number of weights, to whoever measures."""

    def step_time(network: Any, *of: Any, **more: Any) -> StepTime:
        return StepTime(1, float(seconds(sum(p.numel() for p in network.parameters()))))

    monkeypatch.setattr("lossworks.training.sizing.step_time", step_time)


def test_plan_fills_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left open is chosen and said: size by time, steps by the speed measured; what is told stays."""
    timed(monkeypatch, lambda weights: 0.02)
    text = stream(5000)
    settings = for_language(Settings(task="lm", model="transformer", minutes=0.05, batch_tokens=256), "lm")
    found = plan(text, VOCABULARY, settings, ends=False, clock=WoundClock())
    assert (found.config.steps, found.config.evals) == (132, 12)  # 0.88 of 3 s
    assert found.config.seconds == pytest.approx(0.95 * 3.0)
    assert found.model.startswith("transformer:layers=2,heads=2,dim=64")
    assert len(found.said) == 2
    assert Plan.from_json(found.to_json()) == found
    told = Settings(task="lm", model="transformer:dim=16,heads=2", steps=7, optimizer="adam", dtype="float32", lr=0.5)
    found = plan(text, VOCABULARY, for_language(told, "lm"), ends=False)
    assert (found.config.steps, found.config.optimizer, found.dtype) == (7, "adam:lr=0.5", "float32")
    assert found.said == ()  # nothing was measured
    assert found.model.startswith("transformer:heads=2,dim=16")
    usual = replace(settings, model="transformer:layers=4,heads=4,dim=256,context=256")
    assert plan(text, VOCABULARY, usual, ends=False).model == "transformer"  # all as said, though as it is by default
    short = plan(lines(50), VOCABULARY, replace(told, model="transformer:heads=2,dim=16"), ends=True)
    assert short.config.window == 16


@pytest.mark.parametrize(("size", "steps"), [(150, 40), (5000, 98), (200_000, 3907)])
def test_few_texts_are_not_learnt_by_heart(monkeypatch: pytest.MonkeyPatch, size: int, steps: int) -> None:
    """However much time there is, 40 passes are taken at most, by the smallest network where they show no more tokens a weight,
    and an n-gram model is named; a length that is told is kept.
    """
    timed(monkeypatch, lambda weights: 1e-9 * weights)
    settings = for_language(Settings(task="lm", model="transformer"), "lm")
    found = plan(stream(size), VOCABULARY, settings, ends=False, clock=WoundClock())
    assert (found.config.steps, found.config.epochs) == (steps, 40)
    assert found.model.startswith("transformer:layers=2,heads=2,dim=64") == (size <= 5000)
    assert f"{steps:,} steps are taken, 40 passes" in found.said[-1]
    assert ("--model ngram" in found.said[-1]) == (size > 5000)  # where tokens are few a note of its own says it
    assert ("--model ngram" in few_tokens(build_language(found.model), VOCABULARY, size)) == (size <= 5000)
    told = plan(stream(size), VOCABULARY, replace(settings, steps=900), ends=False, clock=WoundClock())
    assert (told.config.steps, told.said) == (900, ())


@pytest.mark.parametrize(("model", "threads"), [("transformer:dim=64", 1), ("transformer:dim=256", 2), ("rnn:dim=64", 2)])
def test_a_narrow_transformer_has_one_thread_of_pytorch(model: str, threads: int) -> None:
    """Where nothing is measured: its other threads would wait beside ours for longer than they help."""
    torch.set_num_threads(2)
    settings = for_language(Settings(task="lm", model=model, steps=3), "lm")
    assert plan(stream(5000), VOCABULARY, settings, ends=False).threads == threads


@pytest.mark.parametrize(
    ("spent", "test_tokens", "a_step", "steps", "evals", "tested"),
    [
        (0, 0, 0.5, 105, 12, 1), (40, 0, 0.5, 35, 11, 1), (40, 30720, 0.5, 30, 10, 1), (40, 614400, 0.5, 29, 9, 0.06),
        (40, 0, 4.0, 4, 1, 1), (59, 0, 4.0, 1, 1, 1), (99, 614400, 4.0, 1, 1, 0),
    ],
)  # fmt: skip
def test_a_plan_has_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch, spent: float, test_tokens: int, a_step: float, steps: int, evals: int, tested: float
) -> None:
    """Reading and tokenizing before it and scoring the test part after it are of the minutes too, so of a large one a share is
    scored. Where few steps are left there are few, one at least, and no more scores on the way than they can carry.
    """
    timed(monkeypatch, lambda weights: a_step)
    settings = for_language(Settings(task="lm", model="transformer:layers=1,dim=16,heads=2", minutes=1), "lm")
    clock = WoundClock()
    clock.pass_by(7.0 + spent)
    found = plan(stream(6000), VOCABULARY, settings, ends=False, began=7.0, test_tokens=test_tokens, clock=clock)
    assert (found.config.steps, found.config.evals, found.tested) == (steps, evals, pytest.approx(tested))
    assert found.config.eval_tokens == max(2048, int(0.07 * steps * 3 * 2048 / 12))
    left = 60 - spent - tested * test_tokens / (3 * 2048) * a_step
    assert found.config.seconds == pytest.approx(max(0.95 * left, a_step))
    assert ("of the test part is scored" in found.said[-1]) == (tested < 1)


@pytest.mark.parametrize(
    ("characters", "seconds", "tokens"),
    [
        (1_000_000, 60.0, "bpe:size=2000"), (1_000_000, 600.0, "bpe:size=4000"), (10_000_000, 600.0, "bpe:size=8000"),
        (300_000, 60.0, "bpe:size=1000"), (50_000, 60.0, "chars"), (2_000_000, 60.0, "chars"), (1_000_000, 10.0, "chars"),
        (1_000_000, -3.0, "chars"),
    ],
)  # fmt: skip
def test_tokens_fit_the_time(monkeypatch: pytest.MonkeyPatch, characters: int, seconds: float, tokens: str) -> None:
    """As many different tokens as there is time to see four tokens a weight, and as the text has examples of; characters where
    learning to tokenize would take too much of it.
    """
    timed(monkeypatch, lambda weights: 4e-7 * weights)  # with 2,000 tokens of 64 numbers: 0.1 s
    found, why = tokens_for("transformer", characters, seconds, "cpu", "float32")
    assert found == tokens
    assert f"{tokens}" in why
    assert tokens_for("rnn", characters, -1.0, "cpu", "float32")[0] == "chars"
    if tokens == "bpe:size=2000":  # a network of one's own that is larger has time for fewer
        assert tokens_for("transformer:layers=4,heads=4,dim=128", characters, seconds, "cpu", "float32")[0] == "chars"


def test_faster_steps_make_no_more_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that turn out faster than measured are planned again, and no more passes are taken than 40."""
    timed(monkeypatch, lambda weights: 1.0)  # 52 steps
    clock = WoundClock()
    callbacks = Callbacks(stepped=lambda: clock.pass_by(0.01), clock=clock)
    how: dict[str, Any] = {"model": "transformer:layers=1,dim=16,heads=2", "minutes": 1, "patience": 99, "batch_tokens": 512}
    found = lossworks.fit([f"the cat {n} sat" for n in range(60)], task="lm", callbacks=callbacks, **how).record["result"]
    assert (found["training"]["steps"], found["training"]["passes"]) == (80, 40)


@pytest.mark.parametrize("unit", ["line", "file"])
def test_a_fit_ends_in_its_minutes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unit: str) -> None:
    """However long reading took, and though steps turn out slower than measured: all of the fit is in its minutes. What was not
    scored of the test part then, is when it is asked for.
    """
    timed(monkeypatch, lambda weights: 0.2)
    clock, said = WoundClock(), list[str]()

    def watch(event: str, fields: dict[str, Any]) -> None:
        clock.pass_by(55.0 if event == "data" else 0.0)
        said.extend([fields["text"]] if event == "plan" else [])

    (tmp_path / "text.txt").write_text("\n".join(f"the cat {n} sat on the mat" for n in range(400)))
    callbacks = Callbacks(watch=watch, stepped=lambda: clock.pass_by(0.5), clock=clock)
    how: dict[str, Any] = {"task": "lm", "model": "transformer:layers=1,dim=16,heads=2", "minutes": 1, "batch_tokens": 16}
    found = lossworks.fit(tmp_path / "text.txt", callbacks=callbacks, out=tmp_path / "run", document_unit=unit, **how)
    result, data = found.record["result"], found.record["data"]
    assert "s left of 1 min:" in said[-2]
    assert 58 < clock() <= 60
    assert result["training"]["steps"] == 2 * (clock() - 55)
    assert 0.1 < result["tokens"] / data["tokens"]["test"] < 0.3
    assert result["bytes"] == pytest.approx(result["tokens"], rel=0.1)
    assert evaluate(found)["tokens"] == data["tokens"]["test"]


def test_resumed_with_the_same_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer that the time chose is the same when the run goes on, however fast the machine is then."""
    text, stop = [f"the cat {n} sat on the mat" for n in range(60)], threading.Event()
    how: dict[str, Any] = {
        "task": "lm",
        "model": "transformer:layers=1,dim=16,heads=2",
        "minutes": 0.005,
        "out": tmp_path / "run",
    }
    monkeypatch.setattr("lossworks.training.language_training.tokens_for", lambda *of: ("bytes", "bytes, for a reason"))
    callbacks = Callbacks(watch=lambda event, fields: stop.set() if event == "config" else None, stop=stop)
    with pytest.raises(Interrupted):
        lossworks.fit(text, callbacks=callbacks, **how)
    monkeypatch.delattr("lossworks.training.language_training.tokens_for")
    monkeypatch.delattr("lossworks.training.language_training.plan")
    found = lossworks.fit(text, resume=True, **how)
    assert found.record["config"]["tokenizer"] == "bytes"
    assert "bytes, for a reason" in (tmp_path / "run/log.jsonl").read_text()
    assert found.record["result"]["training"]["passes"] > 0


def test_step_time() -> None:
    """The median step of the number of threads that is fastest, by the clock that is given; nothing is left changed."""
    text, config = stream(700), TrainConfig(window=16, batch_tokens=40, optimizer="lbfgs")
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    clock, network = WoundClock(), SPECS["transformer"].sequence_network(text, VOCABULARY, ends=False)

    def ticking() -> float:
        clock.pass_by(1.0 / torch.get_num_threads())
        return clock()

    found = step_time(network, text, VOCABULARY, config, ends=False, clock=ticking)
    assert (found.threads, found.seconds) == (threads, pytest.approx(1.0 / threads))
    assert (torch.get_num_threads(), torch.equal(random, torch.get_rng_state())) == (threads, True)


def test_half_precision_trains() -> None:
    """With products in bfloat16 the weights stay float32, and the loss comes down as far."""
    name, own = CASES["stream"]
    network = SPECS[name].sequence_network(stream(700), VOCABULARY, ends=False, seed=1)
    network.dtype = torch.bfloat16
    how = {"batch_tokens": 40, "epochs": 6, "optimizer": "adamw:lr=0.03", **own}
    progress = train_sequences(network, stream(700), VOCABULARY, ends=False, valid=stream(100, 5), **how)
    assert progress.best < 0.75 * np.log(V - 3)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
