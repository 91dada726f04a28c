"""Examples to batches: ragged rows of numbers, held in memory or on disk, and the order in which they are seen."""

from .batch import Batch
from .features import Features, Selected
from .hashed import HashedFeatures
from .order import epoch_order
from .ordered import Marks, OrderedFeatures
from .ragged import Ragged
from .rows import RowGradient
from .shards import Shards
from .table import Table
from .token_file import TokenFile
from .token_rows import TokenRows, along, valid

__all__ = [
    "Batch",
    "Features",
    "HashedFeatures",
    "Marks",
    "OrderedFeatures",
    "Ragged",
    "RowGradient",
    "Selected",
    "Shards",
    "Table",
    "TokenFile",
    "TokenRows",
    "along",
    "epoch_order",
    "valid",
]
