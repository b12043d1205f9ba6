"""Pieces of labels' texts: made queries, of a few words each.

People who look for something type a few of its words, not its whole description.
"""

import re

import numpy as np

__all__ = ["N_WORDS", "draw_pieces"]

# A text of no more words is a piece already.
N_WORDS = 3

# Labels whose pieces are drawn at a time.
_LABELS_AT_ONCE = 4096

_HAS_WORD = re.compile(r"\w")


def draw_pieces(fields, n_pieces, seed):
    """Draw pieces of three words from the texts of each label.

    Words stand between white space; what has no letter or digit is none. Each piece is
    from one of the label's texts of more than three words, all alike; its words are
    drawn without replacement and keep their order. Of equal pieces of a label one is
    kept.

    Parameters
    ----------
    fields : list of tuple of str
        The texts of each label.
    n_pieces : int
        How many are drawn for each label.
    seed : int

    Yields
    ------
    label : int
    field : int
        Which of the label's texts it is from.
    piece : str
    """
    random = np.random.default_rng(seed)
    for start in range(0, len(fields), _LABELS_AT_ONCE):
        some = fields[start : start + _LABELS_AT_ONCE]
        # As many numbers for each label, whatever its texts are.
        drawn = random.random((len(some), n_pieces, 1 + N_WORDS))
        for label, (texts, numbers) in enumerate(zip(some, drawn, strict=True), start):
            for field, piece in _pieces_of(texts, numbers.tolist()):
                yield label, field, piece


def _pieces_of(texts, numbers):
    """Give the pieces of one label and their fields, each piece once."""
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
    """Turn numbers in [0, 1) into as many distinct integers below n, ascending."""
    chosen: list = []
    for taken, number in enumerate(numbers):
        one = int(number * (n - taken))
        for other in chosen:  # ascending
            if one >= other:
                one += 1
        chosen.append(one)
        chosen.sort()
    return chosen
