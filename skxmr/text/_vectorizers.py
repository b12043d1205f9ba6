"""TF-IDF vectorizers for n-grams of words and of characters."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.metadata_routing import UNUSED

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, reads, writes
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    check_documents,
    fit_context,
    public_csr,
)
from skxmr._utils._loaded_state import (
    CheckedWhenLoaded,
    check_finite,
    check_vector,
    to_be_read,
)
from skxmr.text._counting import (
    Call,
    Cutting,
    Tokenising,
    learn_terms,
    run_calls,
    split_texts,
)
from skxmr.text._tfidf import Weighting, inverse_document_frequency, select_terms
from skxmr.text._vocabulary import Vocabulary

__all__ = ["CharNgramTfidf", "PrefixWeightedCharTfidf", "WordNgramTfidf"]

DOCUMENT_FREQUENCY = [
    Interval(RealNotInt, 0, 1, closed="both"),
    Interval(Integral, 1, None, closed="left"),
]

# Regular expressions that the compiled code implements: runs of word characters, with
# their minimum length.
SHORTEST_WORD = {r"\b\w\w+\b": 2, r"\w\w+": 2, r"\b\w+\b": 1, r"\w+": 1}


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
        raise ValueError(
            "ngram_range must be (min_n, max_n), two integers with "
            f"1 <= min_n <= max_n; got {ngram_range!r}."
        )


def check_dtype(dtype):
    """Return `dtype` as a NumPy dtype; raise ValueError unless float32 or float64."""
    known = np.dtype(dtype)
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


def count_and_weigh(counting, weighting):
    """Run a count, and return its `Rows` and their TF-IDF values."""
    rows = counting.run()
    values = weighting.values(rows)
    rows.counts = None  # the counts are a third of the memory
    return rows, values


def as_counted(rows):
    """Return rows that are counted already."""
    return rows


def to_csr(parts, n_features):
    """Concatenate the rows and values of consecutive texts to a CSR matrix.

    Each part releases its indices, so that there is no second copy of all of them.
    """
    sizes = [np.diff(rows.ends, prepend=0) for rows, _ in parts]
    offsets = np.cumsum(np.concatenate([[0], *sizes]), dtype=np.int64)
    if offsets[-1] <= np.iinfo(np.int32).max:
        offsets = offsets.astype(np.int32)
    indices = np.concatenate([rows.indices for rows, _ in parts])
    for rows, _ in parts:
        rows.indices = None
    values = np.concatenate([values for _, values in parts])
    shape = len(offsets) - 1, n_features
    return public_csr(sparse.csr_array((values, indices, offsets), shape=shape))


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
    """

    cutting: Cutting | Tokenising
    terms: Vocabulary
    weighting: Weighting
    is_fixed: bool

    @property
    def vocabulary(self):
        """Maps n-grams to columns."""
        return self.terms.numbers()

    @property
    def idf(self):
        """Inverse document frequencies, or None."""
        return self.weighting.idf


class _NgramTfidf(
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
        check_dtype(self.dtype)

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
        return Vocabulary.from_strings(terms)

    vocabulary_ = from_state(
        "vocabulary", "Columns by their n-gram: a dict, made when first asked for."
    )
    fixed_vocabulary_ = from_state("is_fixed", "Whether `vocabulary` gave the n-grams.")
    idf_ = from_state("idf", "Inverse document frequencies; None without `use_idf`.")

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, raw_documents, y=None):  # noqa: ARG002 - scikit-learn's contract
        """Learn the vocabulary and the inverse document frequencies.

        Parameters
        ----------
        raw_documents : iterable of str
            One text per document: a list, a generator, an array, or a column of a
            pandas or polars data frame.
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
        return self._weigh(self._fit(raw_documents, keep_rows=True))

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
        documents = check_documents(raw_documents)
        return self._weigh(self._count(documents, state.cutting, state.terms))

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
        rows = state.cutting.count([text], state.terms)
        return rows.indices, state.weighting.values(rows)

    def _fit(self, raw_documents, *, keep_rows):
        """Fit, and return calls that count consecutive documents."""
        self._check_parameters()
        terms = self._given_terms()
        cutting = self._make_cutting()
        documents = check_documents(raw_documents)
        if terms is None:
            terms, frequency, counts = self._learn(documents, cutting, keep_rows)
        else:
            frequency, counts = self._count_given(documents, cutting, terms)
        weighting = Weighting(
            idf=self._weigh_terms(frequency, len(documents), terms),
            norm=self.norm,
            sublinear_tf=self.sublinear_tf,
            binary=self.binary,
            dtype=check_dtype(self.dtype).name,
        )
        is_fixed = self.vocabulary is not None
        self._state = TextState(cutting, terms, weighting, is_fixed)
        return counts

    def _learn(self, documents, cutting, keep_rows):
        """Learn terms; return them, their document frequencies, and count calls."""
        found, blocks = learn_terms(
            cutting, documents, keep_rows=keep_rows, n_jobs=self.n_jobs
        )
        order = select_terms(
            found,
            len(documents),
            min_df=self.min_df,
            max_df=self.max_df,
            max_features=self.max_features,
            by_documents=self.binary or self.position is not None,
            dtype=check_dtype(self.dtype),
        )
        columns = np.full(len(found), -1, dtype=np.int32)
        columns[order] = np.arange(len(order))
        counts = []
        for parts, numbers in blocks:
            own_columns = columns[numbers]
            counts += [Call(rows.renumbered, own_columns) for rows in parts]
        return found.select(order), found.document_counts[order], counts

    def _count_given(self, documents, cutting, terms):
        """Count given terms; return their document frequencies, and count calls."""
        if not documents:
            raise ValueError("raw_documents holds no document to learn idf from.")
        calls = self._count(documents, cutting, terms)
        parts = run_calls(calls, n_jobs=self.n_jobs)
        indices = np.concatenate([rows.indices for rows in parts])
        frequency = np.bincount(indices, minlength=len(terms))
        return frequency, [Call(as_counted, rows) for rows in parts]

    def _count(self, documents, cutting, terms):
        """Return calls that count terms in consecutive documents."""
        parts = split_texts(documents) or [[]]
        return [Call(cutting.count, texts, terms) for texts in parts]

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

    def _weigh(self, counts):
        """Run calls that count, and return the weighted CSR matrix."""
        state = self._state
        calls = [Call(count_and_weigh, count, state.weighting) for count in counts]
        parts = run_calls(calls, n_jobs=self.n_jobs)
        return to_csr(parts, len(state.terms))

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


class WordNgramTfidf(_NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Transform texts to TF-IDF vectors of their word n-grams.

    Columns and values are those of `sklearn.feature_extraction.text.TfidfVectorizer`
    with the same parameters, in single precision by default. The value of an n-gram g
    in a text is tf(g) · idf(g), where tf(g) is the number of its occurrences and idf(g)
    = ln((1 + N) / (1 + df(g))) + 1 for N documents, of which df(g) contain g. Each row
    is then scaled to unit length.

    Parameters
    ----------
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        The minimum and maximum number of words of an n-gram.
    min_df : float in [0, 1] or int, default=1
        Ignore n-grams that occur in fewer documents. A float is a share of the
        documents, an integer their number. Not used if `vocabulary` is given.
    max_df : float in [0, 1] or int, default=1.0
        Ignore n-grams that occur in more documents. Not used if `vocabulary` is given.
    max_features : int, default=None
        Keep only this many n-grams, those with the most occurrences. Not used if
        `vocabulary` is given.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The n-grams to use, with their columns or in their order. By default, they are
        learned in fit.
    lowercase : bool, default=True
        Whether to convert all characters to lower case first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Whether to remove accents after that: "ascii" keeps ASCII characters only,
        "unicode" removes combining marks; both decompose characters first (NFKD). A
        callable takes and returns a `str`.
    token_pattern : str, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression that matches words. If it has a group, the group is the word.
        Not used with `tokenizer`.
    stop_words : {"english"} or list of str, default=None
        Words to remove before n-grams are formed.
    tokenizer : callable, default=None
        Takes a `str` and returns its words; replaces `token_pattern`.
    preprocessor : callable, default=None
        Takes and returns a `str`; replaces `lowercase` and `strip_accents`.
    norm : {"l1", "l2"} or None, default="l2"
        Scale each row so that the sum of its absolute values ("l1") or of their squares
        ("l2") is 1.
    use_idf : bool, default=True
        Whether to multiply by the inverse document frequency.
    smooth_idf : bool, default=True
        Whether to add 1 to document frequencies, as if one more document contained
        every n-gram, as in the formula above; otherwise idf(g) = ln(N / df(g)) + 1.
    sublinear_tf : bool, default=False
        Whether to replace tf by 1 + ln(tf).
    binary : bool, default=False
        Whether to replace tf by 1.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Data type of the values.
    n_jobs : int, default=None
        The number of threads, as in joblib. The result does not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Maps n-grams to columns; built on first access.
    fixed_vocabulary_ : bool
        Whether `vocabulary` was given.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None if `use_idf` is False.

    See Also
    --------
    CharNgramTfidf : Character n-grams within words.
    sklearn.feature_extraction.text.TfidfVectorizer : The same in scikit-learn.

    Notes
    -----
    Changed parameters take effect at the next `fit`.

    Examples
    --------
    >>> from skxmr.text import WordNgramTfidf
    >>> texts = ["a wide screen", "the wide, wide world"]
    >>> vectorizer = WordNgramTfidf(ngram_range=(1, 2))
    >>> X = vectorizer.fit_transform(texts)
    >>> X.shape, X.dtype
    ((2, 8), dtype('float32'))
    >>> vectorizer.get_feature_names_out()[-3:]
    array(['wide wide', 'wide world', 'world'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_NgramTfidf._parameter_constraints,
        "token_pattern": [str, None],
        "stop_words": [StrOptions({"english"}), list, None],
        "tokenizer": [callable, None],
    }

    def __init__(
        self,
        *,
        ngram_range=(1, 1),
        min_df=1,
        max_df=1.0,
        max_features=None,
        vocabulary=None,
        lowercase=True,
        strip_accents=None,
        token_pattern=r"(?u)\b\w\w+\b",
        stop_words=None,
        tokenizer=None,
        preprocessor=None,
        norm="l2",
        use_idf=True,
        smooth_idf=True,
        sublinear_tf=False,
        binary=False,
        dtype=np.float32,
        n_jobs=None,
    ):
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.token_pattern = token_pattern
        self.stop_words = stop_words
        self.tokenizer = tokenizer
        self.preprocessor = preprocessor
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf
        self.binary = binary
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _make_cutting(self):
        words = CountVectorizer(
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            token_pattern=self.token_pattern,
            stop_words=self.stop_words,
            tokenizer=self.tokenizer,
            preprocessor=self.preprocessor,
        )
        words.build_analyzer()  # raises errors of the pattern and the stop words
        pattern = (self.token_pattern or "").removeprefix("(?u)")
        if self.tokenizer is not None or pattern not in SHORTEST_WORD:
            return Tokenising(words)
        stop_words = words.get_stop_words()
        return Cutting(
            units="words",
            ngram_range=self.ngram_range,
            shortest=SHORTEST_WORD[pattern],
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
            stop_words=Vocabulary.from_strings(sorted(stop_words))
            if stop_words
            else None,
        )

    def _check_parameters(self):
        super()._check_parameters()
        if self.token_pattern is None and self.tokenizer is None:
            raise ValueError(
                "token_pattern must be a regular expression where tokenizer is None; "
                "got None."
            )


class CharNgramTfidf(_NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Transform texts to TF-IDF vectors of character n-grams within words.

    Words are separated by white space. The end marker "#" is appended to each word, and
    n-grams are taken within the word and its marker: "echo" gives ech, cho and ho# for
    n = 3. So the ending of a word has other n-grams than the same letters in the
    middle, and most n-grams stay the same if one character changes. A "#" in a text is
    an ordinary character.

    A word that has at most n characters with its marker gives a single n-gram, itself
    and the marker: "a" gives a# for n = 3. It is counted once, not again for each
    larger n of `ngram_range`.

    Values are as in `WordNgramTfidf`: tf(g) · idf(g), each row scaled to unit length.

    Parameters
    ----------
    ngram_range : tuple (min_n, max_n), default=(3, 3)
        The minimum and maximum number of characters of an n-gram, including the marker.
    min_df : float in [0, 1] or int, default=1
        Ignore n-grams that occur in fewer documents. A float is a share of the
        documents, an integer their number. Not used if `vocabulary` is given.
    max_df : float in [0, 1] or int, default=1.0
        Ignore n-grams that occur in more documents. Not used if `vocabulary` is given.
    max_features : int, default=None
        Keep only this many n-grams, those with the most occurrences. Not used if
        `vocabulary` is given.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The n-grams to use, with their columns or in their order. By default, they are
        learned in fit.
    lowercase : bool, default=True
        Whether to convert all characters to lower case first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Whether to remove accents after that: "ascii" keeps ASCII characters only,
        "unicode" removes combining marks; both decompose characters first (NFKD). A
        callable takes and returns a `str`.
    preprocessor : callable, default=None
        Takes and returns a `str`; replaces `lowercase` and `strip_accents`.
    norm : {"l1", "l2"} or None, default="l2"
        Scale each row so that the sum of its absolute values ("l1") or of their squares
        ("l2") is 1.
    use_idf : bool, default=True
        Whether to multiply by the inverse document frequency.
    smooth_idf : bool, default=True
        Whether to add 1 to document frequencies, as if one more document contained
        every n-gram; otherwise idf(g) = ln(N / df(g)) + 1.
    sublinear_tf : bool, default=False
        Whether to replace tf by 1 + ln(tf).
    binary : bool, default=False
        Whether to replace tf by 1.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Data type of the values.
    n_jobs : int, default=None
        The number of threads, as in joblib. The result does not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Maps n-grams to columns; built on first access.
    fixed_vocabulary_ : bool
        Whether `vocabulary` was given.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None if `use_idf` is False.

    See Also
    --------
    WordNgramTfidf : Word n-grams.

    Notes
    -----
    Changed parameters take effect at the next `fit`.

    Examples
    --------
    >>> from skxmr.text import CharNgramTfidf
    >>> vectorizer = CharNgramTfidf().fit(["echo", "an echo"])
    >>> vectorizer.get_feature_names_out()
    array(['an#', 'cho', 'ech', 'ho#'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {**_NgramTfidf._parameter_constraints}

    def __init__(
        self,
        *,
        ngram_range=(3, 3),
        min_df=1,
        max_df=1.0,
        max_features=None,
        vocabulary=None,
        lowercase=True,
        strip_accents=None,
        preprocessor=None,
        norm="l2",
        use_idf=True,
        smooth_idf=True,
        sublinear_tf=False,
        binary=False,
        dtype=np.float32,
        n_jobs=None,
    ):
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf
        self.binary = binary
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _make_cutting(self):
        return Cutting(
            units="characters",
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
        )


class PrefixWeightedCharTfidf(_NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Transform texts to TF-IDF vectors of position-weighted character n-grams.

    The first characters of a query are the most informative: an n-gram that starts at
    character i of the text, from 0, counts 1/(i + 1) [1]_. The value of an n-gram g is
    tf(g) · idf(g), where tf(g) is the sum of 1/(i + 1) over its occurrences and idf(g)
    = ln((1 + N) / (1 + df(g))) + 1 for N documents, of which df(g) contain g. Each row
    is then scaled to unit length.

    N-grams are taken over the whole text; a run of white space counts as one space.
    Leading white space is removed; a trailing space is kept, since it means that the
    last word is complete.

    Parameters
    ----------
    ngram_range : tuple (min_n, max_n), default=(1, 3)
        The minimum and maximum number of characters of an n-gram.
    position : {"text", "word"}, default="text"
        Whether the position of an n-gram is that in the text, as in [1]_, or that in
        its word. A space belongs to the word before it.
    min_df : float in [0, 1] or int, default=1
        Ignore n-grams that occur in fewer documents. A float is a share of the
        documents, an integer their number. Not used if `vocabulary` is given.
    max_df : float in [0, 1] or int, default=1.0
        Ignore n-grams that occur in more documents. Not used if `vocabulary` is given.
    max_features : int, default=None
        Keep only this many n-grams, those that occur in the most documents. Not used if
        `vocabulary` is given.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The n-grams to use, with their columns or in their order. By default, they are
        learned in fit.
    lowercase : bool, default=True
        Whether to convert all characters to lower case first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Whether to remove accents after that: "ascii" keeps ASCII characters only,
        "unicode" removes combining marks; both decompose characters first (NFKD). A
        callable takes and returns a `str`.
    preprocessor : callable, default=None
        Takes and returns a `str`; replaces `lowercase` and `strip_accents`.
    norm : {"l1", "l2"} or None, default="l2"
        Scale each row so that the sum of its absolute values ("l1") or of their squares
        ("l2") is 1.
    use_idf : bool, default=True
        Whether to multiply by the inverse document frequency.
    smooth_idf : bool, default=True
        Whether to add 1 to document frequencies, as if one more document contained
        every n-gram; otherwise idf(g) = ln(N / df(g)) + 1.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Data type of the values. Position weights are added in single precision.
    n_jobs : int, default=None
        The number of threads, as in joblib. The result does not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Maps n-grams to columns; built on first access.
    fixed_vocabulary_ : bool
        Whether `vocabulary` was given.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None if `use_idf` is False.

    See Also
    --------
    CharNgramTfidf : N-grams within words, without position weights.
    TrieTreeHybrid : Groups labels by first characters and by these vectors.

    References
    ----------
    .. [1] N. Yadav, R. Sen, D. N. Hill, A. Mazumdar and I. S. Dhillon,
       "Session-Aware Query Auto-completion using Extreme Multi-label Ranking",
       KDD 2021, arXiv 2012.07654.

    Examples
    --------
    The "n" of "an" has half the weight of that of "no":

    >>> from skxmr import PrefixWeightedCharTfidf
    >>> vectorizer = PrefixWeightedCharTfidf(
    ...     ngram_range=(1, 1), use_idf=False, norm=None
    ... ).fit(["an", "no"])
    >>> vectorizer.get_feature_names_out()
    array(['a', 'n', 'o'], dtype=object)
    >>> vectorizer.transform(["an", "no"]).toarray()
    array([[1. , 0.5, 0. ],
           [0. , 1. , 0.5]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: constraints
            for name, constraints in _NgramTfidf._parameter_constraints.items()
            if name not in ("sublinear_tf", "binary")
        },
        "position": [StrOptions({"text", "word"})],
    }

    def __init__(
        self,
        *,
        ngram_range=(1, 3),
        position="text",
        min_df=1,
        max_df=1.0,
        max_features=None,
        vocabulary=None,
        lowercase=True,
        strip_accents=None,
        preprocessor=None,
        norm="l2",
        use_idf=True,
        smooth_idf=True,
        dtype=np.float32,
        n_jobs=None,
    ):
        self.ngram_range = ngram_range
        self.position = position
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _make_cutting(self):
        return Cutting(
            units="text",
            position=self.position,
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
        )
