"""The kinds of queries of the catalogue.

The test queries state their kinds; those of held-out training rows are inferred.
"""

from benchmarks.features import WORD

WORDS = "words"
SHUFFLED = "shuffled"
TYPO = "typo"
NAME_TYPO = "name typo"
NAME = "name"
KINDS = (WORDS, SHUFFLED, TYPO, NAME_TYPO, NAME)
# How the file of test queries spells them.
KIND_OF = {kind.replace(" ", ""): kind for kind in KINDS}


def words_of(text):
    """The words of a text, in lower case.

    >>> words_of("Red-tea bags")
    ['red', 'tea', 'bags']
    """
    return WORD.findall(text.lower())


def in_order(words, text_words):
    """Whether words occur in a text in this order, with others between them or not."""
    remaining = iter(text_words)
    return all(word in remaining for word in words)


def infer_kind(query, name, summary):
    """Infer the kind of a query from the fields of its label.

    The name's words are ``name``; as many words of which all but one are the name's,
    at the same position, are ``name typo``. Of the rest, queries whose words all occur
    in the summary are ``words`` if they are in its order, otherwise ``shuffled``; the
    others are ``typo``.

    >>> infer_kind("red tae", "red-tea", "Tea in bags")
    'name typo'
    >>> infer_kind("bags tea", "red-tea", "Tea in bags")
    'shuffled'
    """
    words, name_words, summary_words = map(words_of, (query, name, summary))
    if words == name_words:
        return NAME
    if in_order(words, summary_words):
        return WORDS
    if set(words) <= set(summary_words):
        return SHUFFLED
    if len(words) == len(name_words):
        n_different = sum(a != b for a, b in zip(words, name_words, strict=True))
        if n_different == 1:
            return NAME_TYPO
    return TYPO
