"""Numbers that stand in books."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.models.hmm import HmmModel
from lossworks.tokens import Vocabulary
from models.hmm.cases import ragged, tables

UMBRELLA = tables([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], [[0.9, 0.1], [0.2, 0.8]])  # rain or not; umbrella (0) or not (1)
WEATHER = tables([0, 0, 1], [[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]], np.eye(3).tolist())  # rain, cloud, sun
COINS = tables([1 / 3] * 3, [[1 / 3] * 3] * 3, [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])  # heads (0) or tails (1)


def model(chain: object, tokens: int) -> HmmModel:
    """A model without ends, all of whose tokens are words."""
    return HmmModel(chain, Vocabulary(tokens, None, tokens, tokens), ends=False)  # type: ignore[arg-type]


def test_umbrella_filtered() -> None:
    """Russell & Norvig, section 14.2.1: rain is 0.818 probable after one umbrella, 0.883 after two."""
    world = model(UMBRELLA, 2)
    one = world.advance(world.start(), 0)
    np.testing.assert_allclose(one, [0.627, 0.373], atol=5e-4)  # rain on day 2, predicted
    rain = np.exp(world.logp(ragged([0, 0])))
    np.testing.assert_allclose(rain, [0.55, 0.627 * 0.9 + 0.373 * 0.2], atol=5e-4)
    assert world.posteriors(ragged([0]))[0, 0] == pytest.approx(0.818, abs=5e-4)
    assert world.posteriors(ragged([0, 0]))[1, 0] == pytest.approx(0.883, abs=5e-4)


def test_umbrella_smoothed() -> None:
    """Section 14.2.2: rain on day 1 is 0.883 probable given the umbrellas of both days."""
    assert model(UMBRELLA, 2).posteriors(ragged([0, 0]))[0, 0] == pytest.approx(0.883, abs=5e-4)


def test_umbrella_most_likely_sequence() -> None:
    """Section 14.2.3: umbrella, umbrella, none, umbrella, umbrella: it rained on all days but the third."""
    assert model(UMBRELLA, 2).viterbi(ragged([0, 0, 1, 0, 0])).tolist() == [0, 0, 1, 0, 0]


def test_weather() -> None:
    """Rabiner 1989, section II: sun-sun-sun-rain-rain-sun-cloud-sun has probability 1.536e-4."""
    text = [2, 2, 2, 0, 0, 2, 1, 2]
    assert np.exp(model(WEATHER, 3).logp(ragged(text)).sum()) == pytest.approx(1.536e-4, rel=1e-9)


def test_coins() -> None:
    """Rabiner & Juang 1986: HHHHTHTTTT comes most probably from coin 2 for heads and 3 for tails, with (0.75/3)^10."""
    text = [0, 0, 0, 0, 1, 0, 1, 1, 1, 1]
    coins = model(COINS, 2)
    path = coins.viterbi(ragged(text))
    assert path.tolist() == [1, 1, 1, 1, 2, 1, 2, 2, 2, 2]
    joint = np.prod([COINS.emission[token, state] / 3 for token, state in zip(text, path.tolist(), strict=True)])
    assert joint == pytest.approx(0.25**10, rel=1e-12)
    assert np.exp(coins.logp(ragged(text)).sum()) == pytest.approx(0.5**10, rel=1e-12)
