"""The memory of training tasks, kept from one task to the next."""

from contextlib import contextmanager

from skxmr._cython._workspace import Workspace
from skxmr._memory._large import empty

__all__ = ["WorkspacePool"]


class WorkspacePool:
    """Pool of workspaces, one per running task. Pickles as an empty pool."""

    def __init__(self):
        self._free = []

    def __reduce__(self):
        return WorkspacePool, ()

    @contextmanager
    def lend(self):
        """Lend a workspace; after an error it is not used again."""
        try:
            workspace = self._free.pop()
        except IndexError:
            workspace = Workspace(empty)
        yield workspace
        self._free.append(workspace)
