"""Texts to TF-IDF vectors: word n-grams, and character n-grams inside words."""

import warnings
from collections import Counter
from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.metadata_routing import UNUSED

from skxmr._validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    check_documents,
    check_is_fitted,
    fit_context,
    public_csr,
)

__all__ = ["CharNgramTfidf", "WordNgramTfidf"]

DOCUMENT_FREQUENCY = [
    Interval(RealNotInt, 0, 1, closed="both"),
    Interval(Integral, 1, None, closed="left"),
]


def check_ngram_range(ngram_range):
    """Raise ValueError unless `ngram_range` is two integers, 1 <= low <= high."""
    integers = all(isinstance(n, Integral) for n in ngram_range)
    if (
        len(ngram_range) != 2
        or not integers
        or not 1 <= ngram_range[0] <= (ngram_range[1])
    ):
        raise ValueError(
            "ngram_range must be (min_n, max_n), two integers with "
            f"1 <= min_n <= max_n; got {ngram_range!r}."
        )


def check_dtype(dtype):
    """Give `dtype` as a NumPy dtype; raise ValueError unless float32 or float64."""
    known = np.dtype(dtype)
    if known not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
    return known


def check_vocabulary(vocabulary):
    """List a given vocabulary's terms in the order of their columns.

    Parameters
    ----------
    vocabulary : mapping of str to int, or iterable of str

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If it is empty, repeats a term or a column, or leaves out a column.
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


def char_ngrams(text, ngram_range):
    """List the character n-grams of a text's words, each followed by "#"."""
    low, high = ngram_range
    ngrams = []
    for word in text.split():
        marked = word + "#"
        for n in range(low, high + 1):
            ngrams += [marked[i : i + n] for i in range(max(1, len(marked) - n + 1))]
            if len(marked) <= n:
                break
    return ngrams


class CharAnalyzer:
    """From a text to its character n-grams; an object, so that it can be pickled.

    Parameters
    ----------
    preprocess : callable
        Takes and returns a `str`.
    ngram_range : tuple (min_n, max_n)
    """

    def __init__(self, preprocess, ngram_range):
        self.preprocess = preprocess
        self.ngram_range = ngram_range

    def __call__(self, text):
        """List the n-grams of `text`."""
        return char_ngrams(self.preprocess(text), self.ngram_range)


class _NgramTfidf(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """What both kinds of n-gram share: counting, vocabulary, weights.

    A subclass sets the parameters and provides `_build_analyzer`.
    """

    # As with scikit-learn's vectorizers: texts are data, not metadata to route.
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

    def _build_analyzer(self):
        """Give a picklable function from a text to the list of its n-grams."""
        raise NotImplementedError

    def _preprocess(self):
        """Give the function that a text goes through before it is cut up."""
        return CountVectorizer(
            strip_accents=self.strip_accents,
            lowercase=self.lowercase,
            preprocessor=self.preprocessor,
        ).build_preprocessor()

    def _check_parameters(self):
        """Check what `_parameter_constraints` cannot say."""
        check_ngram_range(self.ngram_range)
        check_dtype(self.dtype)

    def _given_vocabulary(self):
        """Give the checked terms of `vocabulary`, or None where there is none."""
        if self.vocabulary is None:
            return None
        terms = check_vocabulary(self.vocabulary)
        if self.lowercase and any(map(str.isupper, "".join(terms))):
            warnings.warn(
                "vocabulary holds upper-case characters while lowercase is True: "
                "no document will match these terms.",
                UserWarning,
                stacklevel=4,
            )
        return terms

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
            If a parameter is out of its range, `raw_documents` is a single text or
            has two dimensions, or no n-gram is left for the vocabulary.
        TypeError
            If an item of `raw_documents` is no `str`.
        """
        self._fit_counts(raw_documents)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents, y=None):  # noqa: ARG002 - as in fit
        """Learn vocabulary and frequencies, and vectorise the same documents.

        The same as `fit` and then `transform`, but each text is read once.

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
        """
        return self._weigh(self._fit_counts(raw_documents))

    def transform(self, raw_documents):
        """Vectorise documents with the vocabulary and frequencies of `fit`.

        Parameters
        ----------
        raw_documents : iterable of str
            One text per document.

        Returns
        -------
        X : sparse matrix or array of shape (n_documents, n_features), `dtype`
            TF-IDF values in CSR form with sorted indices. N-grams that are not in
            the vocabulary count for nothing.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If called before `fit`.
        ValueError
            If `raw_documents` is a single text or has two dimensions.
        TypeError
            If an item of `raw_documents` is no `str`.
        """
        check_is_fitted(self)
        return self._weigh(
            CountVectorizer(
                analyzer=self._build_analyzer(),
                vocabulary=self.vocabulary_,
                lowercase=False,
                binary=self.binary,
                dtype=check_dtype(self.dtype),
            ).transform(check_documents(raw_documents))
        )

    def transform_one(self, text):
        """Vectorise one text, without the checks and the matrix of `transform`.

        It is meant for requests that come one at a time.

        Parameters
        ----------
        text : str
            One document.

        Returns
        -------
        indices : ndarray of shape (n_ngrams,), int32
            Columns of the text's n-grams, in ascending order.
        values : ndarray of shape (n_ngrams,), `dtype`
            Their TF-IDF values: the same as in the row that `transform` makes.
        """
        row = self.transform([text])
        return row.indices, row.data

    def _fit_counts(self, raw_documents):
        """Fit, and give the counts of the documents."""
        self._check_parameters()
        given = self._given_vocabulary()
        counter = CountVectorizer(
            analyzer=self._build_analyzer(),
            min_df=self.min_df,
            max_df=self.max_df,
            max_features=self.max_features,
            vocabulary=given,
            binary=self.binary,
            lowercase=False,  # it would look for upper case in the vocabulary again
            dtype=check_dtype(self.dtype),
        )
        documents = check_documents(raw_documents)
        if given is not None and not documents:
            raise ValueError("raw_documents holds no document to learn idf from.")
        counts = counter.fit_transform(documents)
        terms = counter.get_feature_names_out().tolist()
        idf = self._document_weights(counts, terms)
        self._terms, self._vocabulary, self.idf_ = terms, None, idf
        self.fixed_vocabulary_ = given is not None
        return counts

    def _document_weights(self, counts, terms):
        """Give the inverse document frequency of each column; None where not used."""
        if not self.use_idf:
            return None
        n_documents, n_features = counts.shape
        frequency = np.bincount(counts.indices, minlength=n_features)
        if not self.smooth_idf and not frequency.all():
            raise ValueError(
                "smooth_idf=False gives no finite weight to a term of vocabulary that "
                f"no document holds: {terms[frequency.argmin()]!r}."
            )
        smooth = int(self.smooth_idf)
        ratio = (n_documents + smooth) / (frequency + smooth).astype(counts.dtype)
        return np.log(ratio) + counts.dtype.type(1)

    def _weigh(self, counts):
        """Turn counts into TF-IDF values, in place."""
        counts.sort_indices()
        if self.sublinear_tf:
            np.log(counts.data, out=counts.data)
            counts.data += 1.0
        if self.idf_ is not None:
            counts.data *= self.idf_[counts.indices]
        if self.norm is not None and counts.shape[0]:
            counts = normalize(counts, norm=self.norm, copy=False)
        return public_csr(counts)

    @property
    def vocabulary_(self):
        """Columns by their n-gram: a dict, made when first asked for."""
        check_is_fitted(self)
        if self._vocabulary is None:
            self._vocabulary = {term: i for i, term in enumerate(self._terms)}
        return self._vocabulary

    def get_feature_names_out(self, input_features=None):  # noqa: ARG002 - as above
        """Name the columns.

        Parameters
        ----------
        input_features : None
            Ignored: texts have no feature names.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            The n-gram of each column, a `str`.
        """
        check_is_fitted(self)
        return np.array(self._terms, dtype=object)

    def __getstate__(self):
        state = super().__getstate__()
        if "_vocabulary" in state:
            state = {**state, "_vocabulary": None}
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


class WordNgramTfidf(_NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Turn texts into TF-IDF vectors of their word n-grams.

    It gives the columns and the values of
    `sklearn.feature_extraction.text.TfidfVectorizer` with the same parameters, in
    single precision unless `dtype` says otherwise. The value of an n-gram g in a
    text is tf(g) · idf(g), where tf is how often the text holds it and
    idf(g) = ln((1 + N) / (1 + df(g))) + 1 for N documents of which df(g) hold it.
    Each row is then scaled to unit length.

    Parameters
    ----------
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        Fewest and most words of an n-gram; all lengths between are taken too.
    min_df : float in [0, 1] or int, default=1
        Leave out n-grams that fewer documents hold. A float is a share of the
        documents, an integer a number of them. Ignored with `vocabulary`.
    max_df : float in [0, 1] or int, default=1.0
        Leave out n-grams that more documents hold. Ignored with `vocabulary`.
    max_features : int, default=None
        Keep only so many n-grams, those that occur most often. Ignored with
        `vocabulary`.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The n-grams to use, with their columns or in their order. By default, fit
        learns them.
    lowercase : bool, default=True
        Lower the case of all characters first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Remove accents after that: "ascii" keeps ASCII characters only, "unicode"
        removes combining marks; both decompose characters first (NFKD). A callable
        takes and returns a `str`.
    token_pattern : str, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression that finds the words. Where it has a group, the group is
        the word. Not used with `tokenizer`.
    stop_words : {"english"} or list of str, default=None
        Words to leave out before n-grams are formed.
    tokenizer : callable, default=None
        Takes a `str` and returns its words, in place of `token_pattern`.
    preprocessor : callable, default=None
        Takes and returns a `str`, in place of `lowercase` and `strip_accents`.
    norm : {"l1", "l2"} or None, default="l2"
        Length of each row: the sum of its values or their squares is 1.
    use_idf : bool, default=True
        Whether to weigh n-grams by their inverse document frequency.
    smooth_idf : bool, default=True
        Whether to count one more document that holds every n-gram, as in the
        formula above; else idf(g) = ln(N / df(g)) + 1.
    sublinear_tf : bool, default=False
        Whether to take 1 + ln(tf) for tf.
    binary : bool, default=False
        Whether to take 1 for tf.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Type of the values.
    n_jobs : int, default=None
        Number of threads, in joblib's terms. The result does not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Columns by their n-gram, made when first asked for.
    fixed_vocabulary_ : bool
        Whether `vocabulary` gave the n-grams.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None where `use_idf` is False.

    See Also
    --------
    CharNgramTfidf : Character n-grams inside words.
    sklearn.feature_extraction.text.TfidfVectorizer : The model for this class.

    Notes
    -----
    Parameters take effect at `fit`.

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

    def _build_analyzer(self):
        return CountVectorizer(
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            token_pattern=self.token_pattern,
            stop_words=self.stop_words,
            tokenizer=self.tokenizer,
            preprocessor=self.preprocessor,
        ).build_analyzer()

    def _check_parameters(self):
        super()._check_parameters()
        if self.token_pattern is None and self.tokenizer is None:
            raise ValueError(
                "token_pattern must be a regular expression where tokenizer is None; "
                "got None."
            )


class CharNgramTfidf(_NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn texts into TF-IDF vectors of character n-grams inside words.

    A word is what stands between white space. The mark "#" is put behind each
    word, and the n-grams are those of its characters and the mark: "echo" gives
    ech, cho and ho# for n = 3. So an ending is told from the same letters in the
    middle of a word, and one changed letter leaves most n-grams as they were. A "#"
    in a text is a character like any other.

    A word that has, with its mark, no more than n characters gives itself and the
    mark as one n-gram: "a" gives a# for n = 3. It is counted once, not again for
    the larger n of `ngram_range`.

    Values are those of `WordNgramTfidf`: tf(g) · idf(g), each row scaled to unit
    length.

    Parameters
    ----------
    ngram_range : tuple (min_n, max_n), default=(3, 3)
        Fewest and most characters of an n-gram, the mark included; all lengths
        between are taken too.
    min_df : float in [0, 1] or int, default=1
        Leave out n-grams that fewer documents hold. A float is a share of the
        documents, an integer a number of them. Ignored with `vocabulary`.
    max_df : float in [0, 1] or int, default=1.0
        Leave out n-grams that more documents hold. Ignored with `vocabulary`.
    max_features : int, default=None
        Keep only so many n-grams, those that occur most often. Ignored with
        `vocabulary`.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The n-grams to use, with their columns or in their order. By default, fit
        learns them.
    lowercase : bool, default=True
        Lower the case of all characters first.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Remove accents after that: "ascii" keeps ASCII characters only, "unicode"
        removes combining marks; both decompose characters first (NFKD). A callable
        takes and returns a `str`.
    preprocessor : callable, default=None
        Takes and returns a `str`, in place of `lowercase` and `strip_accents`.
    norm : {"l1", "l2"} or None, default="l2"
        Length of each row: the sum of its values or their squares is 1.
    use_idf : bool, default=True
        Whether to weigh n-grams by their inverse document frequency.
    smooth_idf : bool, default=True
        Whether to count one more document that holds every n-gram; else
        idf(g) = ln(N / df(g)) + 1.
    sublinear_tf : bool, default=False
        Whether to take 1 + ln(tf) for tf.
    binary : bool, default=False
        Whether to take 1 for tf.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Type of the values.
    n_jobs : int, default=None
        Number of threads, in joblib's terms. The result does not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Columns by their n-gram, made when first asked for.
    fixed_vocabulary_ : bool
        Whether `vocabulary` gave the n-grams.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None where `use_idf` is False.

    See Also
    --------
    WordNgramTfidf : N-grams of words.

    Notes
    -----
    Parameters take effect at `fit`.

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

    def _build_analyzer(self):
        return CharAnalyzer(self._preprocess(), self.ngram_range)
