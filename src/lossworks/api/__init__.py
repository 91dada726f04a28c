"""What the command's verbs do, as Python functions: the command and the top of the package both call these.

The names here are loaded when first used: whoever predicts need not wait for what explains, compares and draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from ..attribution import Explanation
    from . import languages
    from .evaluate import evaluate
    from .explain_data import ExplainedData, explain_data
    from .explained import write_explanations
    from .fit import fit
    from .graph import Graph
    from .influence import Influence, influence
    from .labels_together import labels_side_by_side
    from .landscape import Landscape, landscape
    from .language import Language
    from .learning import Learning, learning
    from .loading import load, load_answering, load_labels, load_language, load_run, load_text
    from .model import Model
    from .scored import Scored, Word, write_scored
    from .show import show
    from .side_by_side import side_by_side
    from .sliced import write_languages, write_slices

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

lazy.package(__name__)
