"""Custom indexers, in a module that worker processes can import."""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from skxmr import LabelTree


class TwoLevels(BaseEstimator):
    """Neighbouring columns in groups; notes every fit in a file, if there is one.

    The file counts fits in all threads and processes.
    """

    def __init__(self, group_size=3, log=None):
        self.group_size = group_size
        self.log = log

    def fit(self, Z, y=None, *, label_names=None):
        if self.log is not None:
            with Path(self.log).open("a", encoding="utf-8") as file:
                file.write(f"{Z.shape[0]}\n")
        n_labels = Z.shape[0]
        starts = [*range(0, n_labels, self.group_size), n_labels]
        self.tree_ = LabelTree([[0, len(starts) - 1], starts], np.arange(n_labels))
        return self


class Raises(BaseEstimator):
    """Fails in the middle of a fit."""

    def __init__(self, error):
        self.error = error

    def fit(self, Z, y=None, *, label_names=None):
        raise self.error


class Returns(BaseEstimator):
    """Sets tree_ to whatever it was given."""

    def __init__(self, tree):
        self.tree = tree

    def fit(self, Z, y=None, *, label_names=None):
        self.tree_ = self.tree
        return self
