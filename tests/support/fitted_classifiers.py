"""Small classifiers that several test modules fit, and their scores by brute force."""

import numpy as np
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from twins import assert_same_layout, weights_to_dense

from skxmr import KMeansTree, XRLinearClassifier

SMALL_TREE = KMeansTree(branching_factor=2, max_leaf_size=3, random_state=0)


def make_data(seed=0, n_samples=300, n_classes=20):
    X, Y = make_multilabel_classification(
        n_samples,
        n_features=30,
        n_classes=n_classes,
        n_labels=3,
        length=20,
        allow_unlabeled=False,
        random_state=seed,
    )
    X = sparse.csr_array(X / np.linalg.norm(X, axis=1, keepdims=True))
    return X.astype(np.float32), sparse.csr_array(Y)


def fit(X, Y, **parameters):
    settings = {"indexer": SMALL_TREE, "random_state": 0} | parameters
    return XRLinearClassifier(**settings).fit(X, Y)


def brute_force_log_scores(classifier, X, transform="l4-hinge"):
    """Scores of all labels: every node's margin, times the scores of its ancestors."""
    tree, layout = classifier.trees_[0], classifier.layouts_[0]
    levels = layout.to_levels()
    W = np.hstack(
        [
            weights_to_dense(level, offsets, X.shape[1])
            for level, offsets in zip(levels, tree.child_offsets, strict=True)
        ]
    )
    margins = X.toarray().astype(np.float64) @ W + layout.intercepts
    if transform == "sigmoid":
        scores = -np.logaddexp(0, -margins)
    else:
        scores = -(np.maximum(0, 1 - margins) ** int(transform[1]))
    total = np.zeros((X.shape[0], 1))
    starts = [*(layout.level_starts - 1), len(layout.intercepts)]
    for level in range(1, tree.depth + 1):
        nodes = slice(starts[level], starts[level + 1])
        total = total[:, tree.parents(level)] + scores[:, nodes]
    by_label = np.empty_like(total)
    by_label[:, tree.labels] = total
    return by_label


def assert_same_model(one, other):
    for a, b in zip(one.layouts_, other.layouts_, strict=True):
        assert_same_layout(a, b)
