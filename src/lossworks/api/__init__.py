"""What the command's verbs do, as Python functions: the command and the top of the package both call these.

The names here are loaded when first used: whoever predicts need not wait for what explains, compares and draws.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..attribution import Explanation
    from . import languages
    from .evaluate import evaluate
    from .explain_data import ExplainedData, explain_data
    from .explained import write_explanations
    from .fit import fit
    from .graph import Graph
    from .influence import Influence, influence
    from .landscape import Landscape, landscape
    from .language import Language
    from .learning import Learning, learning
    from .loading import load, load_answering, load_labels, load_language, load_run, load_text
    from .model import Model
    from .scored import Scored, Word, write_scored
    from .show import show
    from .side_by_side import labels_side_by_side, side_by_side
    from .sliced import write_languages, write_slices

_VERBS = ("evaluate", "explain_data", "fit", "influence", "landscape", "learning", "show", "side_by_side")
"""Functions that are called as their modules are."""
_HOMES = {verb: verb for verb in _VERBS} | {
    "ExplainedData": "explain_data",
    "Explanation": "explained",
    "Graph": "graph",
    "Influence": "influence",
    "Landscape": "landscape",
    "Language": "language",
    "Learning": "learning",
    "Model": "model",
    "Scored": "scored",
    "Word": "scored",
    "labels_side_by_side": "side_by_side",
    "load": "loading",
    "load_answering": "loading",
    "load_labels": "loading",
    "load_language": "loading",
    "load_run": "loading",
    "load_text": "loading",
    "write_explanations": "explained",
    "write_languages": "sliced",
    "write_scored": "scored",
    "write_slices": "sliced",
}

__all__ = [
    "ExplainedData",
    "Explanation",
    "Graph",
    "Influence",
    "Landscape",
    "Language",
    "Learning",
    "Model",
    "Scored",
    "Word",
    "evaluate",
    "explain_data",
    "fit",
    "influence",
    "labels_side_by_side",
    "landscape",
    "languages",
    "learning",
    "load",
    "load_answering",
    "load_labels",
    "load_language",
    "load_run",
    "load_text",
    "show",
    "side_by_side",
    "write_explanations",
    "write_languages",
    "write_scored",
    "write_slices",
]


class _Package(ModuleType):
    """A package in which a verb is the function whenever its module was imported, and by whom."""

    def __setattr__(self, name: str, value: Any) -> None:
        own = isinstance(value, ModuleType) and name in _VERBS  # as the import of a submodule sets it
        super().__setattr__(name, getattr(value, name) if own else value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "languages":
        return importlib.import_module(f"{__name__}.languages")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
