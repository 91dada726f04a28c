"""Model families, one a file or folder, found by walking this one."""

from .base import (
    MICRO,
    ModelSpec,
    SequenceNetwork,
    Spec,
    TextModel,
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
from .graph_network import GraphNetwork, GraphSpec
from .language import LanguageModel, LanguageSpec

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
