"""The pages to open: a run's record, or what a registered member is, as one self-contained HTML file. Never trains anything."""

from .members import write_members
from .page import write

__all__ = ["write", "write_members"]
