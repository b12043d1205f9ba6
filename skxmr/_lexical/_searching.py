"""Search of a lexical index with the parameters of a ranker."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._inputs._row_blocks import split_by_size
from skxmr._lexical._expansion import Expansion
from skxmr._lexical._explanation import LexicalExplanation, TermScore
from skxmr._lexical._state import LexicalState
from skxmr._parallel._parallel import run_tasks
from skxmr._targets import Shortlists, logs_of_scores
from skxmr._utils._padding import check_size, pad_ranking
from skxmr.ranking import RowFactors, look_up

__all__ = ["LexicalSearch"]

_ROWS_OF_TASK = 256


class LexicalSearch(NamedTuple):
    """A fitted index, and how to search it.

    Parameters
    ----------
    state : LexicalState
    expansion : Expansion or None
        Which words of queries are expanded; None for none.
    field_weights : ndarray of shape (n_fields,), float32
    n_jobs : int or None
    """

    state: LexicalState
    expansion: Expansion | None
    field_weights: NDArray
    n_jobs: int | None

    def rank(self, texts, k, label_weights=None, scale=1.0):
        """Rank the labels of texts, in parallel.

        Parameters
        ----------
        texts : list of str
        k : int
        label_weights : ndarray of shape (n_labels,), float32, or RowFactors, \
                default=None
            Factors of the scores, between 0 and 1.
        scale : float, default=1.0
            Another factor, of all scores.

        Returns
        -------
        columns : ndarray of shape (n_texts, k), int64
            -1 if fewer labels are found.
        scores : ndarray of shape (n_texts, k), float32
            0 if fewer labels are found.
        """
        n_found = check_size(len(texts), k, self.state.index.n_labels)
        columns, scores = self.find(self.queries(texts), n_found, label_weights)
        return pad_ranking(columns, _finite(columns, scores, scale), k)

    def rank_one(self, text, k, label_weights=None, scale=1.0):
        """Rank the labels of one text, without the overhead of `rank`.

        Returns
        -------
        columns : ndarray of shape (k,), int64
        scores : ndarray of shape (k,), float32
        """
        n_found = check_size(1, k, self.state.index.n_labels)
        (columns,), (scores,) = self.find(self.queries([text]), n_found, label_weights)
        scores = (scores if scale == 1.0 else scores * scale).astype(np.float32)
        if n_found and columns[-1] < 0:
            scores[columns < 0] = 0
        return pad_ranking(columns, scores, k)

    def score(self, texts, among):
        """Score given labels of texts, in parallel.

        Parameters
        ----------
        texts : list of str
        among : RowSubset
            Of allowed labels.

        Returns
        -------
        ndarray, float32
            The score of each entry of the mask, as in a ranking; 0 if it shares no term
            with its text.
        """
        queries, parts = self.queries(texts), [np.empty(0, dtype=np.float32)]
        for rows in split_by_size(len(texts), among.most):
            part = among.between(rows.start, rows.stop)
            columns, scores = self.find(
                queries.part(rows.start, rows.stop),
                max(1, part.most),
                RowFactors.of(part),
            )
            scores = _finite(columns, scores, 1.0)
            parts.append(look_up(part.offsets, part.columns, columns, scores))
        return np.concatenate(parts)

    def shortlists(self, texts, n_candidates):
        """Score the best labels of texts by shares of the best possible score.

        Parameters
        ----------
        texts : list of str
        n_candidates : int

        Returns
        -------
        Shortlists
        """
        index = self.state.index
        most = min(n_candidates, index.n_labels)

        def find(k=None):
            wanted = most if k is None else min(k, index.n_labels)
            for rows in split_by_size(len(texts), wanted):
                queries = self.queries(texts[rows])
                columns, scores = self.find(queries, wanted)
                bounds = index.bounds(queries, self.field_weights)
                with np.errstate(invalid="ignore"):  # of no term: nothing is found
                    shares = np.maximum(scores, 0) / bounds[:, np.newaxis]
                yield logs_of_scores(columns, np.where(columns < 0, 0, shares))

        return Shortlists(len(texts), find)

    def explain(self, text, label, column):
        """Explain the score of a label.

        Parameters
        ----------
        text : str
        label : object
            What the explanation calls the label.
        column : int

        Returns
        -------
        LexicalExplanation
        """
        terms = sorted(self._term_scores(text, column), key=_descending)
        return LexicalExplanation(label, tuple(terms))

    def _term_scores(self, text, column):
        """Yield what the terms of a text add to the score of a label."""
        terms, index = self.state.terms, self.state.index
        queries = terms.of_text(text, self.expansion)
        weights = self.field_weights.tolist()
        for term, count in zip(queries.terms, queries.counts, strict=True):
            for field, name in enumerate(terms.field_names):
                posting = index.posting(term, field, column)
                if posting is None or weights[field] == 0:
                    continue
                analyzer, word = terms.describe(term)
                idf = index.inverse_document_frequency(term, field)
                yield TermScore(
                    term=word,
                    analyzer=analyzer,
                    field=name,
                    query_count=float(count),
                    count=posting[0],
                    idf=idf,
                    weight=weights[field],
                    score=float(count) * weights[field] * idf * posting[1],
                )

    def queries(self, texts):
        """Return the terms of texts.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        Queries
        """
        if len(texts) == 1:
            return self.state.terms.of_text(texts[0], self.expansion)
        return self.state.terms.of_texts(texts, self.expansion)

    def find(self, queries, k, label_weights=None):
        """Find the best labels of queries, in parallel.

        Parameters
        ----------
        queries : Queries
        k : int
        label_weights : ndarray of shape (n_labels,), float32, or RowFactors, \
                default=None
            Factors of the scores, between 0 and 1.

        Returns
        -------
        labels : ndarray of shape (n_queries, k), int64
            -1 where fewer are found.
        scores : ndarray of shape (n_queries, k), float64
            -inf where fewer are found.
        """
        index, n = self.state.index, queries.n_queries
        shared = index, k, self.field_weights
        if n <= 1:
            return _find((queries, label_weights), *shared)
        tasks = [
            (queries.part(start, stop), _part_of(label_weights, start, stop))
            for start in range(0, n, _ROWS_OF_TASK)
            for stop in [min(start + _ROWS_OF_TASK, n)]
        ]
        found = run_tasks(_find, tasks, n_jobs=self.n_jobs, shared=shared)
        columns, scores = zip(*found, strict=True)
        return np.concatenate(columns), np.concatenate(scores)


def _part_of(label_weights, start, stop):
    is_by_row = isinstance(label_weights, RowFactors)
    return label_weights.between(start, stop) if is_by_row else label_weights


def _find(task, index, k, field_weights):
    queries, label_weights = task
    if not isinstance(label_weights, RowFactors) or not queries.n_queries:
        common = None if isinstance(label_weights, RowFactors) else label_weights
        return index.find(queries, k, field_weights, common)
    found = [
        index.find(queries.part(row, row + 1), k, field_weights, factors)
        for row, factors in enumerate(label_weights)
    ]
    columns, scores = zip(*found, strict=True)
    return np.concatenate(columns), np.concatenate(scores)


def _descending(term):
    return -term.score, term.field, term.term


def _finite(columns, scores, scale):
    """Return scores times a factor; 0 where there is no label."""
    return np.where(columns < 0, 0, scores * scale).astype(np.float32)
