"""Model families, one a file or folder, found by walking this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .base import (
        MICRO,
        ModelSpec,
        Spec,
        build,
        build_classifier,
        build_graph,
        build_language,
        for_labels,
        is_counted,
        is_graph,
        is_language,
        models,
        render,
    )
    from .counted import ClassCounts, CountedClassifier, CountedSpec
    from .graph_network import GraphNetwork
    from .graph_spec import GraphSpec
    from .language import LanguageModel, LanguageSpec
    from .networks import SequenceNetwork, TextModel

__all__ = [
    "MICRO",
    "ClassCounts",
    "CountedClassifier",
    "CountedSpec",
    "GraphNetwork",
    "GraphSpec",
    "LanguageModel",
    "LanguageSpec",
    "ModelSpec",
    "SequenceNetwork",
    "Spec",
    "TextModel",
    "build",
    "build_classifier",
    "build_graph",
    "build_language",
    "for_labels",
    "is_counted",
    "is_graph",
    "is_language",
    "models",
    "render",
]

lazy.package(__name__)
