"""The examples with pictures run, without a warning."""

import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/plot_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    mpl.use("agg")
    runpy.run_path(str(path))
    plt.close("all")
    assert shown
    assert all(shown)
    assert capsys.readouterr().out


def test_there_are_examples():
    assert EXAMPLES
