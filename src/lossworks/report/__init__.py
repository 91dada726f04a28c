"""The page to open: reads a run's record and writes one self-contained HTML file. Never runs anything again."""

from .page import write

__all__ = ["write"]
