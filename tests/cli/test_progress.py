"""What is shown while something takes long."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from numba.core import event

import lossworks
from lossworks.api import evaluate, labels_side_by_side, side_by_side
from lossworks.cli.progress import Pace, Watcher
from lossworks.core import kernels
from lossworks.core.wording import remaining
from lossworks.engine import Callbacks
from lossworks.inference import predictor
from lossworks.training import Settings


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seed", range(20))
def test_time_left(seed: int) -> None:
    """From a tenth of the work on it is right within a factor of 1.5, however long the first piece took, phase by phase."""
    clock, draw = Clock(), random.Random(seed)
    pace, pieces = Pace(clock), 60
    for phase, each in (("reading", 0.1), ("training", 3.0)):
        took = [(40 if at == 0 else 1) * each * draw.uniform(0.6, 1.4) for at in range(pieces)]
        for done in range(1, pieces):
            clock.now += took[done - 1]
            left = pace.left(phase, done, pieces)
            assert (left is None) == (done == 1)
            if pieces // 10 <= done <= pieces * 9 // 10 and left is not None:
                assert 1 / 1.5 < left / sum(took[done:]) < 1.5


def test_lines_become_rare(capsys: pytest.CaptureFixture[str]) -> None:
    """An hour has some dozens, all of one form; the time left counts a second training in."""
    clock = Clock()
    watcher = Watcher(False, clock)
    watcher("twice", {"rows": 9, "of": 8})
    for step in range(3600):
        clock.now = step + 1.0
        watcher("train", {"epoch": step / 360, "examples_per_second": 800, "loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert 40 < len(lines) < 120
    form = re.compile(r"training [\d.]+ of 1 epochs  (about .* left  )?loss 0.5000  800 examples/s")
    assert [line for line in lines if not form.fullmatch(line)] == []
    watcher._epochs = 10.0
    clock.now += 1000
    watcher("train", {"epoch": 10.0, "examples_per_second": 800, "loss": 0.5})
    assert "about 1 h" in capsys.readouterr().err  # 4,600 s for the first, 9/8 of it for the second


@pytest.mark.parametrize("quiet", [False, True])
def test_compiling(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    """That code is compiled is said once it has taken two seconds in all, and to nobody when it takes less or is over."""
    clock = Clock()
    monkeypatch.setattr(event, "timer", clock)

    def compiled(seconds: float) -> str:
        with event.trigger_event("numba:compile"), event.trigger_event("numba:compile"):  # what a function calls is within
            clock.now += seconds
        return capsys.readouterr().err

    with Watcher(quiet, clock) as watcher:
        for tell in kernels.before_compiling:  # as a kernel that is to be compiled
            tell()
        assert compiled(1.9) == ""
        assert ("code is being compiled" in compiled(0.2)) == (not quiet)
        assert compiled(9.0) == ""
    assert kernels.before_compiling == []
    with Watcher(quiet, clock) as watcher:
        watcher("note", {"text": "it has not said anything by its end"})
    assert "compiled" not in compiled(9.0)
    with Watcher(quiet, clock) as watcher:
        watcher("note", {"text": "where Numba is there by then"})
        assert ("code is being compiled" in compiled(9.0)) == (not quiet)


def test_words() -> None:
    """Seconds below a minute, then tens of them, then minutes."""
    told = [remaining(seconds).removeprefix("about ").removesuffix(" left") for seconds in (0.2, 38.4, 59.6, 204, 4000)]
    assert told == ["1 s", "38 s", "1 min", "3 min 20 s", "1 h 7 min"]


@pytest.mark.parametrize(
    ("spec", "labelled", "steps"),
    [
        ("linear", True, True),
        ("rnn:dim=4,layers=1", False, True),
        ("naive_bayes", True, False),
        ("ngram:order=2", False, False),
        ("hmm:states=2,iterations=2", False, False),
    ],
)
def test_what_has_no_steps_is_ended_at_once(spec: str, labelled: bool, steps: bool) -> None:
    """Its first Ctrl-C does not wait for a step and a checkpoint, neither of which it has; a language network's does."""
    watcher = Watcher(True)
    rows: Any = [(f"a {n % 7} b", "xy"[n % 2]) if labelled else f"a {n % 7} b" for n in range(60)]
    lossworks.fit(rows, model=spec, callbacks=Callbacks(watch=watcher), **{"steps": 2} if spec.startswith("rnn") else {})
    assert watcher.training == steps


def test_a_second_training_is_shown() -> None:
    """A fit of few rows says that it will train on the validation rows too, and how far that is."""
    events: list[tuple[str, dict[str, float]]] = []
    rows = [(f"good fine {n}", "a") if n % 2 else (f"bad poor {n}", "b") for n in range(80)]
    lossworks.fit(rows, epochs=2, callbacks=Callbacks(watch=lambda event, fields: events.append((event, fields))))
    names = [event for event, _ in events]
    assert names.index("twice") < names.index("start") < names.index("refit")
    assert dict(events)["twice"] == {"rows": 72, "of": 64}
    assert dict(events)["refit"]["epoch"] == dict(events)["refit"]["epochs"]


Judged = list[dict[str, Any]]


def _watched(judged: Judged) -> Callbacks:
    return Callbacks(watch=lambda event, fields: judged.append(fields) if event == "judge" else None)


def _in_parts(judged: Judged, of: int, things: str, rounds: int = 1) -> None:
    """So many times it counts up to all in several parts."""
    done = [fields["done"] for fields in judged]
    assert {(fields["of"], fields["things"]) for fields in judged} == {(of, things)}
    assert done.count(of) == rounds < len(done) == rounds * len(set(done))


def test_testing_labels_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By evaluate, of one model and of two."""
    rows: list[Any] = [(f"good day {n}", "a") if n % 2 else (f"bad night {n}", "b") for n in range(80)]
    model, one, two = lossworks.fit(rows, epochs=1), Judged(), Judged()
    assert isinstance(model, lossworks.Model)
    monkeypatch.setattr(predictor, "CHUNK", 16)
    evaluate(model, rows, callbacks=_watched(one))
    _in_parts(one, 80, "rows")
    labels_side_by_side({"x": model, "y": model}, rows, callbacks=_watched(two))
    _in_parts(two, 80, "rows", 2)


def test_testing_language_is_told() -> None:
    """By fit too."""
    texts: list[Any] = [f"{n} good days {'and on ' * 40}" for n in range(700)]
    settings = Settings(task="lm", model="rnn:dim=4,layers=1", steps=1, tokenizer="chars")
    fits, one, two = Judged(), Judged(), Judged()
    model = lossworks.fit(texts, settings=settings, callbacks=_watched(fits))
    assert isinstance(model, lossworks.Language)
    _in_parts(fits, fits[-1]["done"], "tokens")
    every = sum(len(text) + 1 for text in texts[:200])
    evaluate(model, texts[:200], callbacks=_watched(one))
    _in_parts(one, every, "tokens")
    side_by_side({"x": model, "y": model}, texts[:200], callbacks=_watched(two))
    _in_parts(two, every, "tokens", 2)


def test_testing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """As lines."""
    clock = Clock()
    watcher = Watcher(False, clock)
    for step in range(1, 4):
        clock.now = step * 60.0
        watcher("judge", {"done": step * 4096, "of": 40_960, "things": "rows"})
    assert capsys.readouterr().err.splitlines()[-1] == "testing 12,288 of 40,960 rows  about 7 min left"
