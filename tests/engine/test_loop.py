"""The loop by itself, on one weight: what a step is, when it scores, stops, saves and goes on, by a clock that the test winds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from clocks import WoundClock
from engine.quadratic import Pull, loop_of
from lossworks.core.errors import Diverged, Interrupted, OutOfMemory, RecordError
from lossworks.engine import Callbacks, checkpoint
from lossworks.schedules import build


def test_steps_by_hand() -> None:
    """w moves by lr times the mean pull of each step's numbers, epoch after epoch, in micro-batches alike."""
    w = 0.0
    for _ in range(3):
        for pair in ((1.0, 3.0), (5.0, 7.0)):
            w -= 0.1 * sum(w - x for x in pair) / 2
    for size in (100, 1):
        objective = Pull([1.0, 3.0, 5.0, 7.0])
        state = loop_of(objective, micro_batch_size=size).run()
        assert objective.network.weight.item() == pytest.approx(w, rel=1e-12)
        assert (state.epoch, state.step) == (3, 6)
        assert max(objective.sizes) == min(size, 2)


def test_keeps_to_the_time() -> None:
    """Each score plans the steps that fit into the time left, at the pace so far: a machine that slows down gets fewer."""
    clock, notes = WoundClock(), list[str]()

    class Slowing(Pull):
        def losses(self, batch: torch.Tensor) -> Any:
            clock.pass_by(3.0 if clock() >= 20 else 1.0)
            return super().losses(batch)

    def watch(event: str, fields: dict[str, Any]) -> None:
        notes.extend([fields["text"]] if event == "note" else [])

    objective = Slowing([1.0, 2.0], held_out_scores=[1.0 / n for n in range(1, 200)])
    state = loop_of(objective, epochs=100, callbacks=Callbacks(clock=clock, watch=watch), seconds=51.0, eval_every=10).run()
    assert state.step == state.steps == 31  # 20 steps of a second, and 10 of three; at least one follows each score
    assert clock() == 53.0
    assert notes == ["steps take 1.0 s now: 51 instead of 100", "steps take 1.7 s now: 31 instead of 51"]


def test_stops_early_with_the_best() -> None:
    """Training ends ``patience`` scores after the best one, and the weights are those of the best."""
    weights: list[float] = []
    objective = Pull([4.0, 4.0], held_out_scores=[3.0, 2.0, 2.5, 2.4, 9.9])
    callbacks = Callbacks(stepped=lambda: weights.append(objective.network.weight.item()))
    state = loop_of(objective, epochs=50, patience=2, callbacks=callbacks).run()
    assert (state.epoch, state.best_epoch, state.best) == (4, 2, 2.0)
    assert state.stopped == "early: nll had not fallen for 2 epochs"
    assert objective.network.weight.item() == weights[1] != weights[-1]


def test_checkpoints_by_the_clock(tmp_path: Path) -> None:
    """One is written when so many seconds have passed since the last, between steps."""
    clock, events = WoundClock(), list[tuple[str, int]]()
    callbacks = Callbacks(
        clock=clock,
        stepped=lambda: clock.pass_by(1.0),
        checkpoints=tmp_path,
        checkpoint_every=3.0,
        watch=lambda event, fields: events.append((event, fields.get("step", -1))),
    )
    loop_of(Pull([1.0] * 8), epochs=2, callbacks=callbacks).run()
    assert [step for event, step in events if event == "checkpoint"] == [3, 6]


@pytest.mark.parametrize("at", range(1, 8))
def test_resumes_anywhere(tmp_path: Path, at: int) -> None:
    """Stopped after any step and gone on with, it ends in the same bits."""

    def run(callbacks: Callbacks, resume: bool = False) -> tuple[float, Any]:
        objective = Pull([1.0, 3.0, 5.0, 7.0, 2.0, 9.0])
        loop = loop_of(objective, callbacks=callbacks)
        if resume:
            loop.resume()
        state = loop.run()
        return objective.network.weight.item(), state

    whole, _ = run(Callbacks())
    callbacks, left = Callbacks(checkpoints=tmp_path), [at]

    def stepped() -> None:
        left[0] -= 1
        if not left[0]:
            callbacks.stop.set()

    callbacks.stepped = stepped
    with pytest.raises(Interrupted, match=f"stopped after step {at}"):
        run(callbacks)
    resumed, state = run(Callbacks(checkpoints=tmp_path), resume=True)
    assert (resumed, state.step) == (whole, 9)


def test_damaged_checkpoint(tmp_path: Path) -> None:
    """One bit, of a weight or of the state beside them: it is refused. Of an earlier version, without a checksum, it is read."""
    tensors, state = {"b": torch.ones(3), "a": torch.tensor(1, dtype=torch.bfloat16)}, {"step": 1, "search": {"lr": 0.5}}
    checkpoint.save(tmp_path, 1, tensors, state)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for place in (len(whole) - 1, whole.index(b"0.5") + 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(RecordError, match=r"its checksum is another.*Remove it to start from the beginning"):
            checkpoint.load_newest(tmp_path)
    save_file(tensors, path, {"state": json.dumps(state)})
    found = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert found[1] == state
    assert all(torch.equal(found[0][name], tensors[name]) for name in tensors)


def test_search_is_read_without_the_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search had found stands in the file's head; there may be no checkpoint."""
    assert checkpoint.search_in(None) is checkpoint.search_in(tmp_path) is None
    checkpoint.save(tmp_path, 1, {"a": torch.ones(3)}, {"search": {"lr": 0.5}})
    monkeypatch.setattr(checkpoint, "_whole", None)
    assert checkpoint.search_in(tmp_path) == {"lr": 0.5}


def test_not_finite() -> None:
    """A loss that is not finite stops before the update, and is placed; weights that overflow in the last step are noticed."""
    objective = Pull([1.0, 2.0, float("inf"), 4.0])
    with pytest.raises(Diverged, match=r"step 2 \(epoch 1, batch 2"):
        loop_of(objective).run()
    assert objective.network.weight.item() == pytest.approx(0.15)
    with pytest.raises(Diverged):
        loop_of(Pull([1e300, 1e300]), lr=1e200, epochs=1).run()


def test_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is made in halves, with the same result and one event; a single row that does not fit is the end."""
    made = Pull.losses

    def limited(room: int) -> None:
        def losses(self: Pull, batch: torch.Tensor) -> Any:
            if len(batch) > room:
                raise MemoryError("no room")
            return made(self, batch)

        monkeypatch.setattr(Pull, "losses", losses)

    whole, halves = Pull([1.0, 3.0, 5.0, 7.0] * 2, a_step=8), Pull([1.0, 3.0, 5.0, 7.0] * 2, a_step=8)
    loop_of(whole).run()
    limited(2)
    events: list[Any] = []
    watch = lambda event, fields: events.extend([(fields["micro_batch"], fields["was"])] if event == "memory" else [])  # noqa: E731
    loop_of(halves, callbacks=Callbacks(watch=watch)).run()
    assert halves.network.weight.item() == pytest.approx(whole.network.weight.item(), rel=1e-12)
    assert events == [(2, 100)]
    limited(0)
    with pytest.raises(OutOfMemory, match="a single row"):
        loop_of(Pull([1.0, 2.0])).run()


def test_follows_another_training() -> None:
    """A schedule that goes by scores goes by those of the training before, where one is followed."""
    rates: list[float] = []
    objective = Pull([1.0, 2.0])
    loop = loop_of(objective, epochs=4, followed=(1.0, 2.0, 3.0))
    loop.schedule = build("plateau:patience=1,gamma=0.5")
    loop.callbacks.stepped = lambda: rates.append(loop.stepper.lr)
    loop.run()
    assert rates[0] == 0.1
    assert rates[-1] < 0.1
