"""Raw labelled text, whatever file it comes in, as one ``Corpus``; what its labels mean; how it is split.

load          a file, a folder, stdin or Python rows, read in one pass and a bounded memory
infer_task    classify, multilabel or regress, with the reason in words
split         which rows train, validate and test
class_names, label_sets, numbers, check_classes    the labels as each task needs them
"""

from .corpus import Corpus
from .loading import load, load_all
from .options import Label, ReadOptions
from .splits import TEST, TRAIN, VALID, split
from .tasks import check_classes, class_names, infer_task, label_sets, numbers

__all__ = [
    "TEST",
    "TRAIN",
    "VALID",
    "Corpus",
    "Label",
    "ReadOptions",
    "check_classes",
    "class_names",
    "infer_task",
    "label_sets",
    "load",
    "load_all",
    "numbers",
    "split",
]
