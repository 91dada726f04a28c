"""How encoders read texts to be explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossworks.inference import NetworkPredictor

from .encoders import TEXTS, encoder

SPECS = ["transformer_encoder:dim=16,heads=2,min_count=1", "rnn_encoder:dim=8,cell=lstm,min_count=1,tokens=bytes"]
LONG = "a lovely film , number 0 1 2 broken and dreadful poor thing awful great fine"


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts the network was given, call by call."""
    counts: list[int] = []
    scores_of = NetworkPredictor.scores_of

    def counted(self: NetworkPredictor, prepared: Any) -> Any:
        counts.append(len(prepared))
        return scores_of(self, prepared)

    monkeypatch.setattr(NetworkPredictor, "scores_of", counted)
    return counts


@pytest.mark.parametrize("spec", SPECS)
def test_leave_one_out(spec: str) -> None:
    """A share is what the log-odds lose without the part, by reading that text alone."""
    model = encoder(spec)

    def log_odds(text: str) -> float:
        no, yes = np.log(model.predict_proba([text])[0])
        return float(yes - no)

    for text, found in zip(TEXTS, model.explain(TEXTS, label="yes", trial=False), strict=True):
        words = text.split()
        without = [log_odds(" ".join(words[:place] + words[place + 1 :])) for place in range(len(words))]
        np.testing.assert_allclose(found.shares, log_odds(text) - np.array(without), atol=1e-5)
        assert found.baseline == pytest.approx(log_odds(""), abs=1e-5)
        assert found.method == "leave_one_out"
        assert "unlike" in found.notes[0]


def test_beyond_the_context(rows_read: list[int]) -> None:
    """What is not read has no share and takes no reading, by either method; deleting what is read brings on what follows."""
    model, words = encoder(f"{SPECS[0]},context=5"), LONG.split()
    (found,) = model.explain([LONG], label="yes", trial=False)
    assert rows_read == [6]  # the text, nothing, and the text without each of four words
    assert (found.text, found.parts) == (LONG, words[:8])
    assert found.shares[:4].all()
    assert not found.shares[4:].any()
    (short,) = model.explain([" ".join(words[1:5])], label="yes", trial=False)
    assert found.value - found.shares[0] == pytest.approx(short.value, abs=1e-6)
    assert "16 tokens the model reads the first 4" in found.notes[-1]
    (path,) = model.explain([LONG], label="yes", method="integrated_gradients", trial=False)
    assert path.shares[:4].all()
    assert not path.shares[4:].any()
    assert abs(path.residual) <= 1e-4 * abs(path.value - path.baseline)
    assert path.notes[-1] == found.notes[-1]
    assert len(model.explain([LONG] * 2, label="yes")) == 2


def test_alike_is_read_once(rows_read: list[int]) -> None:
    """Words of one spelling side by side take one reading."""
    model = encoder(SPECS[0])
    (found,) = model.explain(["a a a film"], label="yes", trial=False)
    assert rows_read == [4]
    assert found.shares[0] == found.shares[1] == found.shares[2]
    (other,) = encoder(SPECS[1]).explain(["a a a film"], label="yes", trial=False)
    assert len(other.shares) == 4


def test_one_part_and_none() -> None:
    """One word is all there is to lose; an empty text has no parts."""
    one, none = encoder(SPECS[0]).explain(["film", ""], label="yes", trial=False)
    assert one.shares[0] == pytest.approx(one.value - one.baseline, abs=1e-9)
    assert (none.shares.size, none.residual) == (0, 0)
