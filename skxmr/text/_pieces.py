"""Pieces of label texts: pseudo-queries of a few words.

Search queries have a few words of a text, not a whole description.
"""

import re

import numpy as np

__all__ = ["N_WORDS", "draw_pieces"]

# Texts with at most this many words have no pieces.
N_WORDS = 3

# The number of labels whose pieces are drawn at a time.
_LABELS_AT_ONCE = 4096

_HAS_WORD = re.compile(r"\w")


def draw_pieces(fields, n_pieces, seed):
    """Draw pieces of three words from the texts of each label.

    Words are separated by white space and contain a letter or digit. Each piece is from
    one of the label's texts of more than three words, with equal probabilities; its
    words are drawn without replacement and keep their order. Duplicate pieces of a
    label are removed.

    Parameters
    ----------
    fields : list of tuple of str
        The texts of each label.
    n_pieces : int
        The number of draws per label.
    seed : int

    Yields
    ------
    label : int
    field : int
        The index of the text among the label's texts.
    piece : str
    """
    random = np.random.default_rng(seed)
    for start in range(0, len(fields), _LABELS_AT_ONCE):
        some = fields[start : start + _LABELS_AT_ONCE]
        # The same number of random numbers for each label, whatever its texts.
        drawn = random.random((len(some), n_pieces, 1 + N_WORDS))
        for label, (texts, numbers) in enumerate(zip(some, drawn, strict=True), start):
            for field, piece in _pieces_of(texts, numbers.tolist()):
                yield label, field, piece


def _pieces_of(texts, numbers):
    """Return the distinct pieces of one label with their fields."""
    long = []
    for field, text in enumerate(texts):
        words = [one for one in text.split() if one.isalnum() or _HAS_WORD.search(one)]
        if len(words) > N_WORDS:
            long.append((field, words))
    pieces: dict = {}
    if not long:
        return pieces.items()
    for which, *of_words in numbers:
        field, words = long[int(which * len(long))]
        piece = " ".join(words[i] for i in _distinct(of_words, len(words)))
        pieces.setdefault(piece, field)
    return ((field, piece) for piece, field in pieces.items())


def _distinct(numbers, n):
    """Convert numbers in [0, 1) to as many distinct integers below n, ascending."""
    chosen: list = []
    for taken, number in enumerate(numbers):
        one = int(number * (n - taken))
        for other in chosen:  # ascending
            if one >= other:
                one += 1
        chosen.append(one)
        chosen.sort()
    return chosen
