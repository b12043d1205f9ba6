"""Terms that came after a vectorizer was fitted, as further columns.

The vectorizer remains as it is: its columns keep their numbers, and those of later
terms follow all of them, also those of the other parts of a union. In a part of a
union, a row is scaled to unit length over its known and later terms together, so that
texts without later terms have the features of before, to the bit.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skxmr._cython._tfidf import scale
from skxmr._utils._loaded_state import as_value_errors, check_vector, refuse
from skxmr._utils._packed_texts import PackedTexts
from skxmr.text._feature_names import lazy_feature_names
from skxmr.text._row_counting import count_row, row_counter_of
from skxmr.text._tfidf import NORMS, Weighting
from skxmr.text._vocabulary import LaterVocabulary

__all__ = [
    "Counted",
    "GrownTransformer",
    "LaterTerms",
    "owners_of",
    "side_by_side",
    "term_frequencies",
    "wider",
]


@dataclass(frozen=True)
class LaterTerms:
    """The later terms of one vectorizer.

    Parameters
    ----------
    vocabulary : LaterVocabulary
    idf : ndarray of shape (n_terms,), or None
        Their inverse document frequencies, where the vectorizer uses these.
    columns : ndarray of shape (n_terms,), int32
        Ascending.
    """

    vocabulary: LaterVocabulary
    idf: np.ndarray | None
    columns: np.ndarray

    @classmethod
    def none(cls, idf):
        """Return no terms, for a vectorizer of some inverse document frequencies."""
        nothing = np.empty(0, dtype=np.int32)
        return cls(LaterVocabulary.of([]), None if idf is None else idf[:0], nothing)

    def with_terms(self, terms, idf, first):
        """Append terms, of which the first gets a given column."""
        before, added = self.vocabulary, PackedTexts.of(terms)
        ends = before.offsets[-1] + added.offsets[1:]
        vocabulary = LaterVocabulary.from_arrays(
            np.concatenate([before.text, added.text]),
            np.concatenate([before.offsets, ends]),
        )
        if self.idf is not None:
            idf = np.concatenate([self.idf, idf])
        columns = np.arange(first, first + len(terms), dtype=np.int32)
        return LaterTerms(vocabulary, idf, np.concatenate([self.columns, columns]))


class GrownTransformer:
    """A fitted vectorizer with the terms that it has learned later.

    Parameters
    ----------
    known : LeanTransformer
        Of the vectorizer.
    later : list of (LaterTerms or None)
        Of each of its parts; None for a part that cannot learn more.
    n_features : int
        Number of columns, later ones included.
    """

    def __init__(self, known, later, n_features):
        self.known = known
        self.later = later
        self.n_features = n_features
        self._counters = None

    def __getstate__(self):
        return vars(self) | {"_counters": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("GrownTransformer"):
            self._check_arrays()

    def transform(self, texts, vectorizer: Any = None):
        """Return the features of texts.

        Parameters
        ----------
        texts : iterable of str
        vectorizer : transformer, default=None
            The fitted vectorizer with other parameters of transformation, such as
            `n_jobs`.

        Returns
        -------
        csr_array of shape (n_texts, `n_features`)
        """
        texts = list(texts)
        features = wider(self.known.transform(texts, vectorizer), self.n_features)
        later = [
            part.cutting.count(texts, terms.vocabulary)
            for part, terms in self._grown_parts()
        ]
        has_later = np.any([np.diff(rows.ends, prepend=0) > 0 for rows in later], 0)
        changed = np.flatnonzero(has_later)
        if len(changed) == 0:
            return features
        some = [texts[i] for i in changed.tolist()]
        rows = self._with_later(some, features[changed])
        order = np.arange(len(texts))
        order[changed] = len(texts) + np.arange(len(changed))
        return sparse.csr_array(sparse.vstack([features, rows], format="csr")[order])

    def transform_one(self, text):
        """Return the features of a text.

        Returns
        -------
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,), float32
        """
        indices, values, n_unknown = self.known.count_one(text)
        if n_unknown == 0 or self._has_none(text):
            return indices, values
        shape = 1, self.n_features
        known = sparse.csr_array((values, indices, [0, len(indices)]), shape=shape)
        row = self._with_later([text], known)
        return row.indices.astype(np.int32), row.data.astype(np.float32)

    def get_feature_names_out(self, input_features=None):  # noqa: ARG002 - as elsewhere
        """Return the names of all columns, as an array of str."""
        names = self.names_of(np.arange(self.n_features))
        return np.array(names, dtype=object)

    def names_of(self, indices):
        """Return the names of some columns.

        Parameters
        ----------
        indices : ndarray of int

        Returns
        -------
        list of str

        Raises
        ------
        AttributeError
            If the vectorizer has no names of features.
        """
        known = lazy_feature_names(self.known.vectorizer)
        prefixes = getattr(known, "prefixes", [""])
        names = {}
        for prefix, terms in zip(prefixes, self.later, strict=True):
            if terms is None:
                continue
            found = np.flatnonzero(np.isin(terms.columns, indices))
            for position in found.tolist():
                column = int(terms.columns[position])
                names[column] = prefix + terms.vocabulary[position]
        is_known = np.less(indices, self.known.n_features)
        of_known = iter(known.take(indices[is_known]))
        return [
            next(of_known) if one else names[column]
            for one, column in zip(is_known.tolist(), indices.tolist(), strict=True)
        ]

    def _grown_parts(self):
        """Yield the state of each part that has later terms, and these."""
        for part, terms in zip(self.known.parts, self.later, strict=True):
            if terms is not None and len(terms.columns):
                yield part._fitted(), terms

    def _has_none(self, text):
        """Return whether a text has no later terms; False if only Python can tell."""
        if self._counters is None:
            self._counters = [
                row_counter_of(
                    part.cutting, terms.vocabulary, _without_idf(part.weighting)
                )
                for part, terms in self._grown_parts()
            ]
        if None in self._counters:
            return False
        found = count_row(text, self._counters, [0] * len(self._counters))
        return len(found[0]) == 0

    def _with_later(self, texts, known):
        """Compute rows of known and later terms.

        Parameters
        ----------
        texts : list of str
        known : csr_array of shape (n_texts, `n_features`)
            Their features by the vectorizer.

        Returns
        -------
        csr_array of shape (n_texts, `n_features`)
        """
        parts = {}
        for i, (part, terms) in enumerate(
            zip(self.known.parts, self.later, strict=True)
        ):
            if terms is not None and len(terms.columns):
                parts[i] = _count_part(texts, part._fitted(), terms)
        return side_by_side(self.known, parts, known)

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = "GrownTransformer.later"
        if len(self.later) != len(self.known.parts):
            refuse(name, f"has {len(self.later)} for {len(self.known.parts)} parts")
        columns = [np.empty(0, dtype=np.int32)]
        for part, terms in zip(self.known.parts, self.later, strict=True):
            if terms is None:
                continue
            state, n_terms = part._fitted(), len(terms.vocabulary)
            check_vector(terms.columns, (np.int32,), n_terms, f"{name} columns")
            columns.append(terms.columns)
            if (terms.idf is None) != (state.idf is None):
                refuse(f"{name} idf", "is not as that of the vectorizer")
            if terms.idf is not None:
                check_vector(terms.idf, (state.idf.dtype,), n_terms, f"{name} idf")
        expected = np.arange(self.known.n_features, self.n_features)
        if not np.array_equal(np.sort(np.concatenate(columns)), expected):
            refuse(f"{name} columns", "is not each column after those of the fit once")


class Counted(NamedTuple):
    """The terms of texts by one part, which have weights, but no length yet.

    Parameters
    ----------
    rows, columns : ndarray of shape (n_entries,)
        Columns below those of later terms are counted from the first of the part.
    values : ndarray of shape (n_entries,)
    norm : int
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    norm: int


def _count_part(texts, part, later):
    """Count the known and later terms of texts by one part."""
    owners, columns, values = [], [], []
    for terms, idf in ((part.terms, part.idf), (later.vocabulary, later.idf)):
        rows = part.cutting.count(texts, terms)
        owners.append(owners_of(rows))
        columns.append(rows.indices)
        values.append(term_frequencies(part.weighting, rows))
        if idf is not None:
            values[-1] *= idf[rows.indices]
    columns[1] = later.columns[columns[1]]
    return Counted(
        np.concatenate(owners),
        np.concatenate(columns),
        np.concatenate(values),
        NORMS[part.weighting.norm],
    )


def term_frequencies(weighting, rows):
    """Return the values of rows without idf and norm."""
    return _without_idf(weighting).values(rows)


def _without_idf(weighting):
    return Weighting(
        idf=None,
        norm=None,
        sublinear_tf=weighting.sublinear_tf,
        binary=weighting.binary,
        dtype=weighting.dtype,
    )


def owners_of(rows):
    """Return the text of each entry."""
    return np.repeat(np.arange(len(rows.ends)), np.diff(rows.ends, prepend=0))


def wider(features, n_features):
    """Return a matrix with more columns, as csr_array."""
    rows = sparse.csr_array(features)
    shape = rows.shape[0], n_features
    return sparse.csr_array((rows.data, rows.indices, rows.indptr), shape=shape)


def side_by_side(lean, parts, known):
    """Make the rows of a union of which some parts were counted anew.

    Parameters
    ----------
    lean : LeanTransformer
        Of the union.
    parts : dict of int to Counted
        By index of the part.
    known : csr_array of shape (n_texts, n_features)
        For the other parts.

    Returns
    -------
    csr_array of shape (n_texts, n_features)
        With sorted indices.
    """
    starts = [*lean.starts, lean.n_features]
    is_kept = np.ones(len(known.indices), dtype=bool)
    entries = []
    for i, part in parts.items():
        first, stop = starts[i : i + 2]
        is_kept &= (known.indices < first) | (known.indices >= stop)
        columns = part.columns + np.where(part.columns < stop - first, first, 0)
        rows = _matrix_of(part.rows, columns, part.values, known.shape)
        ends = rows.indptr[1:].astype(np.int64)
        scale(ends, rows.indices, rows.data[:0], part.norm, rows.data)
        entries.append((owners_of_entries(rows), rows.indices, rows.data))
    owners = owners_of_entries(known)
    entries.append((owners[is_kept], known.indices[is_kept], known.data[is_kept]))
    rows, columns, values = map(np.concatenate, zip(*entries, strict=True))
    return _matrix_of(rows, columns, values, known.shape)


def _matrix_of(rows, columns, values, shape):
    """Return a matrix of entries in any order, each position at most once."""
    coordinates = rows.astype(np.int32), columns.astype(np.int32)
    matrix = sparse.coo_array((values, coordinates), shape=shape).tocsr()
    matrix.sort_indices()
    return matrix


def owners_of_entries(matrix):
    """Return the row of each entry of a csr_array."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
