"""The adapters of custom matchers and rankers, and which stages a classifier has."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from skxmr._base._stage_settings import with_settings
from skxmr._inputs._row_blocks import split_by_size
from skxmr._search._beam_search import beam_search
from skxmr.ranking import best_k
from skxmr.stages._leaf_rankers import LeafRankers, fit_leaf_rankers
from skxmr.stages._matcher import FittedMatcher, fit_matcher
from skxmr.stages._scores import check_scoring

__all__ = [
    "CustomStages",
    "FittedStages",
    "refuse_custom_stages",
    "search_stages",
]

_MAX_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class CustomStages:
    """The custom stages of a classifier, before they are fitted.

    Parameters
    ----------
    matcher, ranker : estimator or None
        None for linear models.
    matcher_level : int or None
        Level of the matcher's nodes; None, or a level below the last one, stands for
        the lowest level above the labels.
    is_dense : bool
        Whether rows are dense, and are passed to the stages as dense.
    is_weighted : bool
        Whether rows have a relevance.
    """

    matcher: object = None
    ranker: object = None
    matcher_level: int | None = None
    is_dense: bool = False
    is_weighted: bool = False

    def __bool__(self):
        return self.matcher is not None or self.ranker is not None

    def check(self):
        """Raise an error for stages without the required methods.

        Raises
        ------
        TypeError
            If a stage has no method for scores.
        ValueError
            If rows have a relevance that a stage does not support.
        """
        for name, stage in (("matcher", self.matcher), ("ranker", self.ranker)):
            if stage is not None:
                check_scoring(stage, name)
        if self.is_weighted and self.matcher is not None:
            raise ValueError(
                "relevance weighs the labels of a row, which a custom matcher "
                "cannot take; leave relevance out, or matcher."
            )
        ranker = self.ranker
        weighs = ranker is None or has_fit_parameter(ranker, "sample_weight")
        if self.is_weighted and not weighs:
            raise ValueError(
                f"relevance is given, but ranker={ranker!r:.80} takes no sample_weight."
            )

    def first_linear(self, tree):
        """Return the first level of a tree with linear models, from 1."""
        if self.matcher is None:
            return 1
        if self.matcher_level is None:
            return tree.depth
        return min(int(self.matcher_level) + 1, tree.depth)

    def beyond_linear(self, tree):
        """Return the level after the last one with linear models."""
        return tree.depth if self.ranker is not None else tree.depth + 1

    def fit_matcher(self, X, Y, tree, n_jobs):
        """Fit the matcher, if there is one and a level between root and labels.

        Parameters
        ----------
        X : Compressed or DenseRows, a vector for each row
        Y : csr_array of shape (n_samples, n_labels)
        tree : LabelTree
        n_jobs : int or None
            For a matcher whose own is None.

        Returns
        -------
        FittedMatcher or None
        """
        level = self.first_linear(tree) - 1
        if level == 0:
            return None
        *_, M = (nodes for nodes, _ in zip(tree.roll_up(Y), range(level), strict=False))
        matcher = with_settings(self.matcher, n_jobs=n_jobs)
        return fit_matcher(matcher, X, M, level, self.is_dense)

    def fit_ranker(self, X, targets, n_jobs):
        """Fit the ranker, if there is one.

        Parameters
        ----------
        X : Compressed or DenseRows, a vector for each row
        targets : LevelTargets
            Of the last level.
        n_jobs : int or None

        Returns
        -------
        LeafRankers or None
        """
        if self.ranker is None:
            return None
        return fit_leaf_rankers(
            self.ranker, X, targets, self.is_dense, self.is_weighted, n_jobs
        )


def takes_relevance(classifier):
    """Return whether a classifier supports weights of the labels of its rows.

    Parameters
    ----------
    classifier : estimator

    Returns
    -------
    bool
    """
    if not has_fit_parameter(classifier, "relevance"):
        return False
    ranker = getattr(classifier, "ranker", None)
    weighs = ranker is None or has_fit_parameter(ranker, "sample_weight")
    return weighs and getattr(classifier, "matcher", None) is None


class FittedStages:
    """The fitted custom stages of one tree.

    Parameters
    ----------
    matcher : FittedMatcher or None
        None if the tree is searched from its root.
    ranker : LeafRankers or None
        None if the last level is linear.
    """

    def __init__(
        self, matcher: FittedMatcher | None = None, ranker: LeafRankers | None = None
    ):
        self.matcher = matcher
        self.ranker = ranker

    def __bool__(self):
        return self.matcher is not None or self.ranker is not None

    def following(self, matcher, ranker, n_jobs):
        """Return the stages with the current parameters of prediction.

        Parameters
        ----------
        matcher, ranker : estimator or None
            The estimators that were cloned, with their current parameters.
        n_jobs : int or None
            For a matcher whose own is None.

        Returns
        -------
        FittedStages
        """
        if not self:
            return self
        return FittedStages(
            None if self.matcher is None else self.matcher.following(matcher, n_jobs),
            None if self.ranker is None else self.ranker.following(ranker),
        )


def refuse_custom_stages(classifier, asker):
    """Raise an error for a classifier with custom stages.

    Parameters
    ----------
    classifier : estimator
    asker : str
        Name of the caller, for the message.

    Raises
    ------
    ValueError
        If it is not an `XRLinearClassifier`, or has a custom matcher or ranker.
    """
    if not hasattr(classifier, "score_transform"):
        raise ValueError(
            f"{asker} wants the linear models of an XRLinearClassifier; got a "
            f"{type(classifier).__name__}."
        )
    for name in ("matcher", "ranker"):
        stage = getattr(classifier, name, None)
        if stage is not None:
            raise ValueError(
                f"{asker} wants linear models on all levels; got a classifier with "
                f"{name}={stage!r:.80}."
            )


def search_stages(
    X, layout, stages, *, k, beam_width, score_transform, allowed=None, n_jobs=None
):
    """Find the best labels of each row in a tree with custom stages.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    layout : SearchLayout
        Of the whole tree. Nodes of levels that are not linear have no weights, except
        for the infinite intercepts of `LinearWeights`: their scores are from the
        stages.
    stages : FittedStages
    k, beam_width, score_transform, allowed, n_jobs
        As in `skxmr._search._beam_search.beam_search`.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first, filled up with -1.
    log_scores : ndarray of shape (n_samples, k), float64
        Logarithms of the scores, filled up with -inf.
    """
    parts = []
    # All labels that are reached are ranked.
    wanted = layout.most_reached(beam_width) if stages.ranker else k
    width = layout.widest_level if beam_width is None else beam_width
    for block in split_by_size(X.n_vectors, wanted + width, n_jobs):
        rows = X.between(block.start, block.stop)
        how = {
            "beam_width": beam_width,
            "score_transform": score_transform,
            "allowed": allowed,
            "n_jobs": n_jobs,
        }
        columns, log_scores = _reach(rows, layout, stages, wanted, how)
        if stages.ranker:
            nodes = layout.label_nodes.nodes[columns] - layout.level_starts[-1]
            nodes = np.where(columns >= 0, nodes, -1)
            log_scores = log_scores + stages.ranker.log_scores(
                rows, nodes, score_transform, n_jobs
            )
            columns, log_scores = best_k(columns, log_scores, k)
        parts.append((columns, log_scores))
    columns, log_scores = zip(*parts, strict=True)
    return np.concatenate(columns), np.concatenate(log_scores)


def search_stages_by_row(
    X, layout, stages, *, among, k, beam_width, score_transform, n_jobs=None
):
    """Find the best labels of rows that are restricted one by one.

    Custom stages are called for each row, which is slow.

    Parameters
    ----------
    X, layout, stages, k, beam_width, score_transform, n_jobs
        As in `search_stages`.
    among : RowLabels
        What each row may find, or may not. Rows that may find their labels only are
        searched exactly, whatever `beam_width`.

    Returns
    -------
    columns, log_scores : ndarray of shape (n_samples, k)
        As from `search_stages`.
    """
    columns = np.full((X.n_vectors, k), -1, dtype=np.int64)
    log_scores = np.full((X.n_vectors, k), -np.inf)
    for row in range(X.n_vectors):
        labels = among.columns[among.offsets[row] : among.offsets[row + 1]]
        labels = labels.astype(np.int64)
        if among.base is None:
            beam_width = None
            allowed = layout.label_nodes.bits(labels, labels[:0])
        else:
            allowed = among.base.copy()
            layout.label_nodes.forbid(labels, allowed)
        columns[row], log_scores[row] = search_stages(
            X.between(row, row + 1),
            layout,
            stages,
            k=k,
            beam_width=beam_width,
            score_transform=score_transform,
            allowed=allowed,
            n_jobs=n_jobs,
        )
    return columns, log_scores


def _reach(X, layout, stages, k, how):
    """Find the best labels without the ranker."""
    matcher = stages.matcher
    if matcher is None:
        return beam_search(X, layout, k=k, **how)
    allowed = how["allowed"]
    if allowed is not None:
        bits = np.unpackbits(allowed.view(np.uint8), bitorder="little").view(bool)
        first = layout.level_starts[matcher.level]
        allowed = bits[first : first + matcher.n_nodes]
    nodes, scores = matcher.match(X, how["beam_width"], how["score_transform"], allowed)
    start = matcher.level, nodes, scores
    return beam_search(X, layout, k=k, start=start, **how)
