"""Workspaces that serve again: the last one that is not in use, and one for as long as a graph is there."""

from __future__ import annotations

from typing import Any

from .workspace import Sizes, Workspace


class WorkspacePool:
    """The last workspace that is not in use. It is no part of a model: a copy of a model has its own."""

    def __init__(self) -> None:
        self._free: list[Workspace] = []

    def take(self, sizes: Sizes) -> Workspace:
        """A workspace of these sizes, which is the caller's alone; one of others is given up, before memory is asked for."""
        try:
            workspace = self._free.pop()
        except IndexError:
            return Workspace(sizes)
        if workspace.sizes == sizes:
            return workspace
        del workspace
        return Workspace(sizes)

    def put(self, workspace: Workspace) -> None:
        """Take a workspace back."""
        self._free = [workspace]

    def clear(self) -> None:
        """Give the memory back."""
        self._free = []

    def __deepcopy__(self, memo: Any) -> WorkspacePool:
        return WorkspacePool()

    def __reduce__(self) -> tuple[type[WorkspacePool], tuple[()]]:
        return WorkspacePool, ()


class WorkspaceLease:
    """A workspace for as long as this object is there, which is as long as the graph."""

    __slots__ = ("_pool", "workspace")

    def __init__(self, pool: WorkspacePool, workspace: Workspace) -> None:
        self._pool, self.workspace = pool, workspace

    def __del__(self) -> None:
        self._pool.put(self.workspace)
