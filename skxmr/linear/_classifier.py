"""The estimator that combines the stages: index, match, rank."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from numbers import Integral, Real
from os import PathLike
from typing import ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, get_tags

from skxmr._base._default_stages import DefaultStages
from skxmr._base._documentation import Documented
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import from_state, reads, writes
from skxmr._cython._search_inputs import TRANSFORMS
from skxmr._cython._training import LOSSES
from skxmr._inputs._by_label import Labels, LabelTexts, check_label_names
from skxmr._inputs._features import validate_features_and_target
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._negatives import check_negatives
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_memory,
    check_precision,
    fit_context,
)
from skxmr._search._model_pruning import lay_out_pruned, prune_state, pruned_at
from skxmr._search._pruning import THRESHOLD_UNITS, check_threshold
from skxmr._search._pruning_check import Reduction, TrainingSample, warn_of_loss
from skxmr._targets import (
    make_target,
)
from skxmr._training._centering import (
    center_label_vectors,
    center_rows,
    find_centering,
)
from skxmr._training._dominant_columns import describe_dominant_columns
from skxmr._training._regularization import resolve_regularization
from skxmr._training._solver import SolverParameters
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._foresight import foresee_training
from skxmr._utils._loaded_state import CheckedWhenLoaded
from skxmr._utils._typing import MatrixLike
from skxmr._version import __version__
from skxmr.linear._block_weights import resolve_block_weight
from skxmr.linear._caching import cached_call
from skxmr.linear._choice import HeldOutRanking
from skxmr.linear._fitting import TrainingSettings, train_tree, warn_of_training
from skxmr.linear._growing import GrowingClassifier
from skxmr.linear._prior_weight import choose_prior_weight
from skxmr.linear._problem import FitArguments, Problem
from skxmr.linear._propensity import LabelCounts
from skxmr.linear._relearning import (
    Relearning,
    check_relearning,
    kept_problem,
    relearn,
)
from skxmr.linear._state import make_state
from skxmr.stages._stages import CustomStages
from skxmr.tree._kmeans_tree import KMeansTree
from skxmr.tree._label_vectors import (
    canonical_label_vectors,
    check_one_for_each,
    vectors_in_order,
)

__all__ = ["XRLinearClassifier"]

_MAX_INT32 = np.iinfo(np.int32).max


class XRLinearClassifier(
    Documented,
    CheckedWhenLoaded,
    Relearning,
    GrowingClassifier,
    DefaultStages,
    BaseEstimator,
):
    """Extreme multilabel ranking with linear models along a tree of labels.

    There are three stages, after XR-Linear (Yu et al., arXiv 2010.05878): *index*
    groups the labels into a tree; *match* is a beam search from the root that scores
    nodes with linear models, to reach a few leaves; *rank* scores the labels of those
    leaves. Time and memory grow with the non-zeros of the input, not with rows times
    labels.

    Parameters
    ----------
    indexer : estimator, default=None
        Groups the labels: an estimator whose ``fit(Z, y=None, *, label_names=None)``
        sets ``tree_``, a `LabelTree`. None stands for ``KMeansTree()``. A clone is
        fitted.
    matcher : estimator, default=None
        Scores the nodes of one level instead of linear models: any multilabel
        classifier with ``predict_proba`` or ``decision_function``. None stands for
        linear models. `skxmr.stages` describes its input and output. A clone is fitted.
    matcher_level : int, default=None
        The level of the nodes that `matcher` scores, 1 for the children of the root.
        None, or a level below the last one, stands for the lowest level above the
        labels.
    ranker : estimator, default=None
        Scores the labels of the leaves that were reached instead of linear models: any
        binary classifier with ``predict_proba`` or ``decision_function``. A clone is
        fitted for each label, on the rows of its parent. None stands for linear models.
        See `skxmr.stages`.
    label_vectors : "pifa", array-like of shape (n_labels, any), mapping or pair, \
            default="pifa"
        The vectors by which the indexer groups labels: "pifa", the normalised sum of
        the label's training rows; custom vectors, dense or sparse; or both,
        concatenated, ``("pifa", vectors)``. A mapping, or a data frame whose index
        holds all labels, maps labels to vectors and may have additional ones.
    loss : {"squared_hinge", "hinge", "log_loss"}, default="squared_hinge"
        The loss of the linear models; "log_loss" is logistic regression.
    C : float or "scale", default="scale"
        Inverse regularisation strength (L2). A number has the meaning of
        `sklearn.svm.LinearSVC`. "scale" stands for 1 / the mean squared length of the
        rows of X, with an intercept of the same scale, so that rankings do not depend
        on the unit of X. With an intercept, the means of dense features (see Notes) are
        subtracted in training.
    prior_weight : float or "fit", default=1.0
        Regularises the weights of a label towards a prior mean instead of 0. Its
        direction is the sum of the label's rows (PIFA) or, if `label_vectors` has the
        columns of X, the label's vector (for a pair, the sum of both at unit length).
        Its length is such that a row of root mean square length in this direction has
        the margin `prior_weight`. A positive value helps labels with few rows; a label
        without rows is then trained on its vector. "fit" chooses 1, 2, 4 or 8 by the
        mean reciprocal rank of held-out rows (1 unless another is better by more than
        two standard errors), which takes about four fits more: a fifth of the distinct
        rows, 2,000 at most, but for those that are the vector of their label. With
        fewer than 200 distinct rows it is 1.
    block_weights : float or "fit", default=1.0
        The factor of dense features beside sparse ones in training, once their means
        are subtracted: of embeddings beside n-grams (see Notes). Rows to predict are
        not changed, since the factor becomes part of the weights. "fit" halves or
        doubles it from 1 on, between 1/32 and 8, as long as the mean reciprocal rank of
        held-out rows rises (1 unless that is better by more than two standard errors),
        which takes three to nine fits more; the rows are held out as for
        `prior_weight`, which is chosen afterwards. It has no effect if all features are
        dense or all are sparse; others than 1 need ``C="scale"``, an intercept and no
        custom stage.
    positive_weight, negative_weight : float, default=1.0
        Factors of `C` for the positive and the negative rows of a node.
    fit_intercept : bool, default=True
        Whether models have an intercept (regularised, as in liblinear).
    tol : float, default=0.1
        Training of a node stops when the projected gradients of the dual variables in
        one sweep are within this range, as in liblinear, or when a sweep lowers the
        objective by less than (tol / 2)^2 of what all sweeps did.
    max_iter : int, default=100
        Maximum number of sweeps over the rows of a node.
    negative_sampling : {"parents", "matcher", "both"}, default="parents"
        The rows from which a node takes its negatives: those of its parent ("parents"),
        those for which the matcher, trained so far, reaches the parent ("matcher"), or
        both.
    negative_beam_width : int, default=10
        Beam width of that matcher, whose weights are not pruned.
    threshold : float, default=0.1
        **Pruning threshold of the weights**: smaller weights are dropped after
        training. It does not apply to scores; see `decision_threshold`.
    threshold_unit : {"relative", "absolute"}, default="relative"
        The unit of `threshold` and `weight_floor`. "relative" is a share, from 0 to 1,
        of the largest absolute weight of the same node (without the intercept), or of
        the weight that makes a margin of 1 on a row of root mean square length of X, if
        that is smaller: each node keeps its largest weight, and the result does not
        depend on the unit of X. "absolute" is a magnitude of weights.
    weight_floor : float, default=0.01
        With `memory` set, trained weights above it are cached, and `threshold` cannot
        be lower.
    weight_precision : {"float32", "float16"}, default="float32"
        Data type of the weights for prediction. Half precision makes a model a quarter
        to a third smaller and changes scores in the third digit.
    beam_width : int or None, default=10
        Maximum number of nodes of a level that the search follows. None follows all,
        which makes the search exact and slow.
    max_candidates : int or None, default=100
        Maximum number of labels with a score per row in `predict_proba`,
        `decision_function` and `predict`. None keeps all that the beam reaches.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.
    score_transform : {"sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"}, \
            default="l4-hinge"
        Maps a node's margin m to a score in [0, 1], which is multiplied along the path:
        1 / (1 + exp(-m)), or exp(-max(0, 1 - m)^p). With ``loss="log_loss"``, "sigmoid"
        gives probabilities.
    propensity_weight : float, default=0.0
        Multiplies the scores of the best candidates (`max_candidates`) of a row by this
        power of the inverse propensity of their label [3]_, as
        `skxmr.metrics.propensities` estimates it from the rows, relative to that of a
        label without rows. 0 weighs all labels alike; larger values favour rare labels,
        and lower the scores of frequent ones. It takes effect at once if it was above 0
        in `fit`, which counts the labels then. Explanations are of scores before.
    n_trees : int, default=1
        Number of trees with different random states, whose scores are averaged.
    memory : str, path-like or joblib.Memory, default=None
        Caches trained weights, so that a grid search over `beam_width`, `threshold`,
        `max_candidates`, `decision_threshold`, `score_transform` and
        `propensity_weight` trains once per fold.
    n_jobs : int, default=None
        Number of threads of training and prediction (None is 1, -1 is all cores), also
        for an indexer and a matcher whose own is None. Neither models nor predictions
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the indexer (unless it has its own) and the order in which training visits
        rows. With `memory` set, None means 0.
    verbose : int, default=0
        Whether the progress of `fit` is printed: of grouping labels and training, with
        the time that is left. A terminal with tqdm shows a bar.
    warm_start : bool, default=False
        Whether `fit` starts from the previous one, for a catalogue that changes: see
        Notes. The training state is kept in memory for this.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if X has string column names.
    C_ : float
        The value of `C` that was used, a number also for "scale".
    prior_weight_ : float
        The value of `prior_weight` that was used, a number also for "fit".
    block_weights_ : float
        The factor of dense features that was used, a number also for "fit"; 1 if there
        are no blocks.
    n_iter_ : int
        Maximum number of sweeps over all nodes.
    n_weights_ : int
        Number of stored weights without intercepts.
    nbytes_ : int
        Size in bytes of the arrays that prediction reads.
    trees_ : list of LabelTree
        The label trees.
    layouts_ : list of SearchLayout
        The trees with their weights, as the search reads them.
    stages_ : list of FittedStages
        The fitted `matcher` and `ranker` of each tree.
    refit_due_ : bool
        Whether the tree has aged by the changes since it was built, so that a fit with
        a new one (``warm_start=False``) would pay: leaves have grown by a quarter, or
        a fit with ``warm_start=True`` has found that labels which are grouped anew
        would be 10% closer to their leaves' means. See `Notes`.
    relearning_ : dict of str to ndarray
        With ``warm_start=True``, how many nodes of each level of each tree the last
        fit has kept (`n_kept`: they were optimal), solved again (`n_solved`) and added
        (`n_new`), with `tree` and `level` as further columns. A DataFrame can be made
        of it.
    training_state_ : TrainingState
        With ``warm_start=True``, what the next fit starts from. It is not saved with
        the estimator; see `set_training_state`.

    See Also
    --------
    KMeansTree : The default indexer.
    skxmr.rank : The best k labels of a Pipeline.
    TextRetriever : From texts to label names.

    Notes
    -----
    There are two kinds of target. For an **indicator** (sparse or dense, any number of
    labels per row), scores are in [0, 1], labels that the search does not reach have a
    score of 0, and results are sparse if y was. For **1-D class labels** (of any type,
    including strings), `predict_proba` and `decision_function` are dense, as everywhere
    in scikit-learn; `predict` and `rank` build no array of shape (n_samples,
    n_classes).

    Dense features are those that at least 95% of the rows have, if there are 16 or more
    and 100 rows, such as embeddings, alone or beside n-grams in one sparse X. With
    ``C="scale"``, an intercept and no custom stage, training subtracts their means from
    the rows, and from label vectors in the space of X those of the label vectors. Rows
    to predict are not changed: the means are part of the intercepts. Beside sparse
    features, they form a block, which `block_weights` weighs.

    With ``warm_start=True``, `fit` takes **all present rows** each time. Rows may be
    added, changed, removed and in any order, since they are recognised by their
    content; new labels are columns that follow the known ones, or new classes, which
    follow in `classes_`. The tree is kept: a new label goes into the leaf to which the
    search leads its mean row (or its label vector), and a leaf that gets more than
    twice the labels of the largest one of the first fit is split. `C_`, the means of
    dense features, `block_weights_` and a `prior_weight` that was fitted are kept too.
    Each node is solved to `tol`, as without a warm start, for the present rows, the
    kept tree and the kept `C_`; what is saved is the work on nodes that are optimal
    already. If there is no training state, such as in a model that was loaded, all
    nodes of the tree are solved again. Other parameters can be changed between fits.

    **When to build a new tree**: `refit_due_` is true if a label has, on average over
    labels, more than 1.25 times as many siblings as when the tree was built, which
    searches take time for; or if a tree that `fit` has kept has leaves whose
    *cohesion*, the mean length of the mean of the labels' unit PIFA vectors, is less
    than .9 of that of the labels of 32 leaves after k-means has grouped them anew into
    as many. `add_labels`, `remove_labels` and `partial_fit` change the first only.

    References
    ----------
    .. [1] H.-F. Yu, K. Zhong, J. Zhang, W.-C. Chang and I. S. Dhillon, "PECOS:
       Prediction for Enormous and Correlated Output Spaces", arXiv 2010.05878.
    .. [2] W.-C. Chang et al., "Extreme Multi-label Learning for Semantic Matching in
       Product Search", KDD 2021, arXiv 2106.12657.
    .. [3] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.preprocessing import normalize
    >>> from skxmr import XRLinearClassifier
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> X = normalize(X)
    >>> classifier = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> columns, scores = classifier.rank(X[:2], k=3)
    >>> columns.shape
    (2, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        "indexer": [HasMethods("fit"), None],
        "matcher": [HasMethods("fit"), None],
        "matcher_level": [Interval(Integral, 1, None, closed="left"), None],
        "ranker": [HasMethods("fit"), None],
        "label_vectors": [StrOptions({"pifa"}), "array-like", "sparse matrix", tuple],
        "loss": [StrOptions(set(LOSSES))],
        "C": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale"})],
        "prior_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"fit"})],
        "block_weights": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"fit"}),
        ],
        "positive_weight": [Interval(Real, 0, None, closed="neither")],
        "negative_weight": [Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, _MAX_INT32, closed="both")],
        "negative_sampling": [StrOptions({"parents", "matcher", "both"})],
        "negative_beam_width": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "threshold_unit": [StrOptions(set(THRESHOLD_UNITS))],
        "weight_floor": [Interval(Real, 0, None, closed="left")],
        "weight_precision": [StrOptions({"float32", "float16"})],
        "beam_width": [Interval(Integral, 1, None, closed="left"), None],
        "max_candidates": [Interval(Integral, 1, None, closed="left"), None],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
        "score_transform": [StrOptions(set(TRANSFORMS))],
        "propensity_weight": [Interval(Real, 0, None, closed="left")],
        "n_trees": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods("cache"), PathLike, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
    }

    # Parameters of prediction, which can be set without another fit.
    _search_parameters = (
        "beam_width",
        "max_candidates",
        "decision_threshold",
        "score_transform",
        "propensity_weight",
        "n_jobs",
    )
    _stage_parameters = ("matcher", "ranker")
    _default_stages: ClassVar[dict] = {"indexer": KMeansTree}
    # Not for a ranker, which is fitted and called within parallel tasks.
    _hands_on = ("random_state", "n_jobs", "verbose")

    def __init__(
        self,
        indexer=None,
        *,
        matcher=None,
        matcher_level=None,
        ranker=None,
        label_vectors="pifa",
        loss="squared_hinge",
        C="scale",
        prior_weight=1.0,
        block_weights=1.0,
        positive_weight=1.0,
        negative_weight=1.0,
        fit_intercept=True,
        tol=0.1,
        max_iter=100,
        negative_sampling="parents",
        negative_beam_width=10,
        threshold=0.1,
        threshold_unit="relative",
        weight_floor=0.01,
        weight_precision="float32",
        beam_width=10,
        max_candidates=100,
        decision_threshold=0.5,
        score_transform="l4-hinge",
        propensity_weight=0.0,
        n_trees=1,
        memory=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
        warm_start=False,
    ):
        self.indexer = indexer
        self.matcher = matcher
        self.matcher_level = matcher_level
        self.ranker = ranker
        self.label_vectors = label_vectors
        self.loss = loss
        self.C = C
        self.prior_weight = prior_weight
        self.block_weights = block_weights
        self.positive_weight = positive_weight
        self.negative_weight = negative_weight
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.negative_sampling = negative_sampling
        self.negative_beam_width = negative_beam_width
        self.threshold = threshold
        self.threshold_unit = threshold_unit
        self.weight_floor = weight_floor
        self.weight_precision = weight_precision
        self.beam_width = beam_width
        self.max_candidates = max_candidates
        self.decision_threshold = decision_threshold
        self.score_transform = score_transform
        self.propensity_weight = propensity_weight
        self.n_trees = n_trees
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start

    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")
    n_features_in_ = from_state("n_features", "Number of features seen during fit.")
    feature_names_in_ = from_state(
        "feature_names", "Names of features seen during fit.", optional=True
    )
    C_ = from_state("C", "The `C` of training.", optional=True)
    prior_weight_ = from_state(
        "prior_weight", "The `prior_weight` of training.", optional=True
    )
    block_weights_ = from_state(
        "block_weights", "The `block_weights` of training.", optional=True
    )
    n_iter_ = from_state("n_iter", "Most sweeps that any node took.")
    trees_ = from_state("compact_trees", "The trees over the labels.")
    refit_due_ = from_state(
        "refit_due", "Whether a fit with a new tree would pay.", optional=True
    )
    layouts_ = from_state("compact_layouts", "The trees with their weights.")
    stages_ = from_state("stages", "The fitted `matcher` and `ranker` of each tree.")
    n_weights_ = from_state("n_weights", "Number of stored weights but intercepts.")
    nbytes_ = from_state("nbytes", "Bytes of the arrays that prediction reads.")

    # The stages are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        *,
        relevance: MatrixLike | None = None,
        negatives: MatrixLike | Sequence | None = None,
        label_names: Sequence[str] | Mapping | LabelTexts | None = None,
    ) -> Self:
        """Build the tree and train the models of all nodes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Float32 is not copied if it is CSR, or dense in C order. If X is dense (and
            mostly non-zero), the weights are laid out for predictions from dense X.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1; or a list, tuple or set of label names for each
            row, such as ``[["web", "api"], ["django"]]``; or class labels of any type.
            The columns of a data frame name the labels.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            The weight of each label of a row in training: a positive number for each
            entry of y, or one for all labels of each row. For a node above several
            labels of a row, the largest is used. None weights all the same.
        negatives : sparse matrix of shape (n_samples, n_labels), or sequence of \
                length n_samples, default=None
            Labels that each row was shown and did not choose, such as products that
            were displayed for a query and not clicked. Their rows become negatives of
            these labels and of their siblings, beside those of `negative_sampling`,
            and of all nodes on the path that the row has no label below. In the columns
            of `y`, or of the sorted classes of a 1-D `y`: any number above 0 for a
            negative, as a row counts once. Or a list, tuple or set of labels for each
            row (of column indices for an indicator); labels that `y` lacks are ignored.
        label_names : sequence of str of shape (n_labels,), mapping or LabelTexts, \
                default=None
            Names of labels, for indexers that use them; None stands for the classes of
            a 1-D y. A mapping is from class or column index (or name, of a data frame)
            to name; an index that holds all labels is read as a mapping. `LabelTexts`
            is not split in cross-validation; the name of a label with several texts is
            the first that is not blank.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid or the arguments do not match, if a row has a
            label both in `y` and among its `negatives`, if `threshold` or
            `weight_floor` is above 1 with ``threshold_unit="relative"``, or if `memory`
            is set and `threshold` is below `weight_floor`.
        TypeError
            If a `sample_weight` is given; use `relevance`.
        MemoryError
            If the estimated memory of training is more than the limit.

        Warns
        -----
        PruningWarning
            If dropping or rounding weights lowers P@1 on a sample of training rows by
            more than five points, or if a level of the tree loses all its weights.
        ConvergenceWarning
            If nodes do not converge within `max_iter` sweeps.
        """
        for name in ("threshold", "weight_floor"):
            check_threshold(name, getattr(self, name), self.threshold_unit)
        memory = self._check_memory()
        custom = self._custom_stages(X, relevance)
        check_relearning(self, custom)
        is_warm = self._starts_warm()
        arguments = FitArguments(X, y, relevance, negatives, label_names)
        if is_warm:
            problem = kept_problem(self, arguments)
        else:
            problem = self._new_problem(arguments, custom)
        if self.propensity_weight:
            problem = problem._replace(counts=LabelCounts.of(problem.Y))
        costs = self._costs(problem.regularization.C)
        check_precision(problem.X, problem.Y, costs, problem.regularization.bias)
        foresee_training(problem.X, problem.Y)
        stages = list(self._seeded_trees(memory, custom, problem))
        if is_warm:
            trained = relearn(self, problem, [settings for _, settings in stages])
        else:
            trained = [self._train(memory, problem, *stage) for stage in stages]
        dominant = describe_dominant_columns(problem.X, problem.features)
        warn_of_training(trained, self.max_iter, dominant)
        samples = [TrainingSample.of(one, problem.given, problem.Y) for one in trained]
        layouts = self._lay_out(trained, samples, problem)
        dropped = pruned_at(self.threshold, self.threshold_unit)
        before = self._state if is_warm else None
        self._state = make_state(problem, trained, layouts, dropped, samples, before)
        return self

    def _new_problem(self, arguments, custom):
        """Validate the arguments of a first fit."""
        given, names = read_columns(arguments.y)
        X, y, features = validate_features_and_target(self, arguments.X, given)
        target, Y = make_target(y, arguments.relevance, names)
        known = KnownClasses.of(target.classes)
        negatives = check_negatives(arguments.negatives, target, known, Y)
        labels = Labels.of_target(target, given, X.n_vectors)
        label_names = check_label_names(arguments.label_names, labels)
        if label_names is None:
            label_names = target.names
        label_vectors = canonical_label_vectors(
            vectors_in_order(self.label_vectors, labels)
        )
        check_one_for_each(label_vectors, Y.shape[1])
        centering, prior_weight = self._choose_weights(
            self._find_centering(X, custom),
            X,
            (Y, negatives),
            label_names,
            label_vectors,
        )
        centered = center_rows(X, centering)
        return Problem(
            target,
            known,
            features,
            X,
            centered,
            Y,
            negatives,
            label_names,
            center_label_vectors(label_vectors, centering, X.length),
            centering,
            resolve_regularization(
                centered, self.C, prior_weight, fit_intercept=self.fit_intercept
            ),
            float(prior_weight),
        )

    def _choose_weights(self, centering, X, targets, label_names, label_vectors):
        """Return the centring with the weight of the block, and the prior weight."""

        @cache
        def make_ranking():
            rows = X.to_matrix(), targets
            return HeldOutRanking.of(self, *rows, label_names, label_vectors)

        block_weight = resolve_block_weight(self, X, centering, make_ranking)
        if centering is not None:
            centering = centering._replace(block_weight=block_weight)
        if self.prior_weight == "fit":
            return centering, choose_prior_weight(make_ranking(), block_weight)
        return centering, self.prior_weight

    def _train(self, memory, problem, indexer, settings):
        """Train one tree, or load it from the cache."""
        return cached_call(
            memory,
            train_tree,
            {
                "X": problem.X,
                "Y": Compressed.from_sparse(problem.Y),
                "negatives": problem.negatives,
                "label_names": problem.label_names,
                "indexer": indexer,
                "settings": settings,
                "version": __version__,
            },
            {"n_jobs": self.n_jobs, "verbose": self.verbose},
        )

    def _find_centering(self, X, custom):
        """Return the means to subtract in training, or None.

        With a number for C, the problem is that of liblinear; custom stages take rows
        unchanged.
        """
        if self.C != "scale" or not self.fit_intercept or custom:
            if self.block_weights != 1:
                raise ValueError(
                    f"block_weights={self.block_weights!r} needs C='scale', "
                    f"fit_intercept=True and no custom stages; otherwise, set "
                    f"block_weights=1."
                )
            return None
        return find_centering(X)

    def _lay_out(self, trained, samples, problem):
        """Prune and lay out each tree; warn if this lowers P@1."""
        X = problem.X
        reduction = Reduction(
            self.threshold,
            self.threshold_unit,
            self.weight_precision,
            problem.regularization.unit_weight,
        )
        layouts, effects = zip(
            *(
                lay_out_pruned(
                    one,
                    sample,
                    X.length,
                    reduction,
                    by_node=isinstance(X, DenseRows),
                    centering=problem.centering,
                )
                for one, sample in zip(trained, samples, strict=True)
            ),
            strict=True,
        )
        warn_of_loss(effects, reduction, stacklevel=6)
        return list(layouts)

    def _check_memory(self):
        memory = check_memory(self.memory)
        if memory.location is not None and self.threshold < self.weight_floor:
            raise ValueError(
                f"threshold={self.threshold} is below weight_floor="
                f"{self.weight_floor}, down to which memory caches weights; lower "
                f"weight_floor, or set memory=None."
            )
        return memory

    def _custom_stages(self, X, relevance):
        custom = CustomStages(
            self.matcher,
            self.ranker,
            self.matcher_level,
            is_dense=not sparse.issparse(X),
            is_weighted=relevance is not None,
        )
        custom.check()
        # Linear models do not depend on the format of X.
        return custom or CustomStages()

    def _costs(self, C):
        """C for positive and for negative rows."""
        return C * self.positive_weight, C * self.negative_weight

    def _seeded_trees(self, memory, custom, problem):
        """Yield the indexer and solver parameters of each tree, with their seeds."""
        # Without a cache, weights below the threshold are not needed.
        cached = memory.location is not None
        # A random seed would never give a cache hit.
        fixed = cached and self.random_state is None
        random = check_random_state(0 if fixed else self.random_state)
        regularization = problem.regularization
        positive_cost, negative_cost = self._costs(regularization.C)
        for _ in range(self.n_trees):
            seeds = random.randint(_MAX_INT32, size=2).tolist()
            indexer = self._clone_stage("indexer")
            has_seed = "random_state" in indexer.get_params()
            if has_seed and (self.n_trees > 1 or indexer.random_state is None):
                indexer.set_params(random_state=seeds[0])
            solver = SolverParameters(
                loss=self.loss,
                positive_cost=positive_cost,
                negative_cost=negative_cost,
                bias=regularization.bias,
                tol=self.tol,
                max_iter=self.max_iter,
                weight_floor=self.weight_floor if cached else self.threshold,
                floor_unit=self.threshold_unit,
                unit_weight=regularization.unit_weight,
                seed=seeds[1],
                prior_length=regularization.prior_length,
                keeps_duals=self.warm_start,
            )
            yield (
                indexer,
                TrainingSettings(
                    solver,
                    problem.label_vectors,
                    self.negative_sampling,
                    self.negative_beam_width,
                    replace(
                        custom,
                        matcher=with_settings(custom.matcher, seed=seeds[1]),
                        ranker=with_settings(custom.ranker, seed=seeds[1]),
                    ),
                ),
            )

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if self.__sklearn_is_fitted__():
            self._state.check(type(self).__name__)

    @reads
    def prune(
        self,
        threshold: float,
        *,
        threshold_unit: Literal["relative", "absolute"] | None = None,
    ) -> Self:
        """Return a copy with fewer weights.

        Parameters
        ----------
        threshold : float
            Weights below it are dropped; at least the threshold of this estimator in
            the same unit.
        threshold_unit : {"relative", "absolute"}, default=None
            The unit of `threshold`; None is that of this estimator. A model that was
            pruned in one unit can be pruned in the other, and keeps the weights that
            both keep.

        Returns
        -------
        XRLinearClassifier
            A new fitted estimator with these parameters; this one is unchanged.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `threshold` is below that of this estimator, or a relative one above 1.
        TypeError
            If `threshold` is not a number.

        Warns
        -----
        PruningWarning
            As in `fit`. An estimator that was loaded has no training rows: it only
            warns of levels that lose all their weights.
        """
        state = self._fitted().compacted
        unit = self.threshold_unit if threshold_unit is None else threshold_unit
        pruned = copy.copy(self)
        pruned.threshold, pruned.threshold_unit = threshold, unit
        pruned._state = prune_state(state, threshold, unit)
        return pruned

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        custom = [stage for stage in (self.matcher, self.ranker) if stage is not None]
        tags.input_tags.sparse = all(get_tags(one).input_tags.sparse for one in custom)
        tags.classifier_tags.multi_label = True
        return tags
