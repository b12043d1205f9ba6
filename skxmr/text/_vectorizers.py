"""TF-IDF vectorizers for n-grams of words and of characters."""

import warnings
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skxmr._inputs._validation import StrOptions
from skxmr.text._counting import (
    Cutting,
    Tokenising,
)
from skxmr.text._ngram_tfidf import NgramTfidf
from skxmr.text._vocabulary import Vocabulary

__all__ = ["CharNgramTfidf", "PrefixWeightedCharTfidf", "WordNgramTfidf"]


# As in scikit-learn.
_DEFAULT_PATTERN = r"(?u)\b\w\w+\b"

# Regular expressions that the compiled code implements: runs of word characters, or of
# any but white space, with their minimum length.
_COMPILED_PATTERNS = {
    r"\b\w\w+\b": ("words", 2),
    r"\w\w+": ("words", 2),
    r"\b\w+\b": ("words", 1),
    r"\w+": ("words", 1),
    r"\S+": ("tokens", 1),
}


class WordNgramTfidf(NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
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
    input : {"content", "file", "filename"}, default="content"
        What documents are: texts, open files, or paths of files, whose whole content
        in UTF-8 is a text. `transform_one` always takes a text.
    n_jobs : int, default=None
        The number of threads, as in joblib. The result does not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.

    Attributes
    ----------
    vocabulary_ : dict
        Maps n-grams to columns; built on first access.
    fixed_vocabulary_ : bool
        Whether `vocabulary` was given.
    idf_ : ndarray of shape (n_features,), `dtype`, or None
        Inverse document frequencies; None if `use_idf` is False. Can be set.

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
        **NgramTfidf._parameter_constraints,
        "token_pattern": [str, None],
        "stop_words": [StrOptions({"english"}), list, None],
        "tokenizer": [callable, None],
        "input": [StrOptions({"content", "file", "filename"})],
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
        input="content",  # noqa: A002 - the name in scikit-learn
        n_jobs=None,
        verbose=0,
    ):
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.input = input
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
        self.verbose = verbose

    def build_analyzer(self):
        """Return what splits a text into n-grams, as in scikit-learn.

        Returns
        -------
        callable
            Takes a `str` and returns a list of `str`.
        """
        return self._words().build_analyzer()

    def build_preprocessor(self):
        """Return what prepares a text before it is split, as in scikit-learn.

        Returns
        -------
        callable
            Takes and returns a `str`.
        """
        return self._words().build_preprocessor()

    def build_tokenizer(self):
        """Return what splits a text into words, as in scikit-learn.

        Returns
        -------
        callable
            Takes a `str` and returns a list of `str`.
        """
        return self._words().build_tokenizer()

    def get_stop_words(self):
        """Return the words that are removed.

        Returns
        -------
        frozenset of str, or None
        """
        return self._words().get_stop_words()

    def _words(self):
        """Return scikit-learn's vectorizer that splits texts in the same way."""
        return CountVectorizer(
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            token_pattern=self.token_pattern,
            stop_words=self.stop_words,
            tokenizer=self.tokenizer,
            preprocessor=self.preprocessor,
        )

    def _read(self, raw_documents):
        if self.input == "content":
            return raw_documents
        if isinstance(raw_documents, (str, PathLike)):
            raise ValueError(
                f"raw_documents must be several documents with input={self.input!r}; "
                f"got {raw_documents!r:.80}."
            )
        read = _content_of_file if self.input == "file" else _content_of_path
        return map(read, raw_documents)

    def _make_cutting(self):
        words = self._words()
        # Raises errors of the pattern and the stop words, and warns of these.
        words.build_analyzer()
        pattern = (self.token_pattern or "").removeprefix("(?u)")
        if self.tokenizer is not None or pattern not in _COMPILED_PATTERNS:
            return Tokenising(words)
        stop_words = words.get_stop_words()
        units, shortest = _COMPILED_PATTERNS[pattern]
        return Cutting(
            units=units,
            ngram_range=self.ngram_range,
            shortest=shortest,
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
            stop_words=Vocabulary.of(sorted(stop_words)) if stop_words else None,
        )

    def _check_parameters(self):
        super()._check_parameters()
        if self.token_pattern is None and self.tokenizer is None:
            raise ValueError(
                "token_pattern must be a regular expression where tokenizer is None; "
                "got None."
            )
        is_default = self.token_pattern in (None, _DEFAULT_PATTERN)
        if self.tokenizer is not None and not is_default:
            warnings.warn(
                "The parameter 'token_pattern' will not be used since 'tokenizer' is "
                "not None.",
                UserWarning,
                stacklevel=7,
            )


def _content_of_file(file):
    content = file.read()
    return content.decode() if isinstance(content, bytes) else content


def _content_of_path(path):
    return Path(path).read_text(encoding="utf-8")


class CharNgramTfidf(NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
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
    verbose : int, default=0
        Whether the progress of `fit` is printed.

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

    _parameter_constraints: ClassVar[dict] = {**NgramTfidf._parameter_constraints}

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
        verbose=0,
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
        self.verbose = verbose

    def _make_cutting(self):
        return Cutting(
            units="characters",
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
        )


class PrefixWeightedCharTfidf(NgramTfidf, auto_wrap_output_keys=None):  # type: ignore[call-arg]
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
    verbose : int, default=0
        Whether the progress of `fit` is printed.

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
            for name, constraints in NgramTfidf._parameter_constraints.items()
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
        verbose=0,
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
        self.verbose = verbose

    def _make_cutting(self):
        return Cutting(
            units="text",
            position=self.position,
            ngram_range=self.ngram_range,
            lowercase=self.lowercase,
            normaliser=self._make_normaliser(),
        )
