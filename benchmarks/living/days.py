"""Days of a catalogue: which labels come and go, and what is asked for."""

from dataclasses import dataclass

import numpy as np

from benchmarks.retrieval.tasks import Task


@dataclass(frozen=True)
class Catalogue:
    """A task whose labels come and go.

    Labels are renumbered: first those that are there from the start, in a random order,
    then those of each day. Training texts are those of the first ones; the training
    texts of labels that come later are queries for these.

    Attributes
    ----------
    task : Task
    order : ndarray of shape (n_labels,)
        The label of the task that each is.
    n_first, n_days, n_added, n_removed : int
        Labels from the start, days, and labels that come and go on each.
    """

    task: Task
    order: np.ndarray
    n_first: int
    n_days: int
    n_added: int
    n_removed: int

    @classmethod
    def of(cls, task, n_labels, n_days, n_added, n_removed):
        """Draw the labels that come later, and those that are left out."""
        order = np.random.default_rng(0).permutation(len(task.label_texts))
        order = order[:n_labels]
        return cls(
            task, order, len(order) - n_days * n_added, n_days, n_added, n_removed
        )

    def texts_of(self, start, stop):
        """The fields of some labels."""
        return [tuple(self.task.label_texts[one]) for one in self.order[start:stop]]

    def added(self, day):
        """The labels that come on a day, as a range."""
        start = self.n_first + day * self.n_added
        return range(start, start + self.n_added)

    def removed(self, day):
        """The labels that go on a day, of those from the start."""
        gone = np.random.default_rng(1).permutation(self.n_first)
        return np.sort(gone[day * self.n_removed : (day + 1) * self.n_removed])

    def training(self):
        """The training texts, and an indicator of the labels from the start."""
        Y = self.task.Y[:, self.order[: self.n_first]]
        kept = np.flatnonzero(np.diff(Y.indptr))
        return [self.task.texts[row] for row in kept.tolist()], Y[kept]

    def queries(self, labels, most=2_000):
        """Training texts of labels that come later: a text and a label each."""
        return self._asked(self.task.texts, self.task.Y, labels, most)

    def test_queries(self, labels, most=2_000):
        """Test texts: a text and a label each."""
        return self._asked(self.task.test_texts, self.task.Y_test, labels, most)

    def _asked(self, texts, Y, labels, most):
        labels = np.asarray(labels)
        of_labels = Y[:, self.order[labels]].tocoo()
        drawn = np.random.default_rng(2).permutation(of_labels.nnz)[:most]
        rows, positions = of_labels.coords
        return [texts[row] for row in rows[drawn].tolist()], labels[positions[drawn]]


def recall_at_10(retriever, texts, labels, column_of=None):
    """The share of texts whose label is among the best ten."""
    if not len(texts):
        return float("nan")
    columns, _ = retriever.search_batch(texts, k=10)
    expected = labels if column_of is None else column_of[labels]
    return float((columns == np.asarray(expected)[:, np.newaxis]).any(axis=1).mean())
