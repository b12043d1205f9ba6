"""Read model folders of PECOS XR-Linear."""

import os
from dataclasses import dataclass

import numpy as np

from skxmr._cython._search_inputs import TRANSFORMS
from skxmr._search._layout import SearchLayout
from skxmr._search._model_pruning import pruned_at
from skxmr._search._weights import LinearWeights
from skxmr._utils._compressed import Compressed
from skxmr.interop._untrusted_files import ForeignFolder, Settings
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.linear._state import imported_state
from skxmr.tree._label_tree import LabelTree

__all__ = ["load_pecos"]

MAX_INT32 = np.iinfo(np.int32).max

# PECOS has no node that always has its parent's score. With a margin this large, every
# transform gives a score of 1, and training never reaches it.
ALWAYS = np.float32(100)

# PECOS prunes all weights at the same magnitude.
_UNIT = "absolute"

# If a model has at least this share of all possible weights, it was trained on dense
# rows (embeddings), and is laid out for dense queries too.
_DENSE = 0.25


def load_pecos(folder: str | os.PathLike) -> XRLinearClassifier:
    """Read a model folder written by PECOS XR-Linear.

    The classifier has the scores of PECOS to five digits and the same ranking, except
    for ties. `rank`, `predict_proba`, `prune` and all other methods work as after a fit
    on a sparse indicator.

    Parameters
    ----------
    folder : str or path-like
        A folder written by ``XLinearModel.save`` of PECOS 1.2.8: ``param.json``, and
        ``ranker`` with a folder for each level.

    Returns
    -------
    XRLinearClassifier
        A fitted classifier. Its `score_transform` is PECOS's ``post_processor``,
        `beam_width` the ``only_topk`` of the upper levels (``beam_size``),
        `max_candidates` that of the last level, `threshold_unit` "absolute", and
        `threshold` the smallest magnitude of a weight, since a folder does not contain
        PECOS's threshold. All other parameters are the defaults, whatever those of
        PECOS's training were.

    Raises
    ------
    ValueError
        If a file is missing, corrupt or invalid, if files are not consistent, or if
        `XRLinearClassifier` does not support the model: if its post-processor is not
        one of "sigmoid" and "l1-hinge" to "l4-hinge" (but "noop" or one of logarithms),
        its levels differ in post-processor or beam, its root has several nodes, or it
        is compiled to memory-mapped files. The message names the file.

    See Also
    --------
    save_pecos : Writes a folder.

    Notes
    -----
    Nothing in the folder is executed, no pickle is read, and no link out of it is
    followed; sizes, dtypes and indices are checked before they are used. A folder from
    an untrusted source may still give wrong predictions.

    A label in no cluster, as after ``XLinearModel.set_output_constraint``, is never
    found.

    Examples
    --------
    >>> from skxmr.interop import load_pecos
    >>> classifier = load_pecos("pecos-model")  # doctest: +SKIP
    >>> columns, scores = classifier.rank(X, k=10)  # doctest: +SKIP
    """
    files = ForeignFolder(folder)
    _check_kind(files.read_settings("param.json"))
    settings = files.read_settings("ranker/param.json")
    settings.expect("model", "HierarchicalMLModel")
    _refuse_mapped(settings)
    depth = settings.integer("depth", 1)
    read: list[_Level] = []
    for number in range(depth):
        n_parents = read[-1].n_nodes if read else 1
        read.append(_read_level(files, number, n_parents))
    _check_counts(settings, read[-1])
    parameters = _search_parameters([level.settings for level in read])
    n_features = _common_n_features(read)
    places = _Places.of_levels(read)
    weights = [
        _level_weights(level, place, n_features)
        for level, place in zip(read, places, strict=True)
    ]
    return _make_classifier(places, weights, n_features, parameters)


@dataclass(frozen=True)
class _Level:
    """What the files of one level say.

    Parameters
    ----------
    settings : Settings
    weights : Compressed
        A vector for each node: weights by feature.
    parents : ndarray of shape (n_nodes,), int64
        Nodes of the level above; -1 for those in no cluster.
    n_parents : int
    n_features : int
    bias : float
        Value of the feature ``n_features`` in every row, if positive.
    """

    settings: Settings
    weights: Compressed
    parents: np.ndarray
    n_parents: int
    n_features: int
    bias: float

    @property
    def n_nodes(self):
        return len(self.parents)


def _check_kind(settings):
    """Refuse a folder that is of another kind of model of PECOS."""
    name = settings.section("__meta__").text("class_fullname")
    if name.rpartition("###")[2] != "XLinearModel":
        raise ValueError(
            f"{settings.name} tells of a model of the class {name!r:.80}; expected an "
            f"XLinearModel."
        )


def _refuse_mapped(settings):
    if "is_mmap" in settings and settings.values["is_mmap"] is not False:
        raise ValueError(
            f"{settings.name} tells of memory-mapped files; expected the folder of "
            f"NPZ files that they were compiled from."
        )


def _read_level(files, number, n_parents):
    """Read a level and hold its files against each other."""
    folder = f"ranker/{number}.model"
    settings = files.read_settings(f"{folder}/param.json")
    settings.expect("model", "MLModel")
    _refuse_mapped(settings)
    bias = settings.number("bias")
    weights = files.read_columns(f"{folder}/W.npz")
    n_features = weights.length - (bias > 0)
    if n_features < 1 or weights.n_vectors < 1:
        raise ValueError(
            f"{files.path / folder / 'W.npz'} has the shape "
            f"{(weights.length, weights.n_vectors)}; expected a feature"
            f"{', a bias' if bias > 0 else ''} and a node at least."
        )
    name = files.path / folder / "C.npz"
    clusters = files.read_columns(f"{folder}/C.npz")
    expected = (weights.n_vectors, n_parents)
    if (clusters.length, clusters.n_vectors) != expected:
        raise ValueError(
            f"{name} has the shape {(clusters.length, clusters.n_vectors)}; expected "
            f"{expected}: a row for each column of W.npz, a column for each node of "
            f"the level above."
        )
    level = _Level(
        settings, weights, _parents(clusters, name), n_parents, n_features, bias
    )
    _check_counts(settings, level)
    return level


def _parents(clusters, name):
    """Find the parent of each node; -1 for those that have none."""
    if not (clusters.values > 0).all():
        raise ValueError(f"{name} has entries that are not positive; expected ones.")
    times = np.bincount(clusters.indices, minlength=clusters.length)
    if (times > 1).any():
        node = int(np.argmax(times > 1))
        raise ValueError(
            f"{name} has {times[node]} entries in row {node}; expected one at most, "
            f"the node's parent."
        )
    parents = np.full(clusters.length, -1, dtype=np.int64)
    parents[clusters.indices] = np.repeat(np.arange(clusters.n_vectors), clusters.sizes)
    return parents


def _check_counts(settings, level):
    """Refuse numbers in a JSON file that are not those of the matrices."""
    counts = {
        "nr_features": level.n_features,
        "nr_codes": level.n_parents,
        "nr_labels": level.n_nodes,
    }
    for key, count in counts.items():
        if settings.integer(key, 0) != count:
            settings.expect(key, count)


def _common_n_features(levels):
    n_features = levels[0].n_features
    for level in levels:
        level.settings.expect("nr_features", n_features)
    return n_features


def _search_parameters(levels):
    """Turn PECOS's parameters of prediction into ours.

    Parameters
    ----------
    levels : list of Settings
        From the root down.

    Returns
    -------
    dict
        Of parameters of `XRLinearClassifier`.
    """
    sections = [settings.section("pred_kwargs") for settings in levels]
    transform = sections[0].text("post_processor")
    if transform not in TRANSFORMS:
        raise ValueError(
            f"{sections[0].name} has the post_processor {transform!r:.40}; expected "
            f"one of {', '.join(sorted(TRANSFORMS))}, which are the score_transform "
            f"that XRLinearClassifier has."
        )
    for section in sections:
        section.expect("post_processor", transform)
    widths = [section.integer("only_topk", 1) for section in sections]
    parameters = {"score_transform": transform, "max_candidates": widths[-1]}
    if len(widths) > 1:
        for section in sections[:-1]:
            # XRLinearClassifier has one beam_width for all levels.
            section.expect("only_topk", widths[0])
        parameters["beam_width"] = widths[0]
    return parameters


@dataclass(frozen=True)
class _Places:
    """Where the nodes of a level stand in a `LabelTree`.

    Parameters
    ----------
    order : ndarray of shape (n_placed,), int64
        PECOS's number of each node, siblings side by side.
    child_offsets : ndarray of shape (n_parents + 1,), int64
        As in `LabelTree`.
    is_lost : ndarray of shape (n_placed,), bool
        Nodes that PECOS does not reach; only labels, which cannot be left out.
    """

    order: np.ndarray
    child_offsets: np.ndarray
    is_lost: np.ndarray

    @classmethod
    def of_levels(cls, levels):
        """Place the nodes of all levels.

        Parameters
        ----------
        levels : list of _Level
            From the root down.

        Returns
        -------
        list of _Places
        """
        places = []
        place_of_parent = np.zeros(1, dtype=np.int64)
        for level in levels:
            # The last entry is for those of number -1.
            parents = np.append(place_of_parent, -1)[level.parents]
            is_lost = parents < 0
            n_parents = int(place_of_parent.max(initial=-1)) + 1
            if level is levels[-1]:
                _adopt(parents, is_lost, n_parents)
            placed = np.flatnonzero(parents >= 0)
            order = placed[np.argsort(parents[placed], kind="stable")]
            n_children = np.bincount(parents[order], minlength=n_parents)
            if not n_children.all():
                raise ValueError(
                    f"C.npz beside {level.settings.name} gives no child to a node "
                    f"that can be reached; expected one at least for each."
                )
            offsets = np.concatenate([[0], np.cumsum(n_children)])
            places.append(cls(order, offsets, is_lost[order]))
            place_of_parent = np.full(len(parents), -1, dtype=np.int64)
            place_of_parent[order] = np.arange(len(order))
        return places


def _adopt(parents, is_lost, n_parents):
    """Put labels that are not reached below some node, in place."""
    lost = np.flatnonzero(is_lost)
    n_children = np.bincount(parents[~is_lost], minlength=n_parents)
    # Nodes without a child first, one for each; all others together.
    childless = np.flatnonzero(n_children == 0)[: len(lost)]
    parents[lost] = n_parents - 1
    parents[lost[: len(childless)]] = childless


def _level_weights(level, places, n_features):
    """Group the weights of a level as the search reads them.

    Returns
    -------
    LinearWeights
    """
    weights = level.weights.take(places.order)
    nodes = np.repeat(np.arange(len(places.order)), weights.sizes)
    is_bias = weights.indices == n_features
    intercepts = _intercepts(level, places, nodes[is_bias], weights.values[is_bias])
    # Weights of 0 change nothing, and of labels that are not reached none is read.
    kept = (weights.values != 0) & ~is_bias & ~places.is_lost[nodes]
    nodes, features = nodes[kept], weights.indices[kept]
    values = weights.values[kept]
    is_alone = np.bincount(nodes, minlength=len(places.order)) == 0
    intercepts[is_alone & (intercepts >= ALWAYS)] = np.inf

    parents = np.repeat(
        np.arange(len(places.child_offsets) - 1), np.diff(places.child_offsets)
    )[nodes]
    keys = parents * (n_features + 1) + features
    order = np.lexsort((nodes, keys))
    keys, nodes, parents = keys[order], nodes[order], parents[order]
    starts_run = np.diff(keys, prepend=-1) != 0
    if ((np.diff(nodes, prepend=-1) == 0) & ~starts_run).any():
        raise ValueError(
            f"W.npz beside {level.settings.name} has a row twice in a column; expected "
            f"each once."
        )
    starts = np.flatnonzero(starts_run)
    n_parents = len(places.child_offsets) - 1
    return LinearWeights(
        np.searchsorted(parents[starts], np.arange(n_parents + 1)).astype(np.int64),
        features[order][starts],
        np.append(starts, len(nodes)).astype(np.int64),
        (nodes - places.child_offsets[parents]).astype(np.int32),
        values[order],
        intercepts,
    )


def _intercepts(level, places, nodes, values):
    """Multiply the weights of the bias by its value."""
    intercepts = np.zeros(len(places.order))
    if len(np.unique(nodes)) != len(nodes):
        raise ValueError(
            f"W.npz beside {level.settings.name} has the bias twice in a column; "
            f"expected it once."
        )
    intercepts[nodes] = values.astype(np.float64) * level.bias
    if (np.abs(intercepts) > np.finfo(np.float32).max).any():
        raise ValueError(
            f"{level.settings.name} has 'bias': {level.bias}, too large for the "
            f"weights of W.npz in float32."
        )
    intercepts[places.is_lost] = -np.inf
    return intercepts.astype(np.float32)


def _make_classifier(places, weights, n_features, parameters):
    tree = LabelTree([place.child_offsets for place in places], places[-1].order)
    smallest = min(
        (float(np.abs(level.weights).min()) for level in weights if level.n_weights),
        default=0.0,
    )
    classifier = XRLinearClassifier(
        threshold=smallest, threshold_unit=_UNIT, **parameters
    )
    n_weights = sum(level.n_weights for level in weights)
    layout = SearchLayout.from_levels(
        tree,
        weights,
        n_features,
        by_node=n_weights >= _DENSE * n_features * (tree.n_nodes - 1),
    )
    classifier._state = imported_state(tree, layout, pruned_at(smallest, _UNIT))
    return classifier
