"""What the vectorizers share: learning n-grams, counting them and weighing them."""

import copy
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from numbers import Integral
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import UNUSED

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, reads, writes
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    check_structure,
    fit_context,
)
from skxmr._utils._loaded_state import (
    CheckedWhenLoaded,
    check_finite,
    check_vector,
    to_be_read,
)
from skxmr.text._counting import (
    Cutting,
    Tokenising,
    count_calls,
    learn_terms,
    run_calls,
)
from skxmr.text._row_counting import count_row, row_counter_of
from skxmr.text._text_stream import TextStream
from skxmr.text._tfidf import Weighting, inverse_document_frequency, select_terms
from skxmr.text._vocabulary import Vocabulary
from skxmr.text._weighted_rows import WeightedRows, as_counted

__all__ = ["NgramTfidf", "TextState"]


DOCUMENT_FREQUENCY = [
    Interval(RealNotInt, 0, 1, closed="both"),
    Interval(Integral, 1, None, closed="left"),
]


def check_ngram_range(ngram_range):
    """Raise ValueError unless `ngram_range` is two integers, 1 <= low <= high."""
    integers = all(
        isinstance(n, Integral) and not isinstance(n, bool) for n in ngram_range
    )
    if (
        len(ngram_range) != 2
        or not integers
        or not 1 <= ngram_range[0] <= ngram_range[1]
    ):
        why = ""
        if integers and len(ngram_range) == 2 and ngram_range[0] > ngram_range[1]:
            # The words of scikit-learn.
            why = (
                f" Invalid value for ngram_range={ngram_range!r} lower boundary larger "
                "than the upper boundary."
            )
        raise ValueError(
            "ngram_range must be (min_n, max_n), two integers with "
            f"1 <= min_n <= max_n; got {ngram_range!r}.{why}"
        )


def check_dtype(dtype):
    """Return the NumPy dtype of values: float64 for integers, as in scikit-learn.

    Raises
    ------
    ValueError
        For other types than integers, float32 and float64.
    """
    known = np.dtype(dtype)
    if np.issubdtype(known, np.integer):
        return np.dtype(np.float64)
    if known not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
    return known


def check_vocabulary(vocabulary):
    """List the terms of a given vocabulary in the order of their columns.

    Parameters
    ----------
    vocabulary : mapping of str to int, or iterable of str

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If it is empty, repeats a term or a column, or omits a column.
    """
    if isinstance(vocabulary, Mapping):
        if set(vocabulary.values()) != set(range(len(vocabulary))):
            raise ValueError(
                "vocabulary must map its terms to the columns 0 to "
                f"{len(vocabulary) - 1}, each once."
            )
        terms = sorted(vocabulary, key=vocabulary.__getitem__)
    elif isinstance(vocabulary, (set, frozenset)):
        terms = sorted(vocabulary)
    else:
        terms = list(vocabulary)
    if not terms:
        raise ValueError("empty vocabulary passed to fit")
    for term in terms:
        if not isinstance(term, str):
            raise TypeError(f"vocabulary must hold terms of type str; got {term!r}.")
    if len(set(terms)) != len(terms):
        term, _ = Counter(terms).most_common(1)[0]
        raise ValueError(f"Duplicate term in vocabulary: {term!r}")
    return terms


@dataclass(frozen=True)
class TextState:
    """The fitted state of a vectorizer.

    Parameters
    ----------
    cutting : Cutting or Tokenising
        Extracts n-grams from texts.
    terms : Vocabulary
        The n-grams that have columns.
    weighting : Weighting
    is_fixed : bool
        Whether the vocabulary was given.
    n_documents : int or None
        How many documents the frequencies are of. None if it is not known.
    """

    cutting: Cutting | Tokenising
    terms: Vocabulary
    weighting: Weighting
    is_fixed: bool
    n_documents: int | None = None

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("row_counter", None)
        return state

    @cached_property
    def row_counter(self):
        """What counts the terms of single texts; None if only Python can."""
        return row_counter_of(self.cutting, self.terms, self.weighting)

    @property
    def vocabulary(self):
        """Maps n-grams to columns."""
        return self.terms.numbers()

    @property
    def idf(self):
        """Inverse document frequencies, or None."""
        return self.weighting.idf


class NgramTfidf(
    Stateful,  # type: ignore[call-arg]
    CheckedWhenLoaded,
    Documented,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Base class of the vectorizers: counting, vocabulary, weights.

    A subclass sets the parameters and provides `_make_cutting`.
    """

    # As in scikit-learn's vectorizers: texts are data, not metadata to route.
    __metadata_request__fit: ClassVar[dict] = {"raw_documents": UNUSED}
    __metadata_request__transform: ClassVar[dict] = {"raw_documents": UNUSED}

    _parameter_constraints: ClassVar[dict] = {
        "ngram_range": [tuple],
        "min_df": DOCUMENT_FREQUENCY,
        "max_df": DOCUMENT_FREQUENCY,
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
        "lowercase": ["boolean"],
        "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
        "preprocessor": [callable, None],
        "norm": [StrOptions({"l1", "l2"}), None],
        "use_idf": ["boolean"],
        "smooth_idf": ["boolean"],
        "sublinear_tf": ["boolean"],
        "binary": ["boolean"],
        "dtype": "no_validation",  # check_dtype does it
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    _search_parameters = ("n_jobs",)

    # For subclasses without this parameter.
    sublinear_tf = False
    binary = False
    position: str | None = None

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        name, state = type(self).__name__, self._state
        if isinstance(state.cutting, Cutting):
            state.cutting.check()
        idf, dtype = state.idf, check_dtype(state.weighting.dtype)
        if idf is not None:
            check_vector(idf, (dtype,), len(state.terms), f"{name}.idf_")
            if to_be_read(idf):
                check_finite(idf, f"{name}.idf_")

    def _make_cutting(self):
        """Return what extracts n-grams from texts: a `Cutting` or a `Tokenising`."""
        raise NotImplementedError

    def _make_normaliser(self):
        """Return the preprocessing in Python that comes before extraction, or None."""
        if self.preprocessor is None and self.strip_accents is None:
            return None
        return CountVectorizer(
            strip_accents=self.strip_accents,
            lowercase=self.lowercase,
            preprocessor=self.preprocessor,
        )

    def _check_parameters(self):
        """Check what `_parameter_constraints` cannot express."""
        check_ngram_range(self.ngram_range)
        if check_dtype(self.dtype) != self.dtype:
            warnings.warn(
                f"TF-IDF values of dtype={self.dtype!r} would all be 0: they are "
                "float64. Only float32 and float64 'dtype' should be used.",
                UserWarning,
                stacklevel=7,
            )

    def _given_terms(self):
        """Return the validated terms of `vocabulary`, or None if it is None."""
        if self.vocabulary is None:
            return None
        terms = check_vocabulary(self.vocabulary)
        if self.lowercase and any(map(str.isupper, "".join(terms))):
            warnings.warn(
                "vocabulary holds upper-case characters while lowercase is True: "
                "no document will match these terms.",
                UserWarning,
                stacklevel=6,
            )
        return Vocabulary.of(terms)

    vocabulary_ = from_state(
        "vocabulary", "Columns by their n-gram: a dict, made when first asked for."
    )
    fixed_vocabulary_ = from_state("is_fixed", "Whether `vocabulary` gave the n-grams.")

    @property
    def idf_(self):
        """Inverse document frequencies; None without `use_idf`.

        They may be set, also of a vectorizer that was not fitted, if it has a
        `vocabulary`: so weights are taken over from elsewhere.
        """
        return self._fitted().idf

    @idf_.setter
    def idf_(self, value):
        self._set_idf(value)

    @writes
    def _set_idf(self, value):
        if not self.use_idf:
            # The words of scikit-learn.
            raise ValueError(
                "`idf_` cannot be set when `user_idf=False`. Set use_idf=True first."
            )
        state = self._state if self.__sklearn_is_fitted__() else self._without_fit()
        idf = np.array(value, dtype=state.weighting.dtype)
        if idf.shape != (len(state.terms),) or not np.isfinite(idf).all():
            raise ValueError(
                f"idf_ must hold a finite number for each of the {len(state.terms)} "
                f"terms; got an array of shape {idf.shape}."
            )
        weighting = copy.copy(state.weighting)
        weighting.idf = idf
        self._state = replace(state, weighting=weighting)

    def _without_fit(self):
        """Make the state of a vectorizer whose vocabulary is given, with idf 1."""
        self._check_parameters()
        terms = self._given_terms()
        if terms is None:
            self._fitted()  # raises NotFittedError
        weighting = self._weighting(None)
        return TextState(self._make_cutting(), terms, weighting, is_fixed=True)

    def _weighting(self, idf):
        return Weighting(
            idf=idf,
            norm=self.norm,
            sublinear_tf=self.sublinear_tf,
            binary=self.binary,
            dtype=check_dtype(self.dtype).name,
        )

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, raw_documents, y=None):  # noqa: ARG002 - scikit-learn's contract
        """Learn the vocabulary and the inverse document frequencies.

        Parameters
        ----------
        raw_documents : iterable of str
            One text per document: a list, an array, or a column of a pandas or polars
            data frame; or an iterator or an open text file, whose texts (lines) are
            read once and in blocks, so that they need not fit in memory.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range, `raw_documents` is a single text or has two
            dimensions, or the vocabulary would be empty.
        TypeError
            If an item of `raw_documents` is not a `str`.
        """
        self._fit(raw_documents, keep_rows=False)
        return self

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents, y=None):  # noqa: ARG002 - as in fit
        """Learn vocabulary and frequencies, and transform the same documents.

        Equivalent to `fit` followed by `transform`, but reads each text only once.

        Parameters
        ----------
        raw_documents : iterable of str
            One text per document.
        y : None
            Ignored.

        Returns
        -------
        X : sparse matrix or array of shape (n_documents, n_features), `dtype`
            TF-IDF values in CSR form with sorted indices.

        Raises
        ------
        ValueError
            If `raw_documents` is a single string, or the vocabulary would be empty.
        TypeError
            If a document is not a string.
        """
        counts = self._fit(raw_documents, keep_rows=True)
        rows = WeightedRows(self._state.weighting, len(self._state.terms), self.n_jobs)
        rows.append_releasing(counts)
        return rows.finish()

    @reads
    def transform(self, raw_documents):
        """Transform documents with the vocabulary and frequencies of `fit`.

        Parameters
        ----------
        raw_documents : iterable of str
            One text per document.

        Returns
        -------
        X : sparse matrix or array of shape (n_documents, n_features), `dtype`
            TF-IDF values in CSR form with sorted indices. N-grams that are not in the
            vocabulary are ignored.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If called before `fit`.
        ValueError
            If `raw_documents` is a single text or has two dimensions.
        TypeError
            If an item of `raw_documents` is not a `str`.
        """
        state = self._fitted()
        rows = WeightedRows(state.weighting, len(state.terms), self.n_jobs)
        for parts in TextStream(self._read(raw_documents), self.n_jobs).blocks():
            rows.append(count_calls(state.cutting, parts, state.terms))
            del parts
        return rows.finish()

    def transform_one(self, text):
        """Transform a single text, without the validation and matrix of `transform`.

        For requests of one text at a time.

        Parameters
        ----------
        text : str
            One document.

        Returns
        -------
        indices : ndarray of shape (n_ngrams,), int32
            Columns of the text's n-grams, in ascending order.
        values : ndarray of shape (n_ngrams,), `dtype`
            Their TF-IDF values, the same as in the row that `transform` returns.

        Raises
        ------
        TypeError
            If the text is not a string.
        """
        # Without `reads`, whose overhead matters at microseconds per text.
        state = self._fitted()
        if state.row_counter is not None:
            indices, values, _ = count_row(text, (state.row_counter,), (0,))
            return indices, values
        rows = state.cutting.count([text], state.terms)
        return rows.indices, state.weighting.values(rows)

    @reads
    def inverse_transform(self, X):
        """Return the n-grams of each row that are not 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_documents, n_features)
            TF-IDF values.

        Returns
        -------
        terms : list of length n_documents of ndarray of shape (n_ngrams,), str
            In the order of their columns.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If called before `fit`.
        ValueError
            If `X` has another number of columns, or is corrupt.
        """
        names = self.get_feature_names_out().astype(str)
        X = check_structure(X, "X")
        X = check_array(X, accept_sparse="csr", ensure_min_samples=0)
        if X.shape[1] != len(names):
            raise ValueError(
                f"X has {X.shape[1]} columns; expected {len(names)}, one for each term."
            )
        rows = sparse.csr_array(X, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        ends = rows.indptr.tolist()
        return [names[rows.indices[start:end]] for start, end in pairwise(ends)]

    def _read(self, raw_documents):
        """Return the texts of documents."""
        return raw_documents

    def _fit(self, raw_documents, *, keep_rows):
        """Fit, and return calls that count consecutive documents."""
        self._check_parameters()
        terms = self._given_terms()
        cutting = self._make_cutting()
        texts = TextStream(self._read(raw_documents), self.n_jobs)
        if terms is None:
            terms, frequency, counts = self._learn(texts, cutting, keep_rows)
        else:
            frequency, counts = self._count_given(texts, cutting, terms, keep_rows)
        weighting = self._weighting(self._weigh_terms(frequency, texts.n_read, terms))
        is_fixed = self.vocabulary is not None
        self._state = TextState(cutting, terms, weighting, is_fixed, texts.n_read)
        return counts

    def _learn(self, texts, cutting, keep_rows):
        """Learn terms; return them, their document frequencies, and count calls."""
        found, rows, numbers = learn_terms(
            cutting, texts.blocks_to_learn(), keep_rows=keep_rows, n_jobs=self.n_jobs
        )
        texts.refuse_nothing_read()
        order = select_terms(
            found,
            texts.n_read,
            min_df=self.min_df,
            max_df=self.max_df,
            max_features=self.max_features,
            by_documents=self.binary or self.position is not None,
            dtype=check_dtype(self.dtype),
        )
        columns = np.full(len(found), -1, dtype=np.int32)
        columns[order] = np.arange(len(order))
        columns_of = [columns[of_worker] for of_worker in numbers]
        counts = [partial(one.renumbered, columns_of[worker]) for worker, one in rows]
        return found.select(order), found.document_counts[order], counts

    def _count_given(self, texts, cutting, terms, keep_rows):
        """Count given terms; return their document frequencies, and count calls."""
        frequency = np.zeros(len(terms), dtype=np.int64)
        counts = []
        for parts in texts.blocks():
            calls = count_calls(cutting, parts, terms)
            for rows in run_calls(calls, n_jobs=self.n_jobs):
                frequency += np.bincount(rows.indices, minlength=len(terms))
                counts += [partial(as_counted, rows)] if keep_rows else []
            del parts, calls
        texts.refuse_nothing_read()
        if not texts.n_read:
            raise ValueError("raw_documents holds no document to learn idf from.")
        return frequency, counts

    def _weigh_terms(self, frequency, n_documents, terms):
        """Return the inverse document frequency of each term, or None if not used."""
        if not self.use_idf:
            return None
        if not self.smooth_idf and not frequency.all():
            raise ValueError(
                "smooth_idf=False gives no finite weight to a term of vocabulary that "
                f"no document holds: {terms[frequency.argmin()]!r}."
            )
        return inverse_document_frequency(
            frequency,
            n_documents,
            smooth=self.smooth_idf,
            dtype=check_dtype(self.dtype),
        )

    def _keep_columns(self, columns):
        """Return a copy that knows the n-grams of some columns only.

        Parameters
        ----------
        columns : ndarray of int64
            In ascending order.
        """
        state = self._fitted()
        weighting = copy.copy(state.weighting)
        if weighting.idf is not None:
            weighting.idf = weighting.idf[columns]
        kept = copy.copy(self)
        kept._state = replace(
            state, terms=state.terms.select(columns), weighting=weighting
        )
        return kept

    @reads
    def get_feature_names_out(self, input_features=None):  # noqa: ARG002 - as above
        """Return the names of the columns.

        Parameters
        ----------
        input_features : None
            Ignored; texts have no feature names.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            The n-gram of each column, a `str`.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        """
        terms = self._fitted().terms
        names = np.empty(len(terms), dtype=object)
        names[:] = terms.to_list()
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
