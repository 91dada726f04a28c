"""Self-contained HTML reports: of a run or comparison, a loss landscape, a member, scored texts, labels. Trains nothing."""

from .label_errors import write_label_errors
from .landscape import write_landscape
from .members import write_members
from .page import write
from .scored import write_scored

__all__ = ["write", "write_label_errors", "write_landscape", "write_members", "write_scored"]
