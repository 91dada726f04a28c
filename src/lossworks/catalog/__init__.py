"""What a registered member is: the facts in its docstring, and curves and trajectories computed by running it."""

from .curve import Curve, Line, Panel
from .facts import Facts
from .member import Member, find
from .text import text
from .trajectories import Surface, Trajectory

__all__ = ["Curve", "Facts", "Line", "Member", "Panel", "Surface", "Trajectory", "find", "text"]
