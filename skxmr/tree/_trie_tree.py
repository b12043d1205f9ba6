"""Trees whose upper levels group labels by their first characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state

from skxmr._base._default_stages import DefaultStages
from skxmr._base._documentation import Documented
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import Stateful, from_state, writes
from skxmr._cython._trie_tree import common_prefixes
from skxmr._inputs._by_label import Labels, LabelTexts, texts_by_label
from skxmr._inputs._features import features_of, stand_in
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_structure,
    fit_context,
    validate_data,
)
from skxmr._utils._typing import MatrixLike
from skxmr.text._normalization import Normalizer, stem_of
from skxmr.text._single import fit_texts, transform_texts
from skxmr.text._vectorizers import PrefixWeightedCharTfidf
from skxmr.tree._bisection import Rule
from skxmr.tree._cluster_vectors import vectors_of
from skxmr.tree._clustering import Plan, Segment, arrange
from skxmr.tree._kmeans_tree import IndexerState
from skxmr.tree._label_tree import LabelTree
from skxmr.tree._must_link import cut_in_two

__all__ = ["TrieTreeHybrid", "fold_name"]

_MAX_INT32 = np.iinfo(np.int32).max


_NORMALIZER = Normalizer()


def fold_name(name):
    """Normalise a name as completers do, so that its beginning matches prefixes."""
    return stem_of(_NORMALIZER.key(name))


class TrieTreeHybrid(Documented, Stateful, DefaultStages, BaseEstimator):
    """Group labels by their first characters, with k-means below.

    A completion must start with the prefix, so the upper levels are a trie: the nodes
    of level j are the distinct first j characters of the labels' names. A full trie of
    long names would be deep and slow, so below `trie_depth` levels the groups are split
    by balanced, hierarchical k-means, as in `KMeansTree`; after Yadav et al. [1]_.

    Names are compared as queries in `QueryCompleter`, by Unicode code points: accents
    are characters after their letters, and Hangul is decomposed into letters. A name
    that ends within the trie is a group of its own, extended by nodes with a single
    child, which cost nothing in training and in search. Levels at which no group is
    split are removed.

    Parameters
    ----------
    trie_depth : int or None, default=3
        The number of first characters with a level each. 0 is k-means alone. None is a
        full trie without k-means: every group is split at the first character at which
        its names differ, so that a chain of shared characters is one level.
    branching_factor : int, default=1024
        Maximum number of groups into which k-means splits a group.
    max_leaf_size : int or "auto", default="auto"
        Maximum number of labels of a leaf. "auto" is 100, or as many as needed, up to
        `branching_factor`, for a single level of k-means.
    label_vectors : {"text", "given"}, default="text"
        The vectors for k-means: those of the names, made by `vectorizer`; or the
        vectors given to fit.
    vectorizer : transformer, default=None
        Transforms names to sparse vectors. None stands for
        ``PrefixWeightedCharTfidf()``.
    top : {"trie", "must-link"}, default="trie"
        The upper levels: a trie, or the variant of [1]_ in which 2-means splits every
        group in two and, at level j, keeps labels together that share their first j + 1
        characters.
    max_iter : int, default=20
        Maximum number of iterations of a bisection.
    tol : float, default=1e-3
        A bisection stops when an iteration moves at most this share of its labels.
    spherical : bool, default=True
        Whether to use only the direction of vectors (cosine similarity).
    n_jobs : int, default=None
        Number of parallel jobs; the tree does not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.
    random_state : int, RandomState instance or None, default=None
        Draws the first two centres of every bisection, and seeds the vectorizer if its
        `random_state` is None.

    Attributes
    ----------
    tree_ : LabelTree
        The label tree.

    See Also
    --------
    KMeansTree : K-means from the root.
    PrefixWeightedCharTfidf : The default vectors of names.

    References
    ----------
    .. [1] N. Yadav, R. Sen, D. N. Hill, A. Mazumdar and I. S. Dhillon,
       "Session-Aware Query Auto-completion using Extreme Multi-label Ranking",
       KDD 2021, arXiv 2012.07654.

    Examples
    --------
    >>> from skxmr import TrieTreeHybrid
    >>> names = ["a", "ab", "abc", "abd", "bcde", "bcdf"]
    >>> indexer = TrieTreeHybrid(trie_depth=2).fit(label_names=names)
    >>> print(indexer.tree_.to_text(names))
    root (6 labels)
    ├── 0 a… (4 labels)
    │   ├── a
    │   └── 1 ab… (3 labels)
    │       ├── ab
    │       ├── abc
    │       └── abd
    └── 2 bcd… (2 labels)
        ├── bcde
        └── bcdf
    """

    _parameter_constraints: ClassVar[dict] = {
        "trie_depth": [Interval(Integral, 0, _MAX_INT32, closed="both"), None],
        "branching_factor": [Interval(Integral, 2, None, closed="left")],
        "max_leaf_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "label_vectors": [StrOptions({"text", "given"})],
        "vectorizer": [HasMethods(["fit", "transform"]), None],
        "top": [StrOptions({"trie", "must-link"})],
        "max_iter": [Interval(Integral, 1, _MAX_INT32, closed="both")],
        "tol": [Interval(Real, 0, 1, closed="both")],
        "spherical": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _default_stages: ClassVar[dict] = {"vectorizer": PrefixWeightedCharTfidf}
    _hands_on = ("random_state", "n_jobs")

    def __init__(
        self,
        trie_depth: int | None = 3,
        branching_factor: int = 1024,
        max_leaf_size: int | Literal["auto"] = "auto",
        *,
        label_vectors: str = "text",
        vectorizer: TransformerMixin | None = None,
        top: str = "trie",
        max_iter: int = 20,
        tol: float = 1e-3,
        spherical: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.trie_depth = trie_depth
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.label_vectors = label_vectors
        self.vectorizer = vectorizer
        self.top = top
        self.max_iter = max_iter
        self.tol = tol
        self.spherical = spherical
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @property
    def needs_label_vectors(self) -> bool:
        """Whether fit needs `Z`; if not, a classifier does not compute it."""
        return self.label_vectors == "given"

    tree_ = from_state("tree", "The tree over the labels.")
    n_features_in_ = from_state(
        "n_features", "Number of features seen during fit.", optional=True
    )
    feature_names_in_ = from_state(
        "feature_names", "Names of features seen during fit.", optional=True
    )

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        Z: MatrixLike | None = None,
        y: None = None,  # noqa: ARG002 - scikit-learn's interface
        *,
        label_names: Sequence[str] | Mapping[int, str] | LabelTexts | None = None,
    ) -> Self:
        """Group the labels.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features), default=None
            One vector per label; only used with ``label_vectors="given"``.
        y : None
            Ignored; for compatibility with scikit-learn.
        label_names : sequence of str of shape (n_labels,), or mapping
            The names of the labels; a mapping is from label index to name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are no names, no vectors with ``label_vectors="given"``, or their
            numbers differ.
        TypeError
            If a name is not a string.
        """
        names = _check_names(label_names)
        seed = int(check_random_state(self.random_state).randint(_MAX_INT32))
        vectors, features = self._make_vectors(names, Z, seed)
        rule = Rule(self.max_iter, float(self.tol), bool(self.spherical), seed=seed)
        tree = self._make_tree(_SortedNames(names), vectors, rule)
        self._state = IndexerState(tree, features)
        return self

    def _make_tree(self, names, vectors, rule):
        """Group the labels by their first characters, and then by k-means."""
        if self.trie_depth is None:
            return LabelTree.from_starts(names.full_trie(), names.order)
        if self.top == "must-link":
            labels, starts = _halve(names, vectors, self.trie_depth, rule)
        else:
            labels, starts = names.order, names.trie(self.trie_depth)
        return self._cluster(vectors, labels, starts, rule)

    def _make_vectors(self, names, Z, seed):
        """Return the vectors for k-means, and the features of Z."""
        if self.trie_depth is None:
            return None, None
        if self.label_vectors == "text":
            vectorizer = with_settings(
                self._clone_stage("vectorizer"), seed=seed, n_jobs=self.n_jobs
            )
            return _NameVectors.learn(vectorizer, names), None
        if Z is None:
            raise ValueError(
                'Z is None; label_vectors="given" wants vectors of labels.'
            )
        probe = stand_in(self)
        checked = validate_data(
            probe,
            check_structure(Z, "Z"),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
        )
        if checked.shape[0] != len(names):
            raise ValueError(
                f"Z has {checked.shape[0]} rows; expected {len(names)}, as many as "
                f"there are label_names."
            )
        return vectors_of(checked), features_of(probe)

    def _cluster(self, vectors, labels, starts, rule):
        """Split the groups of the trie's last level by k-means."""
        groups = starts[-1] if starts else np.zeros(1, dtype=np.int64)
        ends = np.append(groups[1:], len(labels))
        plans = [
            Plan.of(size, self.branching_factor, self.max_leaf_size)
            for size in (ends - groups).tolist()
        ]
        wide = [i for i, plan in enumerate(plans) if plan.n_leaves > 1]
        segments = []
        for i in wide:
            members = np.sort(labels[groups[i] : ends[i]])
            own = rule.with_seed_of(int(groups[i]))
            segments.append(Segment.of(vectors, members, plans[i], own))
        for i, ordered in zip(wide, arrange(segments, self.n_jobs), strict=True):
            labels[groups[i] : ends[i]] = ordered
        return LabelTree.from_starts(
            _without_repeats([*starts, *_lower_starts(plans, groups)]), labels
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.two_d_array = self.needs_label_vectors
        tags.input_tags.string = not self.needs_label_vectors
        return tags


def _check_names(label_names):
    if label_names is None:
        raise ValueError(
            "label_names is None; TrieTreeHybrid groups labels by their names. A "
            "classifier takes them from a y of strings, or as label_names of its fit."
        )
    names = texts_by_label(label_names, Labels(None), "label_names")
    if not names:
        raise ValueError("label_names is empty; expected a name for each label.")
    return names


def _halve(names, vectors, depth, rule):
    """Split groups in two, level by level, keeping shared first characters together.

    Returns
    -------
    labels : ndarray of shape (n_labels,), int64
    starts : list of ndarray of int64
    """
    places = [np.arange(len(names.order))]
    levels = []
    for level in range(depth):
        components = np.cumsum(names.shared < level + 2)
        halves = []
        for place in places:
            matrix = vectors.take(names.order[place]).to_matrix()
            halves += [
                place[half] for half in cut_in_two(matrix, components[place], rule)
            ]
        places = halves
        levels.append(np.cumsum([0, *map(len, places[:-1])]))
    return names.order[np.concatenate(places)], _without_repeats(levels)


def _lower_starts(plans, groups):
    """Align the levels of several trees at the bottom.

    A shallow tree is extended at the top by nodes with a single child. At the bottom, a
    label would take the space of a group in the beam.
    """
    depth = max(len(plan.n_groups) for plan in plans)
    below: list[list] = [[] for _ in range(depth)]
    for plan, start in zip(plans, groups, strict=True):
        missing = depth - len(plan.n_groups)
        for level in range(missing):
            below[level].append([start])
        for level, starts in enumerate(plan.starts(), start=missing):
            below[level].append(start + starts)
    return [np.concatenate(level) for level in below]


def _without_repeats(starts):
    """Remove levels at which no group is split."""
    sizes = np.array([1, *map(len, starts)])
    return [starts[level] for level in np.flatnonzero(np.diff(sizes))]


class _SortedNames:
    """Names in the order of their characters, with the lengths of shared prefixes.

    Parameters
    ----------
    names : list of str

    Attributes
    ----------
    order : ndarray of shape (n_names,), int64
        The indices of the sorted names; duplicates keep their order.
    shared : ndarray of shape (n_names,), int32
        The length of the prefix that each sorted name shares with the previous one; the
        largest integer if they are equal.
    """

    def __init__(self, names):
        folded = [fold_name(name) for name in names]
        order = sorted(range(len(folded)), key=folded.__getitem__)
        self.order = np.array(order, dtype=np.int64)
        self.shared = np.empty(len(folded), dtype=np.int32)
        common_prefixes(folded, self.order, _MAX_INT32, self.shared)

    def trie(self, depth):
        """Find the starts of groups with the same first 1, 2, ... characters."""
        # Names differ within their length: longer prefixes split nothing.
        deepest = int(self.shared[self.shared < _MAX_INT32].max(initial=0)) + 1
        levels = range(1, min(depth, deepest) + 1)
        return _without_repeats([self.starts(level) for level in levels])

    def starts(self, n_characters):
        """Find the starts of groups with the same prefix of a given length."""
        new = self.shared < n_characters
        new[0] = True
        return np.flatnonzero(new)

    def full_trie(self):
        """Split every group where its names first differ, down to single names."""
        starts = np.zeros(1, dtype=np.int64)
        levels = []
        # The prefix that the first name of a group shares with the previous name
        # belongs to the levels above.
        shared = self.shared.copy()
        while True:
            shared[starts] = _MAX_INT32
            least = np.minimum.reduceat(shared, starts)
            sizes = np.diff(starts, append=len(shared))
            new = (shared == np.repeat(least, sizes)) & (shared < _MAX_INT32)
            if not new.any():
                break
            new[starts] = True
            starts = np.flatnonzero(new)
            levels.append(starts)
        if levels and len(starts) == len(shared):
            levels.pop()  # the labels themselves
        return levels


class _NameVectors(NamedTuple):
    """Vectors of names, computed on demand, since names need less memory."""

    vectorizer: TransformerMixin
    names: list

    @classmethod
    def learn(cls, vectorizer, names):
        """Fit the vectorizer, unless all names are blank."""
        if not any(map(fold_name, names)):
            return vectors_of(sparse.csr_array((len(names), 1), dtype=np.float32))
        fit_texts(vectorizer, names)
        return cls(vectorizer, names)

    def prepared(self, spherical, work):  # noqa: ARG002
        """Return self: vectors are computed on demand."""
        return

    def take(self, rows):
        """Compute vectors."""
        names = [self.names[row] for row in rows.tolist()]
        return vectors_of(transform_texts(self.vectorizer, names))
