"""The fields of labels, and their index."""

from typing import NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.pipeline import make_union

from skxmr._lexical._analysis import make_counter
from skxmr._lexical._bm25 import IndexBuilder
from skxmr._lexical._expansion import WordExpansion
from skxmr._lexical._terms import IndexedTerms
from skxmr._memory._large import empty_beside
from skxmr._parallel._progress import step
from skxmr._utils._csr_files import take_rows_beside
from skxmr._utils._packed_texts import joined
from skxmr.text._single import fit_transform_large

__all__ = ["TRAINING", "CountedTexts", "Indexing", "texts_by_field"]

# The name of the field that holds the training texts of each label.
TRAINING = "training"


class Indexing(NamedTuple):
    """How to build an index.

    Parameters
    ----------
    analyzers : list of {"word", "char"}
    token_filter : callable or None
    k1, b : float
    n_jobs : int or None
    """

    analyzers: list
    token_filter: object
    k1: float
    b: float
    n_jobs: int | None


class CountedTexts(NamedTuple):
    """The texts of labels and of training, as counts of their terms.

    Parameters
    ----------
    analyzers : list of {"word", "char"}
    counters : list of vectorizer
        The fitted counter of each analyzer.
    counts : list of csr_array of shape (n_documents, n_terms)
        By analyzer: the texts of all labels, field after field, then those of training.
    names : list of str
        The names of the fields of labels.
    n_labels : int
    """

    analyzers: list
    counters: list
    counts: list
    names: list
    n_labels: int

    @classmethod
    def of(cls, fields, texts, n_labels, indexing) -> Self:
        """Count the terms of texts.

        Parameters
        ----------
        fields : LabelFields or None
            None if labels have no texts.
        texts : list of str
            The training texts.
        n_labels : int
        indexing : Indexing

        Raises
        ------
        ValueError
            If no text has a term.
        """
        names, of_labels = _label_fields(fields)
        documents = [text for field in of_labels for text in field]
        documents = joined(documents, texts)
        counters = [
            make_counter(analyzer, indexing.token_filter, indexing.n_jobs)
            for analyzer in indexing.analyzers
        ]
        counts = [
            sparse.csr_array(_fit_transform(counter, documents)) for counter in counters
        ]
        return cls(indexing.analyzers, counters, counts, names, n_labels)

    def take(self, is_kept):
        """Return what would have been counted without some training texts.

        Parameters
        ----------
        is_kept : ndarray of shape (n_texts,), bool
        """
        n_of_labels = len(self.names) * self.n_labels
        rows = np.concatenate(
            [np.arange(n_of_labels), n_of_labels + np.flatnonzero(is_kept)]
        )
        parts = [
            _without_unused_terms(counter, take_rows_beside(counts, rows))
            for counter, counts in zip(self.counters, self.counts, strict=True)
        ]
        counters, counts = map(list, zip(*parts, strict=True))
        return self._replace(counters=counters, counts=counts)

    def build_index(self, Y, indexing):
        """Index the labels.

        Parameters
        ----------
        Y : csr_array of shape (n_texts, n_labels)
            If there are no training texts, there is no field for them.
        indexing : Indexing

        Returns
        -------
        terms : IndexedTerms
        index : LexicalIndex
        """
        names = [*self.names, TRAINING] if Y.shape[0] else self.names
        builder = IndexBuilder(len(names), self.n_labels, indexing.k1, indexing.b)
        with step("indexing words of labels", self.n_labels, "labels"):
            expansion = self._add_terms(builder, Y)
            index = builder.build()
        counters = self.counters
        counter = counters[0] if len(counters) == 1 else make_union(*counters)
        return IndexedTerms(self.analyzers, counter, names, expansion), index

    def _add_terms(self, builder, Y):
        """Add the terms of all analyzers; return the expansion of words, if any."""
        expansion, first_term = None, 0
        for analyzer, counter, counts in zip(
            self.analyzers, self.counters, self.counts, strict=True
        ):
            fields = _counts_of_fields(counts, len(self.names), Y)
            frequencies = builder.add(fields)
            if analyzer == "word":
                expansion = WordExpansion.of(
                    counter, frequencies, self.n_labels, first_term
                )
            first_term += len(frequencies)
        return expansion


def _without_unused_terms(counter, counts):
    """Remove the terms that occur no longer from a counter and its counts."""
    is_used = np.zeros(counts.shape[1], dtype=bool)
    is_used[counts.indices] = True
    used = np.flatnonzero(is_used)
    if len(used) in (0, len(is_used)):  # without any term there would be no index
        return counter, counts
    numbers = np.cumsum(is_used, dtype=counts.indices.dtype) - 1
    renumbered = empty_beside(counts.indices, counts.nnz, numbers.dtype)
    np.take(numbers, counts.indices, out=renumbered, mode="clip")  # without a buffer
    kept = sparse.csr_array(
        (counts.data, renumbered, counts.indptr),
        shape=(counts.shape[0], len(used)),
    )
    return counter._keep_columns(used), kept


def _counts_of_fields(counts, n_of_labels, Y):
    """Divide the counts of all documents into those of each field."""
    n_labels = Y.shape[1]
    fields = [
        counts[field * n_labels : (field + 1) * n_labels]
        for field in range(n_of_labels)
    ]
    if Y.shape[0]:
        fields.append(sparse.csr_array(Y.T @ _last_rows(counts, Y.shape[0])))
    return fields


def _last_rows(counts, n_rows):
    """Return the last rows of a matrix without a copy of their entries."""
    offsets = counts.indptr[len(counts.indptr) - 1 - n_rows :]
    first = offsets[0]
    arrays = counts.data[first:], counts.indices[first:], offsets - first
    return sparse.csr_array(arrays, shape=(n_rows, counts.shape[1]))


def _label_fields(fields):
    """Return the names of the fields of labels, and their texts by field."""
    if fields is None:
        return [], []
    n_fields = fields.n_fields
    names = ["text"] if n_fields == 1 else [f"text {i}" for i in range(n_fields)]
    return names, texts_by_field(fields)


def texts_by_field(fields):
    """Return the texts of all labels, in a list for each field; blank if missing.

    Parameters
    ----------
    fields : LabelFields

    Returns
    -------
    list of list of str
    """
    return [
        [texts[field] if field < len(texts) else "" for texts in fields.texts]
        for field in range(fields.n_fields)
    ]


def _fit_transform(counter, documents):
    try:
        return fit_transform_large(counter, documents)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise ValueError(
            f"None of the {len(documents)} texts of labels and of training has a term "
            f"to search for."
        ) from error
