"""What estimators have in common that learn from the scores of held-out rows."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed

from skxmr._base._state import Stateful
from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._features import validate_target
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._label_choice import check_choice, mask_of_choice
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._row_blocks import with_rows
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_is_fitted,
    check_lengths,
    check_structure,
)
from skxmr._parallel._parallel import is_serial
from skxmr._targets import NamedTarget, make_target, with_classes
from skxmr.decisions._held_out import HeldOutRows, folds_of, pairs_of_fold
from skxmr.decisions._named_labels import (
    ByColumn,
    by_column,
    in_order_of,
    known_before,
)
from skxmr.decisions._pairs import ScoredPairs
from skxmr.rankers._reranking import labels_of_ranker
from skxmr.ranking import LabelSubset, has_row_masks, score_pairs

__all__ = ["LearnsFromHeldOutRows", "estimator_has"]


def estimator_has(name):
    """Return a check for `available_if`: whether the estimator has a method."""

    def check(self):
        fitted = self.estimator_ if self.__sklearn_is_fitted__() else self.estimator
        getattr(fitted, name)  # its AttributeError is the cause that is shown
        return True

    return check


class LearnsFromHeldOutRows(Stateful, MetaEstimatorMixin):
    """A meta-estimator that learns from the candidates of rows that are held out.

    It has the parameters below, and its fitted state the attribute `deciding`, a
    `FittedClone` of the estimator.
    """

    estimator: Any
    n_candidates: int
    cv: Any
    refit: bool
    n_jobs: int | None
    verbose: int
    random_state: Any

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods("fit")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "cv": [
            "cv_object",
            StrOptions({"prefit"}),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }
    _stage_parameters = ("estimator",)

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which arguments of `fit` go to the estimator, and which to `cv`.

        Returns
        -------
        MetadataRouter
            Used if metadata routing is enabled in scikit-learn.
        """
        router = MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )
        if hasattr(self.cv, "split"):
            to_split = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=to_split)
        return router

    def _held_out_rows(self, X, y, fit_params):
        """Validate the arguments of fit."""
        if self.cv == "prefit" and self.refit:
            raise ValueError("When cv='prefit', refit cannot be True; set refit=False.")
        named = read_columns(y)
        has_rows_of_names = named.y is not y
        y = check_structure(exact_target(named.y), "y")
        read = ByColumn(y, named.names, None, fit_params)
        known = known_before(self.estimator, self.cv == "prefit")
        if known is None:
            read = by_column(y, named.names, fit_params)
        y = validate_target(self, read.y)
        check_lengths(X, y)
        X = with_rows(check_structure(X, "X"))
        target, Y = make_target(y, None, read.names)
        target, Y = with_classes(target, Y, read.classes)
        if isinstance(target, NamedTarget) and known is not None:
            target, Y = in_order_of(known, target, Y, has_rows_of_names)
            y = Y
        if not get_config()["enable_metadata_routing"]:
            return HeldOutRows(X, y, Y, target, read.fit_params)
        routed = process_routing(self, "fit", **read.fit_params)
        to_split = routed.splitter.split if hasattr(self.cv, "split") else {}
        return HeldOutRows(X, y, Y, target, routed.estimator.fit, to_split)

    def _choice(self, allowed, excluded, unknown):
        """Return the labels of a ranking as `skxmr.rank` takes them."""
        choice = {"allowed": allowed, "excluded": excluded, "unknown": unknown}
        is_open = allowed is None and excluded is None
        target, is_made = self._state.target, isinstance(allowed, LabelSubset)
        # Masks of rows are by columns, which are those of the estimator.
        is_plain = not has_row_masks(allowed, excluded)
        if is_open or is_made or not (is_plain and isinstance(target, NamedTarget)):
            return choice
        # The estimator may have been fitted to columns without names.
        known = known_classes(self._state)
        chosen = check_choice(known, allowed, excluded, unknown)
        labels = labels_of_ranker(target, self._state.estimator)
        return {"allowed": labels[mask_of_choice(len(known), *chosen)]}

    def _scores_among(self, X, among):
        """Return the scores that the estimator gives the entries of a mask of pairs."""
        rows, columns = among.mask.nonzero()
        labels = labels_of_ranker(self._state.target, self._state.estimator)
        return score_pairs(self._following(), X, rows, labels[columns])

    def _score_held_out(self, data, n_candidates):
        """Return the pairs of all held-out rows, and the estimator of a single split.

        Parameters
        ----------
        data : HeldOutRows
        n_candidates : int
            The number of labels of each row.

        Returns
        -------
        ScoredPairs
        estimator
            Of the first split, or the given one if it is fitted already.
        """
        n_candidates = min(int(n_candidates), data.n_labels)
        if self.cv == "prefit":
            fitted = self._prefit()
            return data.score(fitted, np.arange(data.n_rows), n_candidates), fitted
        folds = self._folds(data)
        tasks = [(clone(self.estimator), data, fold, n_candidates) for fold in folds]
        parallel = Parallel(n_jobs=self.n_jobs)
        if is_serial(parallel):
            parts = [pairs_of_fold(*task) for task in tasks]
        else:
            parts = parallel(delayed(pairs_of_fold)(*task) for task in tasks)
        return ScoredPairs.concatenate([pairs for _, pairs in parts]), parts[0][0]

    def _fit_finally(self, data, fitted=None):
        """Return the estimator that predicts.

        Parameters
        ----------
        data : HeldOutRows
        fitted : estimator or None
            The second result of `_score_held_out`, if it was called.

        Raises
        ------
        ValueError
            If that estimator has other classes than y.
        """
        if self.refit and self.cv != "prefit":
            return clone(self.estimator).fit(data.X, data.y, **data.fit_params)
        if fitted is None and self.cv == "prefit":
            fitted = self._prefit()
        elif fitted is None:
            ((train, _),) = self._folds(data)
            fitted = data.fit(clone(self.estimator), train)
        data.check_classes(fitted)
        return fitted

    def _prefit(self):
        check_is_fitted(self.estimator)
        return self.estimator

    def _folds(self, data):
        folds = folds_of(self.cv, data, check_random_state(self.random_state))
        if not self.refit and len(folds) != 1:
            raise ValueError(
                f"refit=False needs a single split; cv={self.cv!r:.50} makes "
                f"{len(folds)}."
            )
        return folds

    def _following(self):
        """Return the fitted estimator with its current parameters of prediction."""
        return self._state.deciding.following(self.estimator)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit, if the estimator has it."""
        return self._fitted().estimator.n_features_in_

    def __sklearn_tags__(self):
        tags: Any = super()
        tags = tags.__sklearn_tags__()
        inner = get_tags(self.estimator)
        for name in ("sparse", "string", "two_d_array"):
            setattr(tags.input_tags, name, getattr(inner.input_tags, name))
        of_classifier = inner.classifier_tags  # None of a pipeline of other estimators
        if of_classifier is not None:
            tags.classifier_tags.multi_label = of_classifier.multi_label
            tags.classifier_tags.multi_class = of_classifier.multi_class
        return tags
