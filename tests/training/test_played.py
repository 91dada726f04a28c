"""Tapes of losses are kept for later processes: found again by all that they follow from, never trusted when damaged."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from lossworks import losses
from lossworks.core import cached
from lossworks.losses.focal import Focal
from lossworks.tasks import Classify, LabelTask, Multilabel
from lossworks.training import loss_tape, played
from lossworks.training.played import Played

TWO, FIVE, LABELS = Classify(("a", "b")), Classify(tuple("abcde")), Multilabel(tuple("abc"))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where they are kept."""
    monkeypatch.setattr(cached, "folder", lambda source: tmp_path)
    return tmp_path


def recordings(*wanted: tuple[LabelTask, losses.Loss]) -> int:
    """How many tapes must be recorded for these."""
    with mock.patch.object(loss_tape, "recorded", wraps=loss_tape.recorded) as recorded:
        assert None not in [Played.of(*each) for each in wanted]
    return int(recorded.call_count)


def test_a_tape_is_recorded_once(place: Path) -> None:
    """What is read again is what was recorded, to the bit, so for each loss with its options and each task."""
    loss = losses.build("focal:gamma=3")
    first, again = Played.of(FIVE, loss), Played.of(FIVE, loss)
    assert first is not None
    assert again is not None
    assert first.link == again.link
    for one, other in zip(first.tape, again.tape, strict=True):
        assert one.dtype == other.dtype
        assert other.flags.writeable  # or the kernels would be compiled once more
        np.testing.assert_array_equal(one, other)
    others = [(FIVE, losses.build("focal:gamma=2")), (TWO, loss), (LABELS, loss), (Classify(tuple("abcd")), loss)]
    assert recordings((FIVE, loss)) == 0
    assert recordings(*others) == len(others)
    assert recordings((FIVE, loss), *others) == 0
    assert len(list(place.glob("tape-*"))) == 1 + len(others)


def test_it_is_recorded_again_where_it_may_be_another(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its source or PyTorch's version has changed, and where a file is damaged, cut short or of something else."""
    wanted = FIVE, losses.build("cross_entropy:label_smoothing=0.1")
    assert recordings(wanted) == 1
    (path,) = place.glob("tape-*")
    whole = path.read_bytes()
    for damaged in (whole[:-8] + bytes(8), whole[:100], b"", whole.replace(b"operations", b"operation5")):
        path.write_bytes(damaged)
        assert recordings(wanted) == 1
        assert path.read_bytes() == whole
    home, digests = place / "home", set[str]()
    monkeypatch.setattr(played, "_HOME", home)
    for change in (None, "losses/focal.py", "scores/dense.py", "training/tape.py", "training/loss_tape.py", "version"):
        if change == "version":
            monkeypatch.setattr(played.cached, "stamp", lambda package: "0")
        elif change is not None:
            (home / change).parent.mkdir(parents=True, exist_ok=True)
            (home / change).write_text("another")
        played._sources.cache_clear()
        digests.add(played._sources())
        assert recordings(wanted) == 1
    assert len(digests) == 6
    monkeypatch.undo()
    played._sources.cache_clear()


def test_what_is_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own loss, whose source is not looked at, nor anything where nothing can be written; and old ones go."""

    class Mine(Focal):
        pass

    assert recordings((FIVE, Mine()), (FIVE, Mine() + losses.build("cross_entropy"))) == 2
    assert not list(place.glob("tape-*"))
    monkeypatch.setattr(played, "_KEPT", 2)
    for gamma in (1, 2, 3):
        assert recordings((FIVE, losses.build(f"focal:gamma={gamma}"))) == 1
    assert len(list(place.glob("tape-*"))) == 2
    monkeypatch.setattr(cached, "folder", lambda source: None)
    assert recordings((FIVE, losses.build("focal:gamma=3"))) == 1
