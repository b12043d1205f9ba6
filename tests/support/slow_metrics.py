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


def slow_psr(truths, rankings, k, p):
    gained = best = 0
    for y, row in zip(truths, rankings, strict=True):
        gained += sum(1 / p[r] for r in row[:k] if r in y) / max(len(y), 1)
        ideal = sorted((1 / p[label] for label in y), reverse=True)[:k]
        best += sum(ideal) / max(len(y), 1)
    return gained / best if best else 0


def slow_psndcg(truths, rankings, k, p):
    gained = best = 0
    for y, row in zip(truths, rankings, strict=True):
        norm = sum(1 / math.log2(j + 2) for j in range(min(k, len(y))))
        hits = [(j, 1 / p[r]) for j, r in enumerate(row[:k]) if r in y]
        ideal = enumerate(sorted((1 / p[label] for label in y), reverse=True)[:k])
        gained += sum(w / math.log2(j + 2) for j, w in hits) / max(norm, 1)
        best += sum(w / math.log2(j + 2) for j, w in ideal) / max(norm, 1)
    return gained / best if best else 0


def slow_by_label(truths, rankings, k, labels):
    """(hits, rows where it is retrieved, rows that have it) for each label."""
    pairs = [(y, set(row[:k])) for y, row in zip(truths, rankings, strict=True)]
    return [
        (
            sum(label in y and label in r for y, r in pairs),
            sum(label in r for _, r in pairs),
            sum(label in y for y, _ in pairs),
        )
        for label in labels
    ]


def slow_macro(name, truths, rankings, k, labels):
    counts = slow_by_label(truths, rankings, k, labels)
    ratios = {
        "precision_at_k": [hits / max(found, 1) for hits, found, _ in counts],
        "recall_at_k": [hits / max(true, 1) for hits, _, true in counts],
        "f1_at_k": [2 * hits / max(found + true, 1) for hits, found, true in counts],
    }[name]
    return sum(ratios) / len(ratios)


def slow_f1(truths, rankings, k, average, labels):
    if average == "macro":
        return slow_macro("f1_at_k", truths, rankings, k, labels)
    rows = [
        (2 * len(y & set(row[:k])), len(y) + len(row[:k]))
        for y, row in zip(truths, rankings, strict=True)
    ]
    if average == "micro":
        return sum(n for n, _ in rows) / max(sum(d for _, d in rows), 1)
    return sum(n / max(d, 1) for n, d in rows) / len(rows)


def slow_graded_ndcg(grades, rankings, k):
    """`grades` holds a list of numbers, one for each label, for each row."""
    total = 0
    for row_grades, row in zip(grades, rankings, strict=True):
        gain = sum(row_grades[r] / math.log2(j + 2) for j, r in enumerate(row[:k]))
        ideal = enumerate(sorted(row_grades, reverse=True)[:k])
        best = sum(grade / math.log2(j + 2) for j, grade in ideal)
        total += gain / best if best else 0
    return total / len(grades)


PROPENSITY_METRICS = {
    "propensity_scored_precision_at_k": slow_psp,
    "propensity_scored_recall_at_k": slow_psr,
    "propensity_scored_ndcg_at_k": slow_psndcg,
}
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
