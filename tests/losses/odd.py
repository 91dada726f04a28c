"""The cases of a registered loss: its parameters off the beaten track, as its own test file names them.

``tests/losses/test_NAME.py`` of the loss NAME holds

    ODD             specs without the name ("" for the defaults) → the properties they are excused from, with the reasons;
                    a value for each field of the loss
    formula         formula(loss, p, y) on probabilities and one-hot targets, both [N, V]; for losses over outcomes
    number_formula  formula(loss, ŷ, y) between numbers [N]
    beside          beside(target, classes) → what the scores are given besides: teacher=, negatives=

of which only ODD must be there.
"""

from __future__ import annotations

import importlib

from losses.case import Case
from lossworks import losses


def cases(name: str) -> dict[str, Case]:
    """The loss with its defaults and with each of its odd parameters, by spec."""
    try:
        told = importlib.import_module(f"losses.test_{name}")
    except ModuleNotFoundError as error:
        raise AssertionError(f"the loss {name!r} has no test file tests/losses/test_{name}.py with its ODD parameters") from error
    odd: dict[str, dict[str, str]] = told.ODD
    specs = {name: odd.get("", {})} | {f"{name}:{keys}": excused for keys, excused in odd.items() if keys}
    formulas = {
        "formula": getattr(told, "formula", None),
        "number_formula": getattr(told, "number_formula", None),
        "beside": getattr(told, "beside", None),
    }
    often = (5.0, 1.0, 3.0, 2.0, 8.0)  # how often each class occurs, for the losses that ask for it
    return {spec: Case(losses.build(spec).with_counts(often), excused=excused, **formulas) for spec, excused in specs.items()}
