"""Finished runs over HTTP: requests are checked, gathered into batches, and answered in a thread beside the event loop.

Needs the extra `lossworks[serve]`; nothing here imports PyTorch, which is for the models that want it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .limits import Limits
    from .runs import Runs
    from .server import Server

__all__ = ["Limits", "Runs", "Server"]

lazy.package(__name__)
