"""What searches and completers return: named tuples."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Completion", "SearchResult", "SearchResults"]


class SearchResult(NamedTuple):
    """A label that a search has found; equal to a plain tuple.

    Parameters
    ----------
    label : object
        A column index of an indicator, the name of a column, or a class.
    name : str or None
        The text of the label, or the label itself if it is a string and has none.
    score : float
        Its meaning depends on the search; see `TextRetriever.search`.

    See Also
    --------
    TextRetriever.search : Returns a list of these.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "rye bread"]
    >>> (best,) = TextRetriever().fit(texts, ["tea", "bread"]).search("tea", k=1)
    >>> best.label
    'tea'
    """

    label: Any
    name: str | None
    score: float


class Completion(NamedTuple):
    """A query that completes a prefix; equal to a plain tuple.

    Parameters
    ----------
    query : str
        The whole query.
    score : float
        Orders the completions of one prefix; no probability.

    See Also
    --------
    QueryCompleter.complete : Returns a list of these.

    Examples
    --------
    >>> from skxmr import Completion
    >>> Completion("green tea", 0.5) == ("green tea", 0.5)
    True
    """

    query: str
    score: float


class SearchResults(tuple):  # noqa: SLOT001 - it has an attribute
    """The results of searches for many texts; equal to the tuple (columns, scores).

    Made by `TextRetriever.search_batch`.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, k), int64
        Columns of y, or indices into `classes_`, best first; -1 if fewer are found.
    scores : ndarray of shape (n_samples, k), float32
        0 if fewer are found.
    describe : callable
        Takes an array of columns; returns the list of their labels, and that of their
        names.

    See Also
    --------
    TextRetriever.search_batch : Returns it.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "rye bread"]
    >>> retriever = TextRetriever().fit(texts, ["tea", "bread"])
    >>> found = retriever.search_batch(["tea", "bread"], k=1)
    >>> columns, scores = found
    >>> [best.name for (best,) in found.by_text()]
    ['tea', 'bread']
    """

    _describe: Callable

    def __new__(cls, columns, scores, describe):
        made = super().__new__(cls, (columns, scores))
        made._describe = describe
        return made

    def __reduce__(self):
        # The function holds the whole model.
        known = np.unique(self.columns[self.columns >= 0])
        described = _Descriptions(known, *self._describe(known))
        return type(self), (*self, described)

    @property
    def columns(self):
        """Columns of y, or indices into `classes_`."""
        return self[0]

    @property
    def scores(self):
        """The scores, as in `search`."""
        return self[1]

    def by_text(self) -> list[list[SearchResult]]:
        """Return the results of each text as `TextRetriever.search` does.

        Returns
        -------
        list of list of SearchResult
            As many for each text as are found.
        """
        is_found = self.columns >= 0
        labels, names = self._describe(self.columns[is_found])
        results = list(map(SearchResult, labels, names, self.scores[is_found].tolist()))
        ends = np.cumsum(is_found.sum(axis=1)).tolist()
        starts = [0, *ends[:-1]] if ends else []
        return [results[start:end] for start, end in zip(starts, ends, strict=True)]


class _Descriptions:
    """The labels and names of some columns, without the model that they are from."""

    def __init__(self, columns, labels, names):
        self.columns = columns
        self.labels = labels
        self.names = names

    def __call__(self, columns):
        positions = np.searchsorted(self.columns, columns).tolist()
        labels = [self.labels[position] for position in positions]
        return labels, [self.names[position] for position in positions]
