"""Labels that each row of a search is restricted to, and their exact scores."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._cython._search_inputs import TRANSFORMS
from skxmr._parallel._parallel import current_stop, run_tasks, split_rows
from skxmr._utils._dense import DenseRows

__all__ = ["RowLabels", "score_labels"]

# Tasks take about ten milliseconds, as those of `beam_search`.
_MIN_LABELS_OF_A_TASK = 2**14


class RowLabels(NamedTuple):
    """The labels that each row may find, or may not.

    Parameters
    ----------
    offsets : ndarray of shape (n_rows + 1,), int64
        Row i has the labels from ``offsets[i]`` up to ``offsets[i + 1]``.
    columns : ndarray of int32
        Ascending within a row.
    base : ndarray of uint64, default=None
        None: rows find these labels only. Otherwise a bit for each node that all rows
        may enter; rows do not find their labels.
    """

    offsets: NDArray
    columns: NDArray
    base: NDArray | None = None

    def between(self, start, stop):
        """Return those of some consecutive rows."""
        return self._replace(offsets=self.offsets[start : stop + 1])

    def bind(self, layout):
        """Bind them for one search of a layout."""
        return layout.label_nodes.of_rows(*self)

    @property
    def most(self):
        """The largest number of labels of a row."""
        return int(np.diff(self.offsets).max(initial=0))


def score_labels(X, layout, among, score_transform, n_jobs=None):
    """Score given labels of each row by walking the paths to them.

    A row costs as much as a search whose beam holds all nodes above its labels, and
    only these. Scores have the bits of a search that reaches the labels.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
        Dense rows are compressed.
    layout : SearchLayout
    among : RowLabels
        Labels that rows may find; the first of its offsets is 0.
    score_transform : str
        As in `skxmr._search._beam_search.beam_search`.
    n_jobs : int or None

    Returns
    -------
    ndarray of shape (``among.offsets[-1]``,), float64
        Logarithms of the scores; -inf for labels that are never found.
    """
    if isinstance(X, DenseRows):
        X = X.to_compressed()
    n_rows, n_labels = X.n_vectors, len(among.columns)
    min_rows = max(1, _MIN_LABELS_OF_A_TASK * n_rows // max(1, n_labels))
    slices = split_rows(n_rows, n_jobs=n_jobs, min_rows=min_rows)
    tasks = (
        (X.between(s.start, s.stop), among.between(s.start, s.stop)) for s in slices
    )
    shared = layout, score_transform
    found = run_tasks(_score_task, tasks, n_jobs=n_jobs, shared=shared)
    return np.concatenate([*found, np.empty(0)])


def _score_task(task, layout, score_transform):
    X, among = task
    first, stop = among.offsets[[0, -1]].tolist()
    among = among._replace(
        offsets=among.offsets - first, columns=among.columns[first:stop]
    )
    log_scores = np.empty(stop - first)
    layout.searcher.score(
        X.offsets,
        X.indices,
        X.values,
        TRANSFORMS[score_transform],
        among.bind(layout),
        np.empty(among.most, dtype=np.int64),
        log_scores,
        current_stop(),
    )
    return log_scores
