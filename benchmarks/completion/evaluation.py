"""Quality of completions, by length of the prefix and frequency of the query."""

from bisect import bisect_left
from collections import Counter
from unicodedata import normalize

import numpy as np

from skxmr.metrics import (
    bleu_reciprocal_ranks,
    completion_ranks,
    frequency_bins,
    mean_by,
)

K = 10
WITHOUT_JOINTS = str.maketrans("", "", " &'+-./_")
# Sorts after every character that can follow a prefix.
LAST_CHARACTER = chr(0x10FFFF)


def count_matches(prefixes, known):
    """Count the known queries, which are sorted, that start with each prefix."""
    counts = {
        prefix: bisect_left(known, prefix + LAST_CHARACTER) - bisect_left(known, prefix)
        for prefix in set(prefixes)
    }
    return np.array([counts[prefix] for prefix in prefixes])


def check(suggestions, prefixes):
    """Raise an error for answers that are not completions."""
    for found, prefix in zip(suggestions, prefixes, strict=True):
        if len(set(found)) < len(found):
            raise ValueError(f"suggested twice for {prefix!r}: {found}")
        if not all(is_completion(query, prefix) for query in found):
            raise ValueError(f"suggested for {prefix!r} what does not match: {found}")


def is_completion(query, prefix):
    """Return whether a query completes a prefix.

    An accent may be missing at the end of the prefix, a space there ends a word, and
    words may be joined in another way.
    """
    letters, typed = normalize("NFD", query) + " ", normalize("NFD", prefix)
    if letters.startswith(typed):
        return True
    return letters.translate(WITHOUT_JOINTS).startswith(typed.translate(WITHOUT_JOINTS))


def evaluate(columns, known, train, test, calls):
    """Compute all measures of quality.

    Parameters
    ----------
    columns : ndarray of shape (n_calls, K), int
        Numbers of known queries, best first, -1 after the last.
    known : list of str
    train, test : Pairs
    calls : Calls

    Returns
    -------
    dict
        MRR@10, BLEU_RR and success@10 by length of prefix; MRR@10 of prefixes of
        uniform length by how often the query was seen; the share of calls (of all)
        that got fewer than min(k, matches).
    """
    suggestions = [[known[i] for i in row if i >= 0] for row in columns.tolist()]
    check(suggestions, calls.prefixes)
    truths = [test.queries[row] for row in calls.rows]
    ranks = completion_ranks(truths, suggestions)
    reciprocal = (ranks > 0) / np.maximum(ranks, 1)
    found = np.array([len(row) for row in suggestions])
    matches = count_matches(calls.prefixes, known)
    is_uniform = calls.groups == "uniform"
    seen = Counter(train.queries)
    bins = frequency_bins([seen[truth] for truth in truths])
    return {
        "MRR@10": mean_by(reciprocal, calls.groups),
        "BLEU_RR": mean_by(bleu_reciprocal_ranks(truths, suggestions, K), calls.groups),
        "success@10": mean_by(ranks > 0, calls.groups),
        "MRR@10 by frequency": mean_by(reciprocal[is_uniform], bins[is_uniform]),
        "short": float(np.mean(found < np.minimum(matches, K))),
        "short of k": float(np.mean((found < K) & (matches >= K))),
    }
