"""Random prefixes of queries, for training and evaluation."""

import numpy as np

__all__ = ["draw_prefixes"]


def draw_prefixes(lengths, n_drawn, random):
    """Draw prefixes of queries; short ones are drawn more often.

    Every prefix is typed on the way to a longer one: of a query of n characters, the
    prefix of length l has the probability ln((l + 1) / l) / ln(n + 1).

    Parameters
    ----------
    lengths : ndarray of shape (n_queries,), int64
        In characters, at least 1.
    n_drawn : int or "all"
        The number of draws per query; duplicates are removed.
    random : RandomState

    Returns
    -------
    positions : ndarray of shape (n_prefixes,), int64
        The position of the query of each prefix, ascending.
    prefix_lengths : ndarray of the same shape, int64
    """
    if n_drawn == "all" or n_drawn >= _surely_all(int(lengths.max(initial=1))):
        positions = np.repeat(np.arange(len(lengths)), lengths)
        starts = np.cumsum(lengths) - lengths
        return positions, np.arange(len(positions)) - starts[positions] + 1
    # Stratified: one draw from each of n equal parts, so that each query has a short
    # prefix.
    n_drawn = int(n_drawn)
    parts = (
        np.arange(n_drawn) + random.random_sample((len(lengths), n_drawn))
    ) / n_drawn
    drawn = np.exp(parts * np.log1p(lengths)[:, np.newaxis])
    drawn = np.sort(np.minimum(drawn.astype(np.int64), lengths[:, None]), axis=1)
    first = np.ones(drawn.shape, dtype=bool)
    first[:, 1:] = np.diff(drawn, axis=1) > 0
    positions, _ = np.nonzero(first)
    return positions, drawn[first]


def _surely_all(longest):
    """Return a number of draws that is sure to include all prefixes up to a length.

    The largest length has the smallest share of the logarithms that are drawn: if the
    equal parts are at most half as wide as it, each length contains a whole part.
    """
    return 2 * np.log1p(longest) / np.log1p(1 / longest)
