"""Sentence-level BLEU against a single reference."""

import math
from collections import Counter

__all__ = ["sentence_bleu"]

LONGEST = 4
# The number of matches assumed for an n-gram order without matches: smoothing method 1
# of Chen and Cherry, "A systematic comparison of smoothing techniques for
# sentence-level BLEU", WMT 2014.
EPSILON = 0.1


def sentence_bleu(truth, sentence):
    r"""Smoothed BLEU of words up to 4-grams.

    .. math:: BLEU = b \cdot \left(\prod_{n=1}^{4} p_n\right)^{1/4}

    with :math:`p_n` the share of the sentence's n-grams that are in the truth, each
    counted at most as often as there, with a numerator of 0.1 if none is; and
    :math:`b = \min(1, e^{1 - |truth| / |sentence|})`. 0 if no word is in the truth. A
    sentence shorter than n words has :math:`p_n = 0.1`, so that a correct one of one,
    two or three words scores 0.18, 0.32 and 0.56.

    Parameters
    ----------
    truth, sentence : list of str
        Words.

    Returns
    -------
    float
        In [0, 1].
    """
    if set(truth).isdisjoint(sentence):
        return 0.0
    matches = [_count_matches(truth, sentence, n) for n in range(1, LONGEST + 1)]
    logs = [
        math.log((n_matches or EPSILON) / max(1, len(sentence) - n + 1))
        for n, n_matches in enumerate(matches, start=1)
    ]
    brevity = min(0.0, 1.0 - len(truth) / len(sentence))
    return math.exp(brevity + math.fsum(logs) / LONGEST)


def _count_matches(truth, sentence, n):
    """Count the n-grams that both have, each as often as in the one with fewer."""
    return (_count_ngrams(truth, n) & _count_ngrams(sentence, n)).total()


def _count_ngrams(words, n):
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))
