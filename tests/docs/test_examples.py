"""The examples with pictures run, without a warning."""

import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from skxmr import datasets

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/plot_*.py"))
# On so many training rows an example takes seconds, and goes through all its steps.
N_ROWS = 5_000


def first_rows(load):
    """A loader of the first training rows, and of all of the test."""

    def load_some(*, subset="train", return_X_y=False):
        data = load(subset=subset)
        if subset == "train":
            data.data, data.target = data.data[:N_ROWS], data.target[:N_ROWS]
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
