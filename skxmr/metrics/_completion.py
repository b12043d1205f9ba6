"""The completion metrics of `skxmr.metrics`, which compare strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skxmr._inputs._class_labels import exact_target, list_labels
from skxmr._inputs._columns import InvalidInputError, as_list, is_missing
from skxmr._inputs._validation import check_k
from skxmr._utils._typing import Texts
from skxmr.metrics._bleu import sentence_bleu

__all__ = [
    "bleu_reciprocal_rank",
    "bleu_reciprocal_ranks",
    "completion_ranks",
    "completion_reciprocal_rank",
    "completion_success",
    "frequency_bins",
    "mean_by",
]

Suggestions: TypeAlias = Iterable[Sequence[str] | Sequence[tuple[str, float]]]


def completion_reciprocal_rank(
    truths: Texts, suggestions: Suggestions, k: int = 10
) -> float:
    r"""Mean reciprocal rank of the true query among the completions: MRR@k.

    A row whose true query is not among its first k completions counts as 0. Strings are
    compared unchanged: normalise both sides first if case is not to matter.

    Parameters
    ----------
    truths : iterable of str
        The true query of each row.
    suggestions : iterable of sequences of str or of (str, score)
        The completions of each row, best first, as a completer's ``complete`` returns
        them; may be empty.
    k : int, default=10
        The number of completions to evaluate, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there are no rows, the numbers of rows differ, or `k` is not a positive
        integer.
    TypeError
        If a truth or a completion is not a string.

    See Also
    --------
    completion_ranks : The ranks of each row.
    reciprocal_rank_at_k : The same for columns.

    Examples
    --------
    >>> from skxmr.metrics import completion_reciprocal_rank
    >>> suggestions = [["echo dot", "echo show"], [("kindle", 0.9)], []]
    >>> completion_reciprocal_rank(["echo show", "kindle", "fire"], suggestions)
    0.5
    """
    k = check_k(k, "completion_reciprocal_rank")
    ranks = completion_ranks(truths, suggestions)
    return float(np.mean(_is_within(ranks, k) / np.maximum(ranks, 1)))


def completion_success(truths: Texts, suggestions: Suggestions, k: int = 10) -> float:
    """Success at k: the share of rows whose query is among the first k completions.

    Parameters
    ----------
    truths : iterable of str
        The true query of each row.
    suggestions : iterable of sequences of str or of (str, score)
        The completions of each row, best first; may be empty.
    k : int, default=10
        The number of completions to evaluate, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there are no rows, the numbers of rows differ, or `k` is not a positive
        integer.
    TypeError
        If a truth or a completion is not a string.

    See Also
    --------
    completion_reciprocal_rank : Discounts by rank.
    completion_ranks : The ranks of each row.

    Examples
    --------
    >>> from skxmr.metrics import completion_success
    >>> suggestions = [["echo dot", "echo show"], ["kindle"]]
    >>> completion_success(["echo show", "kindle"], suggestions, k=1)
    0.5
    """
    k = check_k(k, "completion_success")
    return float(np.mean(_is_within(completion_ranks(truths, suggestions), k)))


def bleu_reciprocal_rank(truths: Texts, suggestions: Suggestions, k: int = 10) -> float:
    r"""Mean similarity of the completions to the true query, by rank: BLEU_RR@k.

    .. math::

       BLEU\_RR = \frac{1}{n} \sum_{rows}
       \frac{\sum_{i=1}^{m} BLEU(truth, s_i) / i}{\sum_{i=1}^{m} 1 / i}

    where :math:`s_1, \ldots, s_m` are the first k completions of a row, or all if there
    are fewer. A row without completions counts as 0.

    BLEU is the sentence-level score over words (separated by white space) up to 4-grams
    with equal weights, smoothed by Chen and Cherry's method 1: an n-gram order without
    a match counts as 0.1 matches. So a correct completion of fewer than four words
    scores less than 1 (0.18, 0.32 and 0.56 for one, two and three words); compare
    systems only on the same rows.

    Parameters
    ----------
    truths : iterable of str
        The true query of each row.
    suggestions : iterable of sequences of str or of (str, score)
        The completions of each row, best first; may be empty.
    k : int, default=10
        The number of completions to evaluate, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there are no rows, the numbers of rows differ, or `k` is not a positive
        integer.
    TypeError
        If a truth or a completion is not a string.

    See Also
    --------
    bleu_reciprocal_ranks : The values of each row.

    References
    ----------
    .. [1] N. Yadav et al., "Session-aware query auto-completion using extreme
       multi-label ranking", KDD 2021, https://arxiv.org/abs/2012.07654
    .. [2] B. Chen and C. Cherry, "A systematic comparison of smoothing techniques for
       sentence-level BLEU", WMT 2014, https://aclanthology.org/W14-3346

    Examples
    --------
    >>> from skxmr.metrics import bleu_reciprocal_rank
    >>> suggestions = [["a case for the echo", "a case for the kindle"]]
    >>> round(bleu_reciprocal_rank(["a case for the kindle"], suggestions), 3)
    0.779
    """
    k = check_k(k, "bleu_reciprocal_rank")
    return float(np.mean(bleu_reciprocal_ranks(truths, suggestions, k)))


def bleu_reciprocal_ranks(
    truths: Texts, suggestions: Suggestions, k: int = 10
) -> NDArray[np.float64]:
    """Compute BLEU_RR for each row; `bleu_reciprocal_rank` is the mean.

    Parameters
    ----------
    truths : iterable of str
        The true query of each row.
    suggestions : iterable of sequences of str or of (str, score)
        The completions of each row, best first; may be empty.
    k : int, default=10
        The number of completions to evaluate, at least 1.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there are no rows, the numbers of rows differ, or `k` is not a positive
        integer.
    TypeError
        If a truth or a completion is not a string.

    See Also
    --------
    bleu_reciprocal_rank : The mean over rows.
    mean_by : Means by group.

    Examples
    --------
    >>> from skxmr.metrics import bleu_reciprocal_ranks
    >>> bleu_reciprocal_ranks(["one of four words"] * 2, [["one of four words"], []])
    array([1., 0.])
    """
    k = check_k(k, "bleu_reciprocal_ranks")
    truths, suggestions = _check_rows(truths, suggestions)
    pairs = zip(truths, suggestions, strict=True)
    return np.array([_weigh_by_rank(truth, row[:k]) for truth, row in pairs])


def completion_ranks(truths: Texts, suggestions: Suggestions) -> NDArray[np.int64]:
    """Find the rank of the true query among the completions of each row.

    Parameters
    ----------
    truths : iterable of str
        The true query of each row.
    suggestions : iterable of sequences of str or of (str, score)
        The completions of each row, best first; may be empty.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        1 for the first completion, 0 if the query is not among them.

    Raises
    ------
    ValueError
        If there are no rows, or the numbers of rows differ.
    TypeError
        If a truth or a completion is not a string.

    See Also
    --------
    mean_by : Means by group.

    Examples
    --------
    >>> from skxmr.metrics import completion_ranks
    >>> suggestions = [["echo dot", "echo show"], [("kindle", 0.9)], []]
    >>> completion_ranks(["echo show", "kindle", "fire"], suggestions)
    array([2, 1, 0])
    """
    truths, suggestions = _check_rows(truths, suggestions)
    pairs = zip(truths, suggestions, strict=True)
    return np.array(
        [row.index(truth) + 1 if truth in row else 0 for truth, row in pairs],
        dtype=np.int64,
    )


def mean_by(values: ArrayLike, groups: ArrayLike) -> dict:
    """Compute the mean of the rows of each group.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers or booleans, such as reciprocal ranks.
    groups : array-like of shape (n_rows,)
        The group of each row: a length of prefix, a bin of `frequency_bins`, a name.

    Returns
    -------
    dict
        The mean (float) of each group, sorted by group.

    Raises
    ------
    ValueError
        If an argument is not 1-D, or lengths differ.

    See Also
    --------
    frequency_bins : Groups by frequency of the query.
    completion_ranks : The ranks of each row.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import completion_ranks, mean_by
    >>> truths, prefixes = ["echo", "kindle", "kite"], ["e", "k", "ki"]
    >>> suggestions = [["echo"], ["kite", "kindle"], ["kite", "kindle"]]
    >>> ranks = completion_ranks(truths, suggestions)
    >>> mean_by(ranks == 1, [len(prefix) for prefix in prefixes])
    {1: 0.5, 2: 1.0}
    """
    values, groups = np.asarray(values), np.asarray(exact_target(groups, "groups"))
    if values.ndim != 1 or values.shape != groups.shape:
        raise ValueError(
            "values and groups must be 1-D and of the same length, got the shapes "
            f"{values.shape} and {groups.shape}."
        )
    names, members = np.unique(groups, return_inverse=True)
    means = np.bincount(members, weights=values) / np.bincount(members)
    return dict(zip(list_labels(names), means.tolist(), strict=True))


def frequency_bins(counts: ArrayLike) -> NDArray[np.int64]:
    """Bin counts in steps of about three: 0, 1, 2-3, 4-10, 11-30, 31-100 and so on.

    The bins separate rare queries from frequent ones, by the frequency of each row's
    query in the training data.

    Parameters
    ----------
    counts : array-like of shape (n_rows,), int
        Non-negative.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        The bin of each count, named by the lowest count in it: 0, 1, 2, 4, 11, 31, 101,
        ...

    Raises
    ------
    ValueError
        If `counts` is not 1-D, or has values that are not non-negative integers.

    See Also
    --------
    mean_by : Means by group.

    Examples
    --------
    >>> from collections import Counter
    >>> from skxmr.metrics import frequency_bins
    >>> seen = Counter(["echo", "echo", "echo", "kindle"])
    >>> frequency_bins([seen[truth] for truth in ["echo", "kindle", "fire"]])
    array([2, 1, 0])
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
        raise ValueError(
            "counts must be a 1-D array of integers, got the shape "
            f"{counts.shape} and {counts.dtype}."
        )
    if counts.min(initial=0) < 0:
        raise ValueError(f"counts must not be negative, got {counts.min()}.")
    starts = bin_starts(counts.max(initial=0))
    bins = np.searchsorted(starts, counts, side="right") - 1
    return starts[bins]


def bin_starts(highest):
    """Return the lowest counts of the bins up to that of `highest`, and of the next.

    Parameters
    ----------
    highest : int

    Returns
    -------
    ndarray of shape (n_bins + 1,), int64
    """
    starts = [0, 1, 2, 4]
    while starts[-1] <= highest:
        tens = 10 ** (len(starts) // 2 - 1)
        starts.append((3 if len(starts) % 2 else 1) * tens + 1)
    return np.array(starts)


def _is_within(ranks, k):
    return (ranks > 0) & (ranks <= k)


def _weigh_by_rank(truth, suggestions):
    """BLEU_RR of one row."""
    words = truth.split()
    weights = [1.0 / rank for rank in range(1, len(suggestions) + 1)]
    weighed = [
        weight * sentence_bleu(words, suggestion.split())
        for weight, suggestion in zip(weights, suggestions, strict=True)
    ]
    return sum(weighed) / sum(weights) if weights else 0.0


def _check_rows(truths, suggestions):
    """Validate both arguments; return lists of strings without scores."""
    for rows, name in [(truths, "truths"), (suggestions, "suggestions")]:
        if isinstance(rows, str):
            raise TypeError(f"{name} must hold one item for each row, got a str.")
    truths = as_list(truths, "truths", "an iterable of str, one per row")
    for row, truth in enumerate(truths):
        if not isinstance(truth, str):
            message = f"truths must be strings, got {truth!r} in row {row}"
            if is_missing(truth):
                raise InvalidInputError(f"{message}: it is missing.")
            raise TypeError(f"{message}.")
    if not (isinstance(suggestions, np.ndarray) and suggestions.ndim == 2):
        suggestions = as_list(suggestions, "suggestions", "an iterable of sequences")
    suggestions = [
        _check_suggestions(row, found) for row, found in enumerate(suggestions)
    ]
    if len(truths) != len(suggestions):
        raise ValueError(
            "truths and suggestions must have the same number of rows, got "
            f"{len(truths)} and {len(suggestions)}."
        )
    if not truths:
        raise ValueError("truths must have at least one row, got none.")
    return truths, suggestions


def _check_suggestions(row, suggestions):
    """Return the strings of one row without their scores."""
    if isinstance(suggestions, str):
        raise TypeError(
            "suggestions must hold a list of strings for each row, got the str "
            f"{suggestions!r} in row {row}."
        )
    if is_missing(suggestions):
        raise InvalidInputError(
            f"suggestions must hold a list of strings for each row, got "
            f"{suggestions!r} in row {row}: it is missing. Where nothing is suggested, "
            f"the list is empty."
        )
    expected = "a list of strings, best first"
    suggestions = as_list(suggestions, f"suggestions[{row}]", expected)
    strings = [
        item[0] if isinstance(item, tuple) and len(item) == 2 else item
        for item in suggestions
    ]
    for item in strings:
        if not isinstance(item, str):
            raise TypeError(
                "suggestions must be strings or pairs (string, score), got "
                f"{item!r} in row {row}."
            )
    return strings
