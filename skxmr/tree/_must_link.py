"""2-means with must-link constraints."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

__all__ = ["cut_in_two"]


def cut_in_two(Z, components, rule):
    """Split labels in two by 2-means on the means of their components.

    The split is where the sizes of the halves are closest to each other.

    Parameters
    ----------
    Z : csr_array or ndarray of shape (n_labels, n_features)
        The label vectors.
    components : ndarray of shape (n_labels,), int64
        Labels of the same component stay together.
    rule : Rule

    Returns
    -------
    list of ndarray of int64
        The labels of each half, ascending; all labels if there is only one component.
    """
    distinct, component, sizes = np.unique(
        components, return_inverse=True, return_counts=True
    )
    if len(distinct) == 1:
        return [np.arange(len(components))]
    means = _means(Z, component, sizes, rule.spherical)
    rng = np.random.default_rng([rule.seed, len(components), int(distinct[0])])
    is_first = np.zeros(len(sizes), dtype=bool)
    is_first[rng.integers(len(sizes))] = True
    for _ in range(rule.max_iter):
        cut = _reassign(means, sizes, is_first)
        moved = (cut != is_first).sum()
        is_first = cut
        if moved <= rule.tol * len(sizes):
            break
    return [np.flatnonzero(is_first[component] == side) for side in (True, False)]


def _means(Z, component, sizes, spherical):
    """Compute the mean vector of each component."""
    if spherical:
        Z = normalize(Z)
    labels = np.arange(len(component))
    members = sparse.csr_array(
        ((1 / sizes)[component], (component, labels)), shape=(len(sizes), len(labels))
    )
    return members @ Z


def _reassign(means, sizes, is_first):
    """Sort components between the centres of the halves, and split in the middle."""
    centres = [
        (sizes * side / (sizes * side).sum()) @ means for side in (is_first, ~is_first)
    ]
    towards_first = means @ (centres[0] - centres[1])
    order = np.argsort(-towards_first, kind="stable")
    before = np.cumsum(sizes[order])[:-1]
    n_first = 1 + int(np.abs(2 * before - sizes.sum()).argmin())
    sides = np.zeros(len(sizes), dtype=bool)
    sides[order[:n_first]] = True
    return sides
