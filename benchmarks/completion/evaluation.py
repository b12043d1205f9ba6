"""Quality of completions, by length of the prefix and frequency of the query."""

from collections import Counter

import numpy as np

from benchmarks.completion.matching import Judge, count_matches
from skxmr.metrics import (
    bleu_reciprocal_ranks,
    completion_ranks,
    frequency_bins,
    mean_by,
)

K = 10


def check(suggestions, prefixes, known):
    """Raise an error for answers that are not completions."""
    judge = Judge(known, "prefix")
    for found, prefix in zip(suggestions, prefixes, strict=True):
        if len(set(found)) < len(found):
            raise ValueError(f"suggested twice for {prefix!r}: {found}")
        if not all(judge.is_right(query, prefix) for query in found):
            raise ValueError(f"suggested for {prefix!r} what does not match: {found}")


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
    check(suggestions, calls.prefixes, known)
    truths = [test.queries[row] for row in calls.rows]
    ranks = completion_ranks(truths, suggestions)
    reciprocal = (ranks > 0) / np.maximum(ranks, 1)
    found = np.array([len(row) for row in suggestions])
    matches = np.array(count_matches(calls.prefixes, known))
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
