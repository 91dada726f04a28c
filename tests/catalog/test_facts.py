"""Docstrings are taken apart at their slots."""

from __future__ import annotations

from dataclasses import dataclass

from lossworks.catalog import Facts, find
from lossworks.catalog.facts import facts
from lossworks.core.registry import Entry


def test_cross_entropy() -> None:
    """Domain, limit and gradient stand apart; what is said besides is a remark."""
    said = find("cross_entropy:label_smoothing=0.1")[0].terms[0]
    assert said.formula.startswith("-Σ_v q_v w_v log p_v")
    assert said.domain.startswith("0 <= label_smoothing <= 1")
    assert said.limit == "label_smoothing = 0 and no weights is -log p_y."
    assert said.gradient.startswith("into z, without weights: p - q")
    assert said.remarks == "Over binary scores this is binary cross-entropy."
    smoothing = said.parameters[0]
    assert (smoothing.name, smoothing.type, smoothing.default, smoothing.value) == ("label_smoothing", "float", 0.0, 0.1)


def test_slots_share_lines() -> None:
    """A slot may follow another on its line, after one space or two, be in the plural, and go on over lines."""
    said = _said(
        """A formula
    over two lines.

    A remark: with a colon. And ``more``.
    Domain: a > 0,
    b > 0.  Limits: a = 0 (at first). Gradient into z: g.  An aside.
    Last remark.
    """
    )
    assert said.formula == "A formula over two lines."
    assert (said.domain, said.limit, said.gradient) == ("a > 0, b > 0.", "a = 0 (at first).", "into z: g.")
    assert said.remarks == "A remark: with a colon. And `more`. An aside. Last remark."


def test_a_docstring_of_one_line() -> None:
    """Has a formula and nothing else."""
    said = _said("Σ w v / Σ w.")
    assert (said.formula, said.domain, said.limit, said.gradient, said.remarks) == ("Σ w v / Σ w.", "", "", "", "")


def _said(docstring: str) -> Facts:
    @dataclass(frozen=True)
    class Thing:
        pass

    Thing.__doc__ = docstring
    return facts(Entry("thing", Thing, "here"), Thing())
