"""The metrics of completion in `skxmr.metrics`: of strings, not of columns."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skxmr._bleu import sentence_bleu
from skxmr._class_labels import exact_target, list_labels
from skxmr._columns import InvalidInputError, as_list, is_missing
from skxmr._typing import Texts
from skxmr._validation import check_k

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
    r"""Mean of 1 / the rank of the query that was meant: MRR@k.

    A row whose truth is not among its first k suggestions counts as 0. Strings are
    compared as they are: normalise both sides first where case is not to count.

    Parameters
    ----------
    truths : iterable of str
        The query that each row's person meant.
    suggestions : iterable of sequences of str or of (str, score)
        What was suggested for each row, best first, as a completer's ``complete``
        returns it; may be empty.
    k : int, default=10
        How many suggestions to look at, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there is no row, the two differ in rows, or `k` is no positive integer.
    TypeError
        If a truth or a suggestion is no string.

    See Also
    --------
    completion_ranks : The ranks themselves, row by row.
    reciprocal_rank_at_k : The same of columns.

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
    """Share of rows whose query is among the first k suggestions: success@k.

    Parameters
    ----------
    truths : iterable of str
        The query that each row's person meant.
    suggestions : iterable of sequences of str or of (str, score)
        What was suggested for each row, best first; may be empty.
    k : int, default=10
        How many suggestions to look at, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there is no row, the two differ in rows, or `k` is no positive integer.
    TypeError
        If a truth or a suggestion is no string.

    See Also
    --------
    completion_reciprocal_rank : Counts the rank, too.
    completion_ranks : The ranks themselves.

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
    r"""Likeness of the suggestions to the query that was meant, by rank: BLEU_RR@k.

    .. math::

       BLEU\_RR = \frac{1}{n} \sum_{rows}
       \frac{\sum_{i=1}^{m} BLEU(truth, s_i) / i}{\sum_{i=1}^{m} 1 / i}

    where :math:`s_1, \ldots, s_m` are the first k suggestions of a row, or all where
    they are fewer. A row without any counts as 0.

    BLEU is that of one sentence over words (parted by white space) up to 4-grams of
    equal weight, smoothed by Chen and Cherry's method 1: an order of n-grams without
    a match counts 0.1 matches. So a right suggestion of less than four words has less
    than 1 (0.18, 0.32 and 0.56 for one, two and three words); compare systems by it on
    the same rows only.

    Parameters
    ----------
    truths : iterable of str
        The query that each row's person meant.
    suggestions : iterable of sequences of str or of (str, score)
        What was suggested for each row, best first; may be empty.
    k : int, default=10
        How many suggestions to look at, at least 1.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there is no row, the two differ in rows, or `k` is no positive integer.
    TypeError
        If a truth or a suggestion is no string.

    See Also
    --------
    bleu_reciprocal_ranks : The values of the rows.

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
    """Give BLEU_RR of each row, as `bleu_reciprocal_rank` takes the mean of it.

    Parameters
    ----------
    truths : iterable of str
        The query that each row's person meant.
    suggestions : iterable of sequences of str or of (str, score)
        What was suggested for each row, best first; may be empty.
    k : int, default=10
        How many suggestions to look at, at least 1.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If there is no row, the two differ in rows, or `k` is no positive integer.
    TypeError
        If a truth or a suggestion is no string.

    See Also
    --------
    bleu_reciprocal_rank : Their mean.
    mean_by : Their means by groups.

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
    """Give the rank of each row's query among its suggestions.

    Parameters
    ----------
    truths : iterable of str
        The query that each row's person meant.
    suggestions : iterable of sequences of str or of (str, score)
        What was suggested for each row, best first; may be empty.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        1 for the first suggestion, 0 where the query is not among them.

    Raises
    ------
    ValueError
        If there is no row, or the two differ in rows.
    TypeError
        If a truth or a suggestion is no string.

    See Also
    --------
    mean_by : Means of rows by their group.

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
    """Give the mean of the rows of each group.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers or booleans, such as reciprocal ranks.
    groups : array-like of shape (n_rows,)
        What each row belongs to: a length of prefix, a bin of `frequency_bins`, a name.

    Returns
    -------
    dict
        The mean (float) of each group, in the order of the sorted groups.

    Raises
    ------
    ValueError
        If an argument is not 1-D, or the two differ in length.

    See Also
    --------
    frequency_bins : Groups by how often a query was asked.
    completion_ranks : Ranks, a value for each row.

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

    Rare queries are judged apart from frequent ones by the bins of how often each
    row's query was seen in training.

    Parameters
    ----------
    counts : array-like of shape (n_rows,), int
        Not negative.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        Each count's bin, named by the lowest count in it: 0, 1, 2, 4, 11, 31, 101, ...

    Raises
    ------
    ValueError
        If `counts` is not 1-D, or holds anything but integers from 0.

    See Also
    --------
    mean_by : Means of values by such bins.

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
    starts = [0, 1, 2, 4]
    while starts[-1] <= counts.max(initial=0):
        tens = 10 ** (len(starts) // 2 - 1)
        starts.append((3 if len(starts) % 2 else 1) * tens + 1)
    bins = np.searchsorted(starts, counts, side="right") - 1
    return np.array(starts)[bins]


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
    """Check both sides of a comparison; return lists, of strings without scores."""
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
    """Strings of one row, without their scores."""
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
