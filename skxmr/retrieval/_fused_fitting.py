"""The fit of a model and of a lexical index together, and of their common score."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone

from skxmr._base._fitted_clone import FittedClone
from skxmr._embeddings._searching import EmbeddingSearch
from skxmr._fusion._evidence import (
    ALL_FEATURES,
    Candidates,
    Findings,
    LabelEvidence,
    pack_names,
)
from skxmr._fusion._log_linear import LogLinear
from skxmr._inputs._label_fields import LabelFields, is_blank
from skxmr._lexical._building import TRAINING
from skxmr._parallel._progress import note, step
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.retrieval._fitting import Stages, TrainingTexts
from skxmr.retrieval._fused_search import N_CANDIDATES
from skxmr.retrieval._held_out import HeldOut, drop_unseen
from skxmr.retrieval._state import Fusion

__all__ = ["TextRows", "fit_both", "fuse_again", "fuse_fitted", "with_narrow_tree"]

# The weights of training texts in the lexical search, of which the best is chosen.
_WEIGHTS_OF_TRAINING = (1.0, 0.3, 0.0)

# Default trees of more labels than this have three levels.
_WIDEST = 512
_MOST_IN_WIDE_TREE = _WIDEST**2

# Parameters of their indexer, and of the classifier unless it has others.
_NARROW = {"indexer__branching_factor": _WIDEST, "indexer__max_iter": 5}
_NARROW_DEFAULTS = {"tol": 0.3}

# If at most this share of the rows is held out, the classifier does without them.
_NEGLIGIBLE = 0.01


class TextRows(NamedTuple):
    """The texts that are searched besides the model.

    Parameters
    ----------
    texts : list of str
        The training texts.
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (n_texts, n_labels)
    fields : LabelFields
        The texts of the labels.
    by_embedding : EmbeddingSearch or None, default=None
    """

    texts: list
    target: Any
    Y: sparse.csr_array
    fields: LabelFields
    by_embedding: EmbeddingSearch | None = None

    def encoded(self, encoder, encoder_labels, exact, verbose):
        """Return the same with embeddings, as of `EmbeddingSearch.of_labels`."""
        texts = self.fields.joined()
        found = EmbeddingSearch.of_labels(texts, encoder, encoder_labels, verbose)
        if found is None:
            return self
        if encoder_labels is not None:
            # Vectors of another length are an error at once, not after the training. An
            # encoder that looks vectors up may know no other texts.
            found.encode(self.texts[:1])
        return self._replace(by_embedding=found._replace(exact=exact))

    def take(self, is_kept):
        """Return what an index of some of the training texts takes.

        Their terms are counted already, so the texts themselves are left out.
        """
        return self._replace(texts=[], Y=self.Y[np.flatnonzero(is_kept)])

    def count_terms(self, ranker):
        """Count the terms of all texts, as a ranker does.

        The texts of a label are joined: as separate fields, words of the name that are
        frequent in other names would count as rare in the description.
        """
        ranker._validate_params()
        fields = LabelFields([(text,) for text in self.fields.joined()], 1)
        return ranker._count(fields, self.texts, self.Y.shape[1])

    def fit_index(self, ranker, counted):
        """Index all texts in a clone of a ranker, and return it."""
        indexed = clone(ranker)
        indexed._state = indexed._index(counted, self.target, self.Y)
        return indexed

    def evidence(self, indexed, names):
        """Return what is known of the labels, given their packed names."""
        counts = np.bincount(self.Y.indices, minlength=self.Y.shape[1])
        log_counts = np.log1p(counts).astype(np.float32)
        by_embedding = self.by_embedding
        embeddings = None if by_embedding is None else by_embedding.embeddings
        return LabelEvidence(indexed._state, names, log_counts, embeddings)

    def held_out(self, seed):
        """Draw texts to be held out; None if there are too few."""
        has_text = [not all(map(is_blank, texts)) for texts in self.fields.texts]
        return HeldOut.draw(self.texts, self.Y, np.array(has_text, dtype=bool), seed)


def fit_both(stages: Stages, documents: TrainingTexts, text_rows: TextRows):
    """Fit a classifier and a lexical index, and the score that combines both.

    The score is learned from texts that neither was fitted to; then both are fitted to
    all texts, except for a classifier that lacks at most one row in a hundred.

    Parameters
    ----------
    stages : Stages
        The vectorizer is fitted in place.
    documents : TrainingTexts
    text_rows : TextRows

    Returns
    -------
    classifier : estimator
        A fitted clone.
    fusion : Fusion
    """
    vectorizer, classifier, ranker, seed = stages
    classifier = with_narrow_tree(classifier, text_rows.Y.shape[1])
    names = pack_names(text_rows.fields.names())
    held_out = text_rows.held_out(seed or 0)
    if held_out is None:
        fitted = documents.fit_vectorizer(vectorizer).fit(classifier)
        counted = text_rows.count_terms(ranker)
        learned = Learned.default(text_rows.by_embedding)
    else:
        note(
            f"{len(held_out.texts):,} texts are held out, to learn how to combine "
            "model and words"
        )
        fitted, model = _fit_and_rank(vectorizer, classifier, documents, held_out)
        counted = text_rows.count_terms(ranker)
        kept = text_rows.take(held_out.is_kept)
        indexed = kept.fit_index(ranker, counted.take(held_out.is_kept))
        evidence = kept.evidence(indexed, names)
        with step("combining model and words", len(held_out.texts), "texts"):
            learned = _learn(model, indexed, evidence, kept.by_embedding, held_out)
    indexed = text_rows.fit_index(ranker, counted)
    ranking = FittedClone.of(indexed)
    if _is_weight_open(indexed):
        # Set afterwards: as it is not what the user has set, it would be undone.
        indexed.field_weights = (1.0, learned.weight_of_training)
    evidence = text_rows.evidence(indexed, names)
    return fitted, Fusion(
        ranking, evidence, learned.log_linear, learned.with_embeddings
    )


def _fit_and_rank(vectorizer, classifier, documents, held_out):
    """Rank held-out texts by a classifier without them, and fit it to all if it pays.

    Parameters
    ----------
    vectorizer : transformer
        It is fitted in place.
    classifier : estimator
    documents : TrainingTexts
    held_out : HeldOut

    Returns
    -------
    fitted : estimator
    model : tuple of (columns, scores)
        The labels of the held-out texts.
    """
    rows = documents.fit_vectorizer(vectorizer)
    is_kept = np.ones(rows.X.shape[0], dtype=bool)
    is_kept[: len(held_out.is_kept)] = held_out.is_kept
    kept, X = rows.take(np.flatnonzero(is_kept)), rows.take(held_out.rows).X
    fits_all = np.mean(~is_kept) > _NEGLIGIBLE
    if not fits_all:
        del rows
    X = drop_unseen(vectorizer, X, _occurs(kept.X))
    fitted = kept.fit(classifier)
    with step("ranking held-out texts", X.shape[0], "texts"):
        model = fitted.rank(X, min(N_CANDIDATES, held_out.Y.shape[1]))
    if not fits_all:
        return fitted, model
    note("training again, on all texts")
    return rows.fit(classifier), model


def _occurs(X):
    """Return which features some row has."""
    is_found = np.ones(X.shape[1], dtype=bool)
    if sparse.issparse(X):
        is_found[:] = False
        is_found[X.indices] = True
    return is_found


def fuse_fitted(ranker, text_rows: TextRows, known=None) -> Fusion:
    """Fuse a fitted classifier with an index of texts, by weights that are constants.

    Parameters
    ----------
    ranker : LexicalRanker
        A clone is fitted.
    text_rows : TextRows
    known : KnownClasses, default=None
        The labels by column; None if none has come or gone since a fit.

    Returns
    -------
    Fusion
    """
    indexed = text_rows.fit_index(ranker, text_rows.count_terms(ranker))
    if known is not None:
        indexed._state = replace(indexed._state, known=known)
    evidence = text_rows.evidence(indexed, pack_names(text_rows.fields.names()))
    learned = Learned.default(text_rows.by_embedding)
    weights = learned.log_linear, learned.with_embeddings
    return Fusion(FittedClone.of(indexed), evidence, *weights)


def fuse_again(before, ranker, text_rows: TextRows, known) -> Fusion:
    """Index all texts anew, and fuse them with a classifier by the weights of before.

    Parameters
    ----------
    before : Fusion or None
        Without one, the weights are constants.
    ranker : LexicalRanker
        A clone is fitted.
    text_rows : TextRows
    known : KnownClasses
        The labels by column.

    Returns
    -------
    Fusion
    """
    fused = fuse_fitted(ranker, text_rows, known)
    if before is None:
        return fused
    indexed = fused.ranking.estimator
    if _is_weight_open(indexed):
        # Not in `given` of the clone, as in `fit_both`.
        indexed.field_weights = before.ranking.estimator.field_weights
    learned = {"log_linear": before.log_linear}
    if before.with_embeddings is not None and fused.with_embeddings is not None:
        learned["with_embeddings"] = before.with_embeddings
    return replace(fused, **learned)


def with_narrow_tree(classifier, n_labels):
    """Give a default tree of more than 262,144 labels three levels, trained quickly.

    The time of training is proportional to the sum of the numbers of children over the
    levels: two wide levels take several times as long. Fewer iterations of k-means and
    a higher tolerance save a third of the rest. The classifier by itself finds less,
    but a fused search does not: words tell apart labels of few training texts, which
    most of so many are. With four levels of 32 children it finds less, too.
    """
    is_default = isinstance(classifier, XRLinearClassifier)
    is_default = is_default and classifier.indexer is None
    if not is_default or n_labels <= _MOST_IN_WIDE_TREE:
        return classifier
    narrow, default = clone(classifier).set_params(**_NARROW), XRLinearClassifier()
    for name, value in _NARROW_DEFAULTS.items():
        if getattr(narrow, name) == getattr(default, name):
            setattr(narrow, name, value)
    return narrow


class Learned(NamedTuple):
    """What was learned from held-out texts.

    Parameters
    ----------
    log_linear : LogLinear
        The score by model and words.
    with_embeddings : LogLinear or None
        The score by model, words and embeddings; None if labels have no embeddings.
    weight_of_training : float, default=1.0
        The weight of training texts in the lexical search for candidates.
    """

    log_linear: LogLinear
    with_embeddings: LogLinear | None
    weight_of_training: float = 1.0

    @classmethod
    def default(cls, by_embedding) -> Self:
        """Return what is used where nothing can be learned."""
        with_embeddings = None
        if by_embedding is not None:
            with_embeddings = LogLinear.default(ALL_FEATURES)
        return cls(LogLinear.default(), with_embeddings)


class _Tried(NamedTuple):
    """The candidates for held-out texts by one weight of training texts.

    Parameters
    ----------
    findings : Findings
    candidates : Candidates
    is_positive : ndarray of shape (n_candidates,), bool
    weight : float
    """

    findings: Findings
    candidates: Candidates
    is_positive: NDArray
    weight: float


def _learn(model, indexed, evidence, by_embedding, held_out):
    """Learn from the candidates that are found for held-out texts.

    The lexical search takes the weight of training texts by which most labels of the
    held-out texts are among the candidates of model and words.

    Parameters
    ----------
    model : tuple of (columns, scores)
        The ranking of the classifier for the held-out texts.
    indexed : LexicalRanker
        Of the texts that are not held out.
    evidence : LabelEvidence
        Of the same texts.
    by_embedding : EmbeddingSearch or None
    held_out : HeldOut

    Returns
    -------
    Learned
    """
    best = _best_weight(model, indexed, evidence, held_out)
    learned = Learned.default(by_embedding)._replace(weight_of_training=best.weight)
    if best.is_positive.any():
        log_linear = LogLinear.fit(best.candidates, best.is_positive)
        learned = learned._replace(log_linear=log_linear)
    if by_embedding is None:
        return learned
    # Model and words have a score of their own, for searches without the encoder.
    vectors = by_embedding.encode(held_out.texts)
    found = by_embedding.find(vectors, model[0].shape[1])
    findings = best.findings.with_embeddings(vectors, found)
    candidates = evidence.describe(findings)
    is_positive = _are_positive(candidates, held_out.Y)
    if is_positive.any():
        with_embeddings = LogLinear.fit(candidates, is_positive)
        learned = learned._replace(with_embeddings=with_embeddings)
    return learned


def _best_weight(model, indexed, evidence, held_out):
    """Choose the weight of training texts in the lexical search."""
    n_candidates = model[0].shape[1]
    is_open, tried = _is_weight_open(indexed), []
    for weight in _WEIGHTS_OF_TRAINING if is_open else (1.0,):
        if is_open:
            indexed.field_weights = (1.0, weight)
        search = indexed._search()
        queries = search.queries(held_out.texts)
        columns, _ = search.find(queries, n_candidates)
        findings = Findings.of(held_out.texts, queries, model, columns)
        candidates = evidence.describe(findings)
        is_positive = _are_positive(candidates, held_out.Y)
        tried.append(_Tried(findings, candidates, is_positive, weight))
    return max(tried, key=lambda one: one.is_positive.sum())


def _is_weight_open(indexed):
    """Return whether there are training texts whose weight the user leaves open."""
    has_training = TRAINING in indexed._state.terms.field_names
    return has_training and indexed.field_weights is None


def _are_positive(candidates, Y):
    """Return which candidates are labels of their texts."""
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(candidates.offsets))
    keys = rows * Y.shape[1] + candidates.columns
    of_Y = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr)) * Y.shape[1] + Y.indices
    return np.isin(keys, of_Y)
