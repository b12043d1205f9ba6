"""Write model folders of PECOS XR-Linear."""

import json
import os

import numpy as np
from scipy import sparse

from skxmr._base._state import snapshot
from skxmr._inputs._validation import check_is_fitted
from skxmr._utils._files import creating_folder
from skxmr.interop._pecos_reading import ALWAYS, MAX_INT32
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.stages._stages import refuse_custom_stages

__all__ = ["save_pecos"]


def save_pecos(classifier: XRLinearClassifier, folder: str | os.PathLike) -> None:
    """Write a model folder that PECOS XR-Linear can load.

    PECOS 1.2.8 has the scores of the classifier to five digits and the same ranking,
    except for ties, with both kinds of ``XLinearModel.load`` and every type of weight
    matrix. The folder is written atomically: under a temporary name, then renamed.

    Parameters
    ----------
    classifier : XRLinearClassifier
        A fitted classifier with one tree. Its `beam_width`, `max_candidates` and
        `score_transform` become PECOS's defaults of prediction. Labels are written as
        columns only: save `classes_` and the names of features separately.
    folder : str or path-like
        Must not exist, or be empty; its parent folder must exist. A symbolic link to an
        empty folder is replaced itself.

    Raises
    ------
    ValueError
        If the classifier has several trees or a `propensity_weight`, which PECOS
        XR-Linear does not support.
    TypeError
        If it is not an `XRLinearClassifier`.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    FileExistsError
        If there is a file of this name, or a folder that is not empty.
    OSError
        If the folder cannot be written.

    See Also
    --------
    load_pecos : Reads a folder.

    Notes
    -----
    A label without training rows, which the classifier never finds, is in no cluster,
    so that PECOS does not find it either. A node without siblings gets an intercept
    that gives a score of 1.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.preprocessing import normalize
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.interop import load_pecos, save_pecos
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> X = normalize(X)
    >>> classifier = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pecos(classifier, Path(folder, "model"))
    ...     again = load_pecos(Path(folder, "model"))
    >>> bool((again.rank(X)[1] == classifier.rank(X)[1]).all())
    True
    """
    if not isinstance(classifier, XRLinearClassifier):
        raise TypeError(
            f"classifier must be an XRLinearClassifier; got a "
            f"{type(classifier).__name__}. Of a Pipeline, save the last step."
        )
    classifier = snapshot(classifier)
    check_is_fitted(classifier)
    refuse_custom_stages(classifier, "save_pecos")
    if len(classifier.layouts_) > 1:
        raise ValueError(
            f"classifier has {len(classifier.layouts_)} trees; a PECOS model has one. "
            f"Fit it with n_trees=1."
        )
    if classifier.propensity_weight:
        raise ValueError(
            f"PECOS cannot weigh scores by propensities; got a classifier with "
            f"propensity_weight={classifier.propensity_weight}. Set it to 0."
        )
    tree, layout = classifier.trees_[0], classifier.layouts_[0]
    beam_width, max_candidates = classifier.beam_width, classifier.max_candidates
    if beam_width is None:
        beam_width = layout.widest_level
    if max_candidates is None:
        max_candidates = tree.n_labels
    with creating_folder(folder) as unfinished:
        _write_json(unfinished, "xlinear.model###XLinearModel", {})
        (unfinished / "ranker").mkdir()
        description = {
            "model": "HierarchicalMLModel",
            "depth": tree.depth,
            "nr_features": layout.n_features,
            "nr_codes": tree.level_sizes[-2],
            "nr_labels": tree.n_labels,
        }
        _write_json(unfinished / "ranker", "base###HierarchicalMLModel", description)
        levels = layout.to_levels()
        for number, weights in enumerate(levels):
            is_last = number == tree.depth - 1
            _write_level(
                unfinished / "ranker" / f"{number}.model",
                tree.child_offsets[number],
                tree.labels if is_last else None,
                weights,
                layout.n_features,
                only_topk=min(max_candidates if is_last else beam_width, MAX_INT32),
                post_processor=classifier.score_transform,
            )


def _write_json(folder, name, values):
    values = {"__meta__": {"class_fullname": f"pecos.xmc.{name}"}} | values
    (folder / "param.json").write_text(json.dumps(values, indent=1), encoding="utf-8")


def _write_level(
    folder, child_offsets, labels, weights, n_features, *, only_topk, post_processor
):
    """Write one level of a tree.

    Parameters
    ----------
    folder : Path
    child_offsets : ndarray of shape (n_parents + 1,), int64
    labels : ndarray of shape (n_nodes,), or None
        What the nodes are numbered by in PECOS; None keeps their numbers.
    weights : LinearWeights
    n_features : int
    only_topk : int
    post_processor : str
    """
    n_nodes = len(weights.intercepts)
    numbers = np.arange(n_nodes) if labels is None else labels
    folder.mkdir()
    prediction = {
        "__meta__": {"class_fullname": "pecos.xmc.base###MLModel.PredParams"},
        "only_topk": int(only_topk),
        "post_processor": post_processor,
    }
    description = {
        "model": "MLModel",
        "nr_labels": n_nodes,
        "nr_features": n_features,
        "nr_codes": weights.n_parents,
        "bias": 1.0,
        "pred_kwargs": prediction,
    }
    _write_json(folder, "base###MLModel", description)
    W = _weight_matrix(child_offsets, numbers, weights, n_features)
    C = _cluster_matrix(child_offsets, numbers, weights.intercepts > -np.inf)
    # PECOS's C++ reads no compressed archives.
    sparse.save_npz(folder / "W.npz", W, compressed=False)
    sparse.save_npz(folder / "C.npz", C, compressed=False)


def _weight_matrix(child_offsets, numbers, weights, n_features):
    """Weights by feature (and last the bias, which is 1) and node."""
    rows_of_parent = np.diff(weights.posting_offsets)
    weights_of_row = np.diff(weights.run_offsets)
    first_child = np.repeat(child_offsets[:-1], rows_of_parent)
    nodes = np.repeat(first_child, weights_of_row) + weights.children
    features = np.repeat(weights.features, weights_of_row)
    intercepts = np.minimum(weights.intercepts, ALWAYS)
    biased = np.flatnonzero((intercepts != 0) & (intercepts > -np.inf))
    entries = sparse.coo_matrix(
        (
            np.concatenate([weights.weights, intercepts[biased]]),
            (
                np.concatenate([features, np.full(len(biased), n_features)]),
                numbers[np.concatenate([nodes, biased])],
            ),
        ),
        shape=(n_features + 1, len(numbers)),
    )
    return entries.tocsc()


def _cluster_matrix(child_offsets, numbers, is_found):
    """Ones by node and parent, for the nodes that can be found."""
    parents = np.repeat(np.arange(len(child_offsets) - 1), np.diff(child_offsets))
    cells = numbers[is_found], parents[is_found]
    ones = np.ones(len(cells[0]), dtype=np.float32)
    return sparse.coo_matrix(
        (ones, cells), shape=(len(numbers), len(child_offsets) - 1)
    ).tocsc()
