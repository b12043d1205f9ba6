"""The examples with pictures run, without a warning.

Here on few rows. The build of the documentation runs them as they are.
"""

import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from skxmr import datasets

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/plot_*.py"))
# On so few rows an example takes a second, and goes through all its steps.
N_ROWS = {"train": 1_000, "test": 1_800}


def first_rows(load):
    """A loader of the first rows of a subset."""

    def load_some(*, subset="train", return_X_y=False):
        data = load(subset=subset)
        first = slice(N_ROWS[subset])
        data.data, data.target = data.data[first], data.target[first]
        return (data.data, data.target) if return_X_y else data

    return load_some


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    for name in ("load_places", "load_subjects"):
        monkeypatch.setattr(datasets, name, first_rows(getattr(datasets, name)))
    mpl.use("agg")
    runpy.run_path(str(path))
    plt.close("all")
    assert shown
    assert all(shown)
    assert capsys.readouterr().out


def test_there_are_examples():
    assert EXAMPLES
