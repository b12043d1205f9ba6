"""Warm starts day by day on ready features, with a certificate of every node."""

from time import process_time

import numpy as np
import scipy.sparse as sp

from benchmarks.features import words_and_trigrams
from skxmr import XRLinearClassifier

# Violations are measured while a sweep moves, and in single precision.
_TOLERANCE = 1.5


def relearn_days(catalogue, options):
    """Fit a classifier with a warm start each day, and from nothing.

    Its rows are the training texts and the texts of labels, of which each day brings
    the new ones and takes those of removed labels away.

    Returns
    -------
    list of dict
        Of each day: seconds of CPU of both fits, nodes that were kept, solved and new,
        nodes with something to learn, and how many of those are optimal.
    """
    rows, Y = _all_rows(catalogue)
    parameters = {"random_state": 0, "n_jobs": options.threads}
    warm = XRLinearClassifier(warm_start=True, **parameters)
    days = []
    for day in range(-1, catalogue.n_days):
        X, present = _rows_of_day(catalogue, rows, Y, day)
        start = process_time()
        warm.fit(X, present)
        passed = {"warm_cpu_s": process_time() - start}
        if day >= 0:
            start = process_time()
            XRLinearClassifier(**parameters).fit(X, present)
            passed["fit_cpu_s"] = process_time() - start
            counts = warm.relearning_
            passed |= {
                name: int(counts[name].sum()) for name in counts if name[1] == "_"
            }
        passed["n_nodes"], passed["n_optimal"] = count_optimal(warm, X, present)
        days.append(passed)
        show(day, passed)
    return days


def show(day, passed):
    """Print a line of a day."""
    line = f"relearning, day {day + 1}: "
    if day >= 0:
        share = passed["warm_cpu_s"] / passed["fit_cpu_s"]
        line += (
            f"{passed['warm_cpu_s']:.2f} s CPU, {share:.0%} of a fit; "
            f"{passed['n_kept']:,} nodes kept, {passed['n_solved']:,} solved, "
            f"{passed['n_new']:,} new; "
        )
    print(f"{line}{passed['n_optimal']:,} of {passed['n_nodes']:,} optimal", flush=True)


def _all_rows(catalogue):
    """Features and labels of the training texts, then of the texts of labels."""
    task = catalogue.task
    n_labels = catalogue.n_first + catalogue.n_days * catalogue.n_added
    names = [" ".join(fields) for fields in catalogue.texts_of(0, n_labels)]
    of_texts = task.Y[:, catalogue.order[:n_labels]]
    kept = np.flatnonzero(np.diff(of_texts.indptr))
    texts = [task.texts[row] for row in kept.tolist()]
    rows, _ = words_and_trigrams(texts + names, names[:1])
    Y = sp.vstack([of_texts[kept], sp.eye_array(n_labels)], format="csr")
    return sp.csr_array(rows, dtype=np.float32), Y.astype(np.float32)


def _rows_of_day(catalogue, rows, Y, day):
    """The rows that have a label which is there after a day."""
    stop = catalogue.added(day).stop if day >= 0 else catalogue.n_first
    gone = [catalogue.removed(one) for one in range(day + 1)]
    is_there = np.ones(stop)
    is_there[np.concatenate(gone) if gone else []] = 0
    present = sp.csr_array(Y[:, :stop] @ sp.diags_array(is_there))
    present.eliminate_zeros()
    kept = np.flatnonzero(np.diff(present.indptr))
    return rows[kept], present[kept]


# The certificate
# ---------------


def count_optimal(classifier, X, Y):
    """Count the nodes of a squared hinge loss, and those that are optimal to `tol`.

    By the measure of the solver, in double precision, from the dual variables: the
    violations of all rows differ by `tol` at most, or one more sweep would gain no more
    than (tol / 2)^2 of what was gained.
    """
    record = classifier.training_state_.records[0]
    tree, X = record.tree, X.astype(np.float64)
    parents, n_nodes, n_optimal = sp.csc_array(np.ones((X.shape[0], 1))), 0, 0
    for level, rolled in enumerate(tree.roll_up(Y), start=1):
        children, duals = sp.csc_array(rolled), record.duals[level - 1].to_csr()
        offsets = tree.child_offsets[level - 1]
        for parent in range(len(offsets) - 1):
            rows = parents.indices[parents.indptr[parent] : parents.indptr[parent + 1]]
            for start in range(offsets[parent], offsets[parent + 1], 64):
                some = slice(start, min(start + 64, offsets[parent + 1]))
                relevance = children[:, some][rows].toarray()
                taught = (relevance > 0).any(axis=0) & ~(relevance > 0).all(axis=0)
                if not taught.any():
                    continue
                prior = record.solver.prior_length if level == tree.depth else 0.0
                nodes = _Nodes(
                    X[rows],
                    relevance[:, taught],
                    duals[some][:, rows].toarray()[taught],
                    record.solver,
                    prior,
                )
                n_nodes += int(taught.sum())
                n_optimal += int(nodes.are_optimal(_TOLERANCE * classifier.tol).sum())
        parents = children
    return n_nodes, n_optimal


class _Nodes:
    """The dual problems of some children of one parent."""

    def __init__(self, X, relevance, duals, solver, prior_length):
        used = np.unique(X.indices)
        self.X, self.bias = X[:, used], solver.bias
        is_positive = relevance.T > 0
        self.signs = np.where(is_positive, 1.0, -1.0)
        costs = np.where(
            is_positive, solver.positive_cost * relevance.T, solver.negative_cost
        )
        self.diagonals, self.duals = 0.5 / costs, np.abs(duals).astype(np.float64)
        mean = relevance.T @ self.X
        lengths = np.linalg.norm(mean, axis=1, keepdims=True)
        mean *= prior_length / np.maximum(lengths, 1e-300)
        steps = self.signs * self.duals
        moved, sums = steps @ self.X, steps.sum(axis=1)
        self.w, self.b = mean + moved, self.bias**2 * sums
        self.gained = 2 * self.duals.sum(axis=1) - (self.bias * sums) ** 2
        self.gained -= 2 * (mean * moved).sum(axis=1) + (moved**2).sum(axis=1)
        self.gained -= (self.diagonals * self.duals**2).sum(axis=1)

    def are_optimal(self, tol):
        """Tell which are optimal: by violations, or else by the gain of a sweep."""
        margins = self.signs * ((self.X @ self.w.T).T + self.b[:, np.newaxis])
        gradients = margins - 1 + self.diagonals * self.duals
        violations = np.where(self.duals > 0, gradients, np.minimum(gradients, 0))
        ranges = np.maximum(violations.max(axis=1), 0)
        ranges -= np.minimum(violations.min(axis=1), 0)
        optimal = ranges <= tol
        others = np.flatnonzero(~optimal)
        if len(others):
            gains = self._sweep(others)
            optimal[others] = gains <= (tol / 2) ** 2 * self.gained[others]
        return optimal

    def _sweep(self, which):
        """Twice what a sweep over all rows would gain."""
        w, b = self.w[which].T.copy(), self.b[which].copy()
        gains, X = np.zeros(len(which)), self.X
        for row in range(X.shape[0]):
            entries = slice(X.indptr[row], X.indptr[row + 1])
            columns, values = X.indices[entries], X.data[entries]
            signs, duals = self.signs[which, row], self.duals[which, row]
            diagonals = self.diagonals[which, row]
            curvatures = values @ values + self.bias**2 + diagonals
            gradients = signs * (values @ w[columns] + b) - 1 + diagonals * duals
            steps = np.maximum(duals - gradients / curvatures, 0) - duals
            gains += curvatures * steps**2
            w[columns] += np.outer(values, signs * steps)
            b += self.bias**2 * signs * steps
        return gains
