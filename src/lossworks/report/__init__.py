"""The pages to open, each one self-contained HTML file: a run's record, its loss landscape, a member, scored texts. Never trains
anything.
"""

from .landscape import write_landscape
from .members import write_members
from .page import write
from .scored import write_scored

__all__ = ["write", "write_landscape", "write_members", "write_scored"]
