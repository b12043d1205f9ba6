"""The systems to compare, each with its layouts for prediction."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import ensure

HERE = Path(__file__).resolve().parent
# Limits of one-vs-rest: bytes of its dense weights, and the number of values that all
# classifiers read in one pass over the rows.
WEIGHTS_LIMIT = 1.0e9
PASS_LIMIT = 1.0e9
OWN = "skxmr"


@dataclass(frozen=True)
class System:
    """One system.

    Attributes
    ----------
    name : str
    folder : Path
        Holds worker.py and, for a peer, requirements.txt.
    layouts : tuple of str
        Ways to predict with one fitted model; measured one by one.
    dense_layouts : tuple of str
        The same for dense X.
    script : str
        The name of the worker's file.
    """

    name: str
    folder: Path
    layouts: tuple[str, ...] = ("default",)
    dense_layouts: tuple[str, ...] = field(default=("default",))
    script: str = "worker.py"

    @property
    def worker(self):
        return self.folder / self.script

    def python(self, cache):
        """Interpreter to run the worker with; a peer's environment is built first."""
        requirements = self.folder / "requirements.txt"
        if not requirements.exists():
            return Path(sys.executable)
        return ensure(requirements, cache)

    def layouts_for(self, problem):
        return self.dense_layouts if problem.describe()["dense"] else self.layouts

    def refuses(self, problem):
        """Return why this system is not measured on a problem, or None."""
        if self.name != "onevsrest":
            return None
        sizes = problem.describe()
        weights = 8.0 * sizes["labels"] * sizes["features"]
        if weights > WEIGHTS_LIMIT:
            return f"its dense weights alone would take {weights / 1e9:,.0f} GB"
        values = sizes["labels"] * sizes["train_rows"] * sizes["features_per_row"]
        if values > PASS_LIMIT:
            return f"it would read {values / 1e9:,.0f} billion values in every sweep"
        return None


def peer(name, *layouts, dense=None):
    """Make a system with a virtual environment of its own."""
    return System(name, HERE / "peers" / name, layouts, dense or layouts)


SYSTEMS = {
    system.name: system
    for system in (
        System(OWN, HERE / "own"),
        # Its chunked layouts do not take dense rows.
        peer("pecos", "BINARY_SEARCH_CHUNKED", "HASH_CHUNKED", dense=("CSC",)),
        peer("omikuji", "densified"),
        peer("napkinxc", "beam", "exact"),
        peer("onevsrest", "default"),
    )
}
