"""Evidence for candidate labels of texts: the features of a log-linear score."""

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
from skxmr._utils._packed_texts import PackedTexts
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
    log_counts : ndarray of shape (n_labels,), float32
        The logarithm of 1 + the number of training texts of each label.
    embeddings : LabelEmbeddings or None, default=None
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

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("scorers", None)
        return state

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
        check_vector(self.log_counts, (np.float32,), n_labels, f"{name}.log_counts")
        if to_be_read(self.log_counts):
            check_finite(self.log_counts, f"{name}.log_counts")
        if self.embeddings is None:
            return
        if not isinstance(self.embeddings, LabelEmbeddings):
            refuse(f"{name}.embeddings", f"is a {type(self.embeddings).__name__}")
        if len(self.embeddings.vectors) != n_labels:
            refuse(f"{name}.embeddings", f"has other than {n_labels} vectors")

    @cached_property
    def scorers(self):
        """The pool of scorers of candidates."""
        make = partial(
            kernel.CandidateScorer,
            self.lexical.index.for_kernels,
            TRAINING in self.lexical.terms.field_names,
            self.names.text,
            self.names.offsets,
            self.log_counts,
            None if self.embeddings is None else self.embeddings.for_kernels,
        )
        return Pool(make)

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
