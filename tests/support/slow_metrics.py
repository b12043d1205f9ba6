"""Definitions of the metrics, row by row.

`truths` holds a set of labels for each row, `rankings` a list, best first.
"""

import math

import numpy as np

from skxmr import metrics

METRICS = {
    "precision_at_k": metrics.precision_at_k,
    "recall_at_k": metrics.recall_at_k,
    "ndcg_at_k": metrics.ndcg_at_k,
    "reciprocal_rank_at_k": metrics.reciprocal_rank_at_k,
    "coverage_at_k": metrics.coverage_at_k,
}
SPARSE_FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


def slow_precision(truths, rankings, k):
    shares = [
        sum(r in y for r in row[:k]) / k
        for y, row in zip(truths, rankings, strict=True)
    ]
    return sum(shares) / len(truths)


def slow_recall(truths, rankings, k):
    shares = [
        sum(r in y for r in row[:k]) / len(y) if y else 0
        for y, row in zip(truths, rankings, strict=True)
    ]
    return sum(shares) / len(truths)


def slow_ndcg(truths, rankings, k):
    total = 0
    for y, row in zip(truths, rankings, strict=True):
        gain = sum(1 / math.log2(j + 2) for j, r in enumerate(row[:k]) if r in y)
        best = sum(1 / math.log2(j + 2) for j in range(min(k, len(y))))
        total += gain / best if y else 0
    return total / len(truths)


def slow_reciprocal_rank(truths, rankings, k):
    total = 0
    for y, row in zip(truths, rankings, strict=True):
        hits = [j for j, r in enumerate(row[:k]) if r in y]
        total += 1 / (hits[0] + 1) if hits else 0
    return total / len(truths)


def slow_coverage(truths, rankings, k):
    found = {
        r for y, row in zip(truths, rankings, strict=True) for r in row[:k] if r in y
    }
    return len(found) / max(len(set().union(*truths)), 1)


def slow_psp(truths, rankings, k, p):
    gained = best = 0
    for y, row in zip(truths, rankings, strict=True):
        gained += sum(1 / p[r] for r in row[:k] if r in y)
        best += sum(sorted((1 / p[label] for label in y), reverse=True)[:k])
    return gained / best if best else 0


DEFINITIONS = {
    "precision_at_k": slow_precision,
    "recall_at_k": slow_recall,
    "ndcg_at_k": slow_ndcg,
    "reciprocal_rank_at_k": slow_reciprocal_rank,
    "coverage_at_k": slow_coverage,
}


def sets_of(Y):
    return [set(np.flatnonzero(row).tolist()) for row in Y]


def ranked(scores):
    """All columns of each row with a score, best first."""
    return [
        sorted((j for j in range(len(row)) if row[j] > 0), key=lambda j: (-row[j], j))
        for row in scores
    ]


def padded(rankings, width):
    columns = np.full((len(rankings), width), -1)
    for i, row in enumerate(rankings):
        columns[i, : len(row)] = row[:width]
    return columns


def propensities_of(n_labels):
    return 1 / (2.0 + np.arange(n_labels) % 3)
