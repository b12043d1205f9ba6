"""Evidence for candidate labels of texts: the features of a log-linear score."""

from __future__ import annotations

from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._cython import _candidates as kernel
from skxmr._embeddings._label_embeddings import LabelEmbeddings
from skxmr._lexical._building import TRAINING
from skxmr._lexical._state import LexicalState
from skxmr._lexical._terms import Queries
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_finite,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._packed_texts import GrownTexts, PackedTexts
from skxmr._utils._pool import Pool
from skxmr.text._word_forms import spaced_words

__all__ = [
    "ALL_FEATURES",
    "FEATURES",
    "Candidates",
    "Findings",
    "Found",
    "LabelEvidence",
    "pack_names",
    "words_spaced",
]

FEATURES = kernel.FEATURES
"""The names of the features, in the order of the columns."""

ALL_FEATURES = (*FEATURES, kernel.COSINE_FEATURE)
"""The same, with that of the embeddings of texts and labels."""


def words_spaced(text):
    """Return the words of a text, as written, with a space before and after each."""
    return spaced_words(text).decode("utf-8", "surrogatepass")


def pack_names(names):
    """Pack the names of labels for `LabelEvidence`.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    PackedTexts
    """
    return PackedTexts.of(map(words_spaced, names))


class Candidates(NamedTuple):
    """Candidate labels of several texts.

    Parameters
    ----------
    offsets : ndarray of shape (n_texts + 1,), int64
        The candidates of text i are those from ``offsets[i]`` up to ``offsets[i + 1]``.
    columns : ndarray of shape (n_candidates,), int64
        Ascending for each text.
    features : ndarray of shape (n_candidates, n_features), float64
        `FEATURES`, or `ALL_FEATURES` if the texts have embeddings.
    """

    offsets: NDArray
    columns: NDArray
    features: NDArray


class Findings(NamedTuple):
    """What a model and other searches found for several texts.

    Parameters
    ----------
    model_columns : ndarray of shape (n_texts, any), int64
        -1 for none.
    model_scores : ndarray of the same shape, float64
    other_columns : ndarray of shape (n_texts, any), int64
        Those of the other searches; -1 for none.
    queries : Queries
        The terms of the texts.
    words : list of bytes
        The texts as `words_spaced` returns them, in UTF-8.
    embeddings : ndarray of shape (n_texts, length), float32, or None
        Those of the texts.
    """

    model_columns: NDArray
    model_scores: NDArray
    other_columns: NDArray
    queries: Queries
    words: list
    embeddings: NDArray | None = None

    @classmethod
    def of(cls, texts, queries, model, lexical_columns):
        """Put together what was found for texts.

        Parameters
        ----------
        texts : list of str
        queries : Queries
        model : tuple of (columns, scores)
            The ranking of the model.
        lexical_columns : ndarray of shape (n_texts, any), int64

        Returns
        -------
        Findings
        """
        columns, scores = model
        return cls(
            np.ascontiguousarray(columns, dtype=np.int64),
            np.ascontiguousarray(scores, dtype=np.float64),
            np.ascontiguousarray(lexical_columns, dtype=np.int64),
            queries,
            list(map(spaced_words, texts)),
        )

    def with_embeddings(self, embeddings, columns):
        """Add the embeddings of the texts, and the labels that were found by them."""
        other_columns = np.concatenate([self.other_columns, columns], axis=1)
        return self._replace(other_columns=other_columns, embeddings=embeddings)

    def part(self, start, stop):
        """Return what was found for some consecutive texts."""
        rows = slice(start, stop)
        return Findings(
            self.model_columns[rows],
            self.model_scores[rows],
            self.other_columns[rows],
            self.queries.part(start, stop),
            self.words[rows],
            None if self.embeddings is None else self.embeddings[rows],
        )

    def of_texts(self):
        """Yield what was found for each text."""
        offsets = self.queries.offsets.tolist()
        for row, words in enumerate(self.words):
            terms = slice(offsets[row], offsets[row + 1])
            yield Found(
                self.model_columns[row],
                self.model_scores[row],
                self.other_columns[row],
                self.queries.terms[terms],
                self.queries.counts[terms],
                words,
                None if self.embeddings is None else self.embeddings[row],
            )


class Found(NamedTuple):
    """What was found for one text: the arguments of the kernel.

    Parameters
    ----------
    model_labels : ndarray of shape (any,), int64
        -1 for none.
    model_scores : ndarray of the same shape, float64
    other_labels : ndarray of shape (any,), int64
    terms : ndarray of shape (n_terms,), int32
    counts : ndarray of shape (n_terms,), float32
    words : bytes
    embedding : ndarray of shape (length,), float32, or None
    """

    model_labels: NDArray
    model_scores: NDArray
    other_labels: NDArray
    terms: NDArray
    counts: NDArray
    words: bytes
    embedding: NDArray | None = None


class LabelEvidence:
    """What is known of labels, to describe them as candidates of texts.

    Parameters
    ----------
    lexical : LexicalState
        The index of the labels' own texts and of their training texts.
    names : PackedTexts of length n_labels
        The names of the labels, as `words_spaced` returns them.
    log_counts : ndarray of shape (n_fitted,), float32
        The logarithm of 1 + the number of training texts of each label.
    embeddings : LabelEmbeddings or None, default=None

    Attributes
    ----------
    added_log_counts : ndarray of shape (n_added,), float32
        The same of labels that were added later.
    """

    def __init__(
        self,
        lexical: LexicalState,
        names: PackedTexts,
        log_counts: NDArray,
        embeddings: LabelEmbeddings | None = None,
    ):
        self.lexical = lexical
        self.names = names
        self.log_counts = log_counts
        self.embeddings = embeddings
        self.added_log_counts = np.empty(0, dtype=np.float32)

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("scorers", None)
        return state

    def _changed(self, **attributes):
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__getstate__(), **attributes)
        return changed

    def grown(self, lexical, names, counts=None, embeddings=None):
        """Return the evidence after labels were added, without a copy of the others'.

        Parameters
        ----------
        lexical : LexicalState
            That of the ranker after its `add_labels`.
        names : list of str of length n_new
            The names of the new labels, as the user wrote them.
        counts : array-like of shape (n_new,), default=None
            The number of training texts of each; None for 0.
        embeddings : LabelEmbeddings or None, default=None
            Of all labels; None if labels have none.

        Returns
        -------
        LabelEvidence
            The features of other labels are the same.
        """
        counts = np.zeros(len(names)) if counts is None else np.asarray(counts)
        added = np.log1p(counts).astype(np.float32)
        return self._changed(
            lexical=lexical,
            names=self.names.appended(map(words_spaced, names)),
            added_log_counts=np.concatenate([self.added_log_counts, added]),
            embeddings=embeddings,
        )

    def with_lexical(self, lexical):
        """Return the evidence after a change of the index: `remove_labels`, `compact`.

        Parameters
        ----------
        lexical : LexicalState
            Of the same labels. Removed ones are not among candidates, as no search
            finds them; what is known of them is not needed.

        Returns
        -------
        LabelEvidence
        """
        return self._changed(lexical=lexical)

    def without(self, lexical, columns):
        """Return the evidence after labels were removed.

        Parameters
        ----------
        lexical : LexicalState
            That of the ranker after its `remove_labels`.
        columns : ndarray of int64

        Returns
        -------
        LabelEvidence
        """
        embeddings = self.embeddings
        if embeddings is not None:
            embeddings = embeddings.without(columns)
        return self._changed(lexical=lexical, embeddings=embeddings)

    def with_counts(self, lexical, columns, counts):
        """Return the evidence after some labels got more training texts.

        Parameters
        ----------
        lexical : LexicalState
            That of the ranker after its `partial_fit`.
        columns : ndarray of shape (n_changed,), int64
            Each once.
        counts : ndarray of shape (n_changed,)
            How many more training texts each label has.

        Returns
        -------
        LabelEvidence
        """
        merged = np.concatenate([self.log_counts, self.added_log_counts])
        before = np.expm1(merged[columns].astype(np.float64)).round()
        merged[columns] = np.log1p(before + counts)
        n_fitted = len(self.log_counts)
        return self._changed(
            lexical=lexical,
            log_counts=merged[:n_fitted],
            added_log_counts=merged[n_fitted:],
        )

    def compacted(self, lexical):
        """Return the same in fewer arrays, with a compacted index."""
        counts = np.concatenate([self.log_counts, self.added_log_counts])
        return self._changed(
            lexical=lexical,
            names=self.names.compacted(),
            log_counts=counts,
            added_log_counts=counts[:0],
        )

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LabelEvidence"):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = "LabelEvidence"
        if not isinstance(self.lexical, LexicalState):
            refuse(f"{name}.lexical", f"is a {type(self.lexical).__name__}")
        n_labels = self.lexical.index.n_labels
        if not isinstance(self.names, PackedTexts):
            refuse(f"{name}.names", f"is a {type(self.names).__name__}")
        if len(self.names) != n_labels:
            refuse(f"{name}.names", f"has other than {n_labels} names")
        added = self.added_log_counts
        check_vector(added, (np.float32,), None, f"{name}.added_log_counts")
        n_fitted = n_labels - len(added)
        check_vector(self.log_counts, (np.float32,), n_fitted, f"{name}.log_counts")
        n_named = len(_parts_of(self.names)[0])
        if n_named != n_fitted:
            refuse(f"{name}.log_counts", f"is of {n_fitted} of {n_named} labels")
        if to_be_read(self.log_counts, added):
            check_finite(self.log_counts, f"{name}.log_counts")
            check_finite(added, f"{name}.added_log_counts")
        if self.embeddings is None:
            return
        if not isinstance(self.embeddings, LabelEmbeddings):
            refuse(f"{name}.embeddings", f"is a {type(self.embeddings).__name__}")
        if len(self.embeddings.vectors) != n_labels:
            refuse(f"{name}.embeddings", f"has other than {n_labels} vectors")

    @cached_property
    def scorers(self):
        """The pool of scorers of candidates."""
        names, added = _parts_of(self.names)
        arguments = (
            self.lexical.index.for_kernels,
            TRAINING in self.lexical.terms.field_names,
            names.text,
            names.offsets,
            self.log_counts,
            None if self.embeddings is None else self.embeddings.for_kernels,
        )
        added = added.text, added.offsets, self.added_log_counts
        return Pool(partial(_make_scorer, arguments, added))

    def describe(self, findings):
        """Return the candidates of several texts with their features.

        Parameters
        ----------
        findings : Findings

        Returns
        -------
        Candidates
        """
        n_features = len(FEATURES if findings.embeddings is None else ALL_FEATURES)
        offsets, columns, features = [0], [], []
        with self.scorers.lend() as scorer:
            for found in findings.of_texts():
                n_found = scorer.describe(*found)
                offsets.append(offsets[-1] + n_found)
                columns.append(np.empty(n_found, dtype=np.int64))
                features.append(np.empty((n_found, n_features)))
                scorer.copy(columns[-1], features[-1])
        return Candidates(
            np.array(offsets, dtype=np.int64),
            np.concatenate(columns),
            np.concatenate(features),
        )

    def rank(self, findings, k, weights, calibration):
        """Rank the candidates of several texts by sums of weighted features.

        Parameters
        ----------
        findings : Findings
        k : int
        weights : ndarray of shape (n_features,), float64
            Of `FEATURES`, or of `ALL_FEATURES`.
        calibration : ndarray of shape (3,), float64
            As in `LogLinear`.

        Returns
        -------
        columns : ndarray of shape (n_texts, k), int64
            Best first; -1 where there are fewer candidates.
        scores : ndarray of shape (n_texts, k), float64
            Probabilities; 0 where there are fewer candidates.
        """
        columns = np.empty((len(findings.words), k), dtype=np.int64)
        scores = np.empty((len(findings.words), k))
        with self.scorers.lend() as scorer:
            for row, found in enumerate(findings.of_texts()):
                scorer.describe(*found)
                scorer.rank(weights, calibration, columns[row], scores[row])
        return columns, scores

    def score(self, findings, among, weights, calibration):
        """Score given labels of several texts, each beside the candidates of its text.

        Parameters
        ----------
        findings : Findings
        among : RowSubset
            Of allowed labels, whether or not they are candidates.
        weights, calibration : ndarray
            As in `rank`.

        Returns
        -------
        ndarray, float64
            The probability of each entry of the mask. A candidate's is that of `rank`.
        """
        offsets, columns = among.offsets, among.columns.astype(np.int64)
        scores = np.empty(len(columns))
        with self.scorers.lend() as scorer:
            for row, found in enumerate(findings.of_texts()):
                entries = slice(offsets[row], offsets[row + 1])
                given, others = columns[entries], found.other_labels
                listed = np.union1d(found.model_labels, others)
                others = np.concatenate([others, given])
                scorer.describe(*found._replace(other_labels=others))
                scorer.score(
                    weights, calibration, listed[listed >= 0], given, scores[entries]
                )
        return scores

    def rank_one(self, found, k, weights, calibration):
        """Rank the candidates of one text, without the overhead of `rank`.

        Parameters
        ----------
        found : Found
        k : int
        weights, calibration : ndarray
            As in `rank`.

        Returns
        -------
        columns : ndarray of shape (k,), int64
        scores : ndarray of shape (k,), float64
        """
        columns, scores = np.empty(k, dtype=np.int64), np.empty(k)
        with self.scorers.lend() as scorer:
            scorer.describe(*found)
            scorer.rank(weights, calibration, columns, scores)
        return columns, scores


def _parts_of(names):
    """Return the names of the labels of the fit, and those of added ones."""
    if isinstance(names, GrownTexts):
        return names.first, names.added
    return names, PackedTexts.of([])


def _make_scorer(arguments, added):
    return kernel.CandidateScorer(*arguments).with_added(*added)
