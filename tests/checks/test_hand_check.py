"""The design of a hand check, and what its answers say."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.checks.hand_check import Design, estimate
from lossworks.core.errors import UsageError


def test_strata_and_sizes() -> None:
    """Strata end at 100, 200, 500, … and the last row; more of the top is drawn than of the rest; all rows if there are few."""
    design = Design.of(10_000, 200, 0)
    assert design.ends == [100, 200, 500, 1000, 2000, 5000, 10_000]
    assert sum(design.drawn) == 200
    rates = [drawn / rows for rows, drawn in zip(design.rows, design.drawn, strict=True)]
    assert rates == sorted(rates, reverse=True)
    roots = np.sqrt(design.rows)
    assert np.abs(np.array(design.drawn) - 200 * roots / roots.sum()).max() < 1.5
    assert Design.of(60, 200, 0).drawn == (60,)
    assert Design.of(120, 200, 0).drawn == (100, 20)
    assert [part["to"] for part in Design.of(500, 50, 0).to_json()] == [100, 200, 500]
    assert [part["from"] for part in Design.of(500, 50, 0).to_json()] == [1, 101, 201]


def test_places_are_a_sample_of_each_stratum() -> None:
    """Each place once, as many of a stratum as were allotted, the first ones of every stratum; another seed draws others."""
    design = Design.of(3000, 90, 3)
    places = design.places()
    assert len(set(places.tolist())) == 90
    stratum = np.searchsorted(design.ends, places, "right")
    assert tuple(np.bincount(stratum)) == design.drawn
    assert set(stratum[: len(design.rows)]) == set(range(len(design.rows)))
    half = np.bincount(stratum[:45], minlength=len(design.rows))
    assert np.abs(half - np.array(design.drawn) / 2).max() <= 1.5
    assert places.tolist() == Design.of(3000, 90, 3).places().tolist()
    assert places.tolist() != Design.of(3000, 90, 4).places().tolist()


def test_every_place_is_as_likely_within_its_stratum() -> None:
    """Over many seeds the places of a stratum are drawn equally often, at the first turn too."""
    first, any_turn = np.zeros(150), np.zeros(150)
    for seed in range(600):
        places = Design.of(150, 30, seed).places()
        np.add.at(any_turn, places, 1)
        np.add.at(first, places[:2], 1)
    top, rest = any_turn[:100], any_turn[100:]
    rates = np.array(Design.of(150, 30, 0).drawn) / [100, 50]
    for counts, rate in ((top, rates[0]), (rest, rates[1])):
        assert np.abs(counts / 600 - rate).max() < 5 * np.sqrt(rate * (1 - rate) / 600)
    assert np.abs(first[:100] / 600 - 0.01).max() < 5 * np.sqrt(0.01 / 600)


def test_all_rows_answered_are_counted() -> None:
    """Where every row is looked at, errors, precision and the rows to look at are counts."""
    design = Design.of(300, 300, 0)
    wrong = set(range(0, 100, 2)) | set(range(100, 200, 10)) | {250}
    found = estimate(design, ["wrong" if place in wrong else "right" for place in design.places()])
    assert (found.errors.low, found.errors.value, found.errors.high) == (61, 61, 61)
    assert {rows: part.value for rows, part in found.precision.items()} == pytest.approx({100: 0.5, 200: 0.3, 300: 61 / 300})
    assert all(part.low == part.value == part.high for part in found.precision.values())
    assert (found.looked, found.wrong, found.unsure) == (300, 61, 0)
    # half of the errors: linear within a stratum, 30.5 of the 50 in the first; 80 %: 48.8 of them; 90 %: 54.9
    assert found.to_find == {0.5: (61, 100), 0.8: (98, 100), 0.9: (149, 200)}


def test_rows_that_hold_no_error_are_not_needed() -> None:
    """Where a part of the ranking holds none, a share is found before it."""
    design = Design.of(500, 500, 0)
    found = estimate(design, ["wrong" if place in (5, 300) else "right" for place in design.places()])
    assert (found.errors.low, found.errors.high) == (2, 2)
    assert found.to_find[0.5] == (100, 100)


def test_nothing_wrong_is_not_zero_errors() -> None:
    """No wrong row among those looked at bounds the errors, and claims nothing to find."""
    design = Design.of(1000, 100, 0)
    found = estimate(design, ["right"] * 100)
    assert found.errors.value == found.errors.low == 0
    assert 20 < found.errors.high < 100
    assert found.to_find == {}
    assert found.to_json()["error_rate"]["high"] == found.errors.high / 1000


def test_an_early_stop_counts_what_was_answered() -> None:
    """The first answers alone are a sample, with a wider interval; fewer than one a stratum are refused."""
    design = Design.of(1000, 100, 0)
    places = design.places()
    answers = ["wrong" if place < 150 else "right" for place in places]
    whole, half = estimate(design, answers), estimate(design, answers[:50])
    assert half.looked == 50
    assert half.errors.low <= 150 <= half.errors.high
    assert half.errors.high - half.errors.low > whole.errors.high - whole.errors.low
    with pytest.raises(UsageError, match="3 rows are answered; wanted 4 or more"):
        estimate(design, answers[:3])


def test_a_sample_too_small_for_the_strata_is_refused() -> None:
    """Each part of the ranking needs a row."""
    with pytest.raises(UsageError, match="sample is 3; wanted 4 or more"):
        Design.of(1000, 3, 0)
