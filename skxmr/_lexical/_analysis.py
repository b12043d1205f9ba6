"""Terms of texts: the analyzers of a lexical index."""

import re

import numpy as np

from skxmr._inputs._columns import InvalidInputError
from skxmr.text._normalization import normalize_text
from skxmr.text._vectorizers import CharNgramTfidf, WordNgramTfidf

__all__ = ["ANALYZERS", "TokenFilter", "make_counter", "words_of"]

ANALYZERS = ("word", "char")
_DEFAULT_RANGES = {"word": (1, 1), "char": (3, 3)}
_WORD = re.compile(r"\w+")


def words_of(text):
    """Return the words of a normalised text, as the analyzer "word" cuts it."""
    return _WORD.findall(text)


class TokenFilter:
    """Normalises a text, and passes its words through a function.

    Parameters
    ----------
    function : callable
        Takes the words of a text, a list of str, and returns those to index: stems, or
        the same with synonyms.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, text):
        """Return the normalised text."""
        words = self.function(words_of(normalize_text(text)))
        is_list = isinstance(words, (list, tuple))
        if not is_list or not all(isinstance(one, str) for one in words):
            raise InvalidInputError(
                f"token_filter must return a list of str; got {words!r:.50}."
            )
        return " ".join(words)


def make_counter(analyzer, token_filter, n_jobs):
    """Make a transformer that counts the terms of texts.

    Parameters
    ----------
    analyzer : {"word", "char"}
    token_filter : callable or None
    n_jobs : int or None

    Returns
    -------
    WordNgramTfidf or CharNgramTfidf
        Its values are counts.
    """
    settings = {
        "ngram_range": _DEFAULT_RANGES[analyzer],
        "preprocessor": TokenFilter(token_filter) if token_filter else normalize_text,
        "norm": None,
        "use_idf": False,
        "dtype": np.float32,
        "n_jobs": n_jobs,
    }
    if analyzer == "char":
        return CharNgramTfidf(**settings)
    return WordNgramTfidf(token_pattern=r"(?u)\b\w+\b", **settings)
