"""Self-contained HTML reports: of a run or comparison, a loss landscape, a member, scored or explained texts. Trains nothing."""

from .explained import write_explanations
from .landscape import write_landscape
from .learning import write_learning
from .members import write_members
from .page import write
from .scored import write_scored
from .slices import write_slices

__all__ = ["write", "write_explanations", "write_landscape", "write_learning", "write_members", "write_scored", "write_slices"]
