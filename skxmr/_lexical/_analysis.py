"""Terms of texts: the analyzers of a lexical index."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from skxmr._inputs._columns import InvalidInputError
from skxmr.text._vectorizers import CharNgramTfidf, WordNgramTfidf
from skxmr.text._word_forms import normalize_characters, normalize_words

__all__ = ["COUNTERS", "TokenFilter", "check_analyzers", "make_counter"]

_DEFAULT_RANGES = {"word": (1, 1), "char": (3, 3)}
COUNTERS = {"word": WordNgramTfidf, "char": CharNgramTfidf}
_NORMALIZERS = {"word": normalize_words, "char": normalize_characters}


def check_analyzers(analyzer):
    """Return the analyzers as a list.

    Parameters
    ----------
    analyzer : str or sequence of str

    Returns
    -------
    list of str

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError, if they are something else, or have no order.
    """
    names = [analyzer] if isinstance(analyzer, str) else list(analyzer)
    has_order = not isinstance(analyzer, (AbstractSet, Mapping))
    are_known = names and all(
        isinstance(name, str) and name in COUNTERS for name in names
    )
    if not (has_order and are_known) or len(set(names)) < len(names):
        raise InvalidInputError(
            f"analyzer must be 'word', 'char' or a sequence of these, each once; got "
            f"{analyzer!r:.50}."
        )
    return names


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
        """Return the words, separated by spaces."""
        words = self.function(normalize_words(text).split())
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
    normalizer = TokenFilter(token_filter) if token_filter else _NORMALIZERS[analyzer]
    settings = {
        "ngram_range": _DEFAULT_RANGES[analyzer],
        "preprocessor": normalizer,
        "norm": None,
        "use_idf": False,
        "dtype": np.float32,
        "n_jobs": n_jobs,
    }
    if analyzer == "word":
        settings["token_pattern"] = r"\S+"
    return COUNTERS[analyzer](**settings)
