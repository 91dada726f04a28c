"""Tasks, one a file: what the targets are, how a loss meets them, the proper metric, and the constant baseline.

classify     one of several classes            multilabel    any of several labels
regress      a number                          lm            the next token
graph        the third name of a fact
"""

from typing import Any

from ..data.labels import original
from .base import Kind, Task
from .classify import Classify, parse_class_weight
from .graph import GraphCompletion
from .labelled import LabelTask
from .lm import LanguageModeling
from .multilabel import Multilabel
from .regress import Regress

LABEL_TASKS: dict[str, type[LabelTask]] = {"classify": Classify, "multilabel": Multilabel, "regress": Regress}
TASKS = ("auto", *LABEL_TASKS, "lm", "graph")
"""What a fit can be told."""


def label_task(kind: str, labels: Any = (), center: float = 0.0, spread: float = 1.0, label_type: str = "str") -> LabelTask:
    """The task of a kind (classify, multilabel, regress); arguments as of ``LabelTask``, as a file may hold them.

    Raises:
        ValueError: labels are no text, not all different, or no values of the type that they were given in.
    """
    labels = tuple(labels)
    if not all(isinstance(label, str) for label in labels) or len({*labels}) < len(labels):
        raise ValueError("the labels are not texts that differ")
    for label in labels:
        original(label, label_type)
    return LABEL_TASKS[kind](labels, center, spread, label_type)


__all__ = [
    "LABEL_TASKS",
    "TASKS",
    "Classify",
    "GraphCompletion",
    "Kind",
    "LabelTask",
    "LanguageModeling",
    "Multilabel",
    "Regress",
    "Task",
    "label_task",
    "parse_class_weight",
]
