"""What a registered member is: the facts of its docstring, and its curves, computed by running the member itself."""

from .curve import Curve, Line, Panel
from .facts import Facts
from .member import Member, find
from .text import text

__all__ = ["Curve", "Facts", "Line", "Member", "Panel", "find", "text"]
