"""Prefixes of queries, drawn to learn from and to judge by."""

import numpy as np

__all__ = ["draw_prefixes"]


def draw_prefixes(lengths, n_drawn, random):
    """Draw prefixes of queries; short ones are drawn more often, as they are typed.

    Every prefix is typed on the way to a longer one: a length l of at most n has the
    probability ln((l + 1) / l) / ln(n + 1).

    Parameters
    ----------
    lengths : ndarray of shape (n_queries,), int64
        In characters, 1 at least.
    n_drawn : int or "all"
        How often to draw for each query; prefixes drawn twice count once.
    random : RandomState

    Returns
    -------
    places : ndarray of shape (n_prefixes,), int64
        Whose prefix it is, ascending.
    prefix_lengths : ndarray of the same shape, int64
    """
    if n_drawn == "all" or n_drawn >= _surely_all(int(lengths.max(initial=1))):
        places = np.repeat(np.arange(len(lengths)), lengths)
        starts = np.cumsum(lengths) - lengths
        return places, np.arange(len(places)) - starts[places] + 1
    # One draw from each of n equal parts, so that all have a short prefix.
    n_drawn = int(n_drawn)
    parts = (
        np.arange(n_drawn) + random.random_sample((len(lengths), n_drawn))
    ) / n_drawn
    drawn = np.exp(parts * np.log1p(lengths)[:, np.newaxis])
    drawn = np.sort(np.minimum(drawn.astype(np.int64), lengths[:, None]), axis=1)
    first = np.ones(drawn.shape, dtype=bool)
    first[:, 1:] = np.diff(drawn, axis=1) > 0
    places, _ = np.nonzero(first)
    return places, drawn[first]


def _surely_all(longest):
    """Say how many draws leave out no prefix of a query of some length, or a shorter.

    The last length has the least share of the logarithms drawn from: where each of
    the equal parts is no wider than half of that, one part lies within each length.
    """
    return 2 * np.log1p(longest) / np.log1p(1 / longest)
