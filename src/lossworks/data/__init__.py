"""Text, labelled or not, whatever file it comes in, and how it becomes what a model reads.

load          a file, a folder, stdin or Python rows, read in one pass and a bounded memory, as one ``Corpus``
stream        the same a block at a time, with the cells of further columns
infer_task    classify, multilabel or regress, with the reason in words
Languages     which language each row is in
split, k_folds    which rows train, validate and test; which fold each is in
class_names, label_sets, numbers, check_classes    the labels as each task needs them
Ragged, TokenRows, Batch, Shards    rows of numbers, held in memory or on disk; ``epoch_order`` is the order they are seen in
Draws, TextLanguages    which rows an epoch has where languages are balanced
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .batch import Bags, Batch
    from .corpus import Corpus
    from .draws import Draws, TextLanguages
    from .features import Features, Selected
    from .formats.frames import is_frame
    from .hashed_features import HashedFeatures
    from .labels import joined, named, original
    from .languages import Languages
    from .loading import load, load_all
    from .options import AS_READ, Label, ReadOptions, read_options
    from .order import epoch_order
    from .ordered_features import Marks, OrderedFeatures
    from .ragged import Ragged
    from .row_gradient import RowGradient
    from .shards import Shards
    from .sources import together
    from .sparse_embedding import SparseEmbedding
    from .splits import PARTS, TEST, TRAIN, VALID, k_folds, split
    from .state_features import Moments, StateFeatures
    from .streaming import Stream, stream
    from .targets import check_classes, class_names, infer_task, label_sets, numbers, shown_apart, twins
    from .token_file import TokenFile
    from .token_rows import TokenRows, along, valid

__all__ = [
    "AS_READ",
    "PARTS",
    "TEST",
    "TRAIN",
    "VALID",
    "Bags",
    "Batch",
    "Corpus",
    "Draws",
    "Features",
    "HashedFeatures",
    "Label",
    "Languages",
    "Marks",
    "Moments",
    "OrderedFeatures",
    "Ragged",
    "ReadOptions",
    "RowGradient",
    "Selected",
    "Shards",
    "SparseEmbedding",
    "StateFeatures",
    "Stream",
    "TextLanguages",
    "TokenFile",
    "TokenRows",
    "along",
    "check_classes",
    "class_names",
    "epoch_order",
    "infer_task",
    "is_frame",
    "joined",
    "k_folds",
    "label_sets",
    "load",
    "load_all",
    "named",
    "numbers",
    "original",
    "read_options",
    "shown_apart",
    "split",
    "stream",
    "together",
    "twins",
    "valid",
]

lazy.package(__name__)
