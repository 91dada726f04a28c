"""Model families, one a file or folder, found by walking this one."""

from .base import (
    MICRO,
    ModelSpec,
    SequenceNetwork,
    Spec,
    TextModel,
    build,
    build_graph,
    build_language,
    for_labels,
    is_graph,
    is_language,
    models,
    render,
)
from .graph_network import GraphNetwork, GraphSpec
from .language import LanguageModel, LanguageSpec

__all__ = [
    "MICRO",
    "GraphNetwork",
    "GraphSpec",
    "LanguageModel",
    "LanguageSpec",
    "ModelSpec",
    "SequenceNetwork",
    "Spec",
    "TextModel",
    "build",
    "build_graph",
    "build_language",
    "for_labels",
    "is_graph",
    "is_language",
    "models",
    "render",
]
