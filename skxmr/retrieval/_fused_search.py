"""Search by a model and by words together: candidates of both, with one score."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._embeddings._searching import EmbeddingSearch
from skxmr._fusion._evidence import Findings, Found
from skxmr._inputs._row_blocks import split_by_size
from skxmr._lexical._searching import LexicalSearch
from skxmr._parallel._parallel import run_tasks
from skxmr._targets import Shortlists, logs_of_scores
from skxmr.retrieval._searching import ALL_LABELS, ModelSearch
from skxmr.retrieval._state import Fusion
from skxmr.text._word_forms import spaced_words

__all__ = ["N_CANDIDATES", "FusedSearch"]

N_CANDIDATES = 100
"""The number of labels that each search finds for a text, unless more are wanted."""

_ROWS_OF_TASK = 256
# Candidates, their features' inputs and copies, relative to those of one search.
_SIZE_OF_CANDIDATE = 8


class FusedSearch(NamedTuple):
    """Search by a fitted retriever with current parameters of prediction.

    Parameters
    ----------
    model : ModelSearch
    lexical : LexicalSearch
    fusion : Fusion
    n_jobs : int or None
    by_embedding : EmbeddingSearch or None
    propensity_weight : float, default=0.0
    """

    model: ModelSearch
    lexical: LexicalSearch
    fusion: Fusion
    n_jobs: int | None
    by_embedding: EmbeddingSearch | None
    propensity_weight: float = 0.0

    @property
    def log_linear(self):
        """The score of candidates."""
        score = self.fusion.score(self.by_embedding is not None)
        return score.with_propensities(self.propensity_weight)

    @property
    def n_labels(self):
        """Number of labels."""
        return len(self.fusion.evidence.names)

    def rank(self, texts, X, k, choice):
        """Rank the labels of texts, in parallel.

        Parameters
        ----------
        texts : list of str
        X : matrix of shape (n_texts, n_features)
            Their features for the classifier.
        k : int
        choice : Choice

        Returns
        -------
        columns : ndarray of shape (n_texts, k), int64
            -1 if fewer labels are found. All candidates if scores are to be weighed.
        scores : ndarray of shape (n_texts, k), float32
            0 if fewer labels are found.
        """
        n_candidates = self._n_candidates(k)
        n_ranked = self._n_ranked(k, n_candidates, choice.is_weighed)
        return self._rank_all(texts, X, n_ranked, n_candidates, choice)

    def rank_one(self, text, k, choice):
        """Rank the labels of one text, without the overhead of `rank`.

        Returns
        -------
        columns : ndarray of shape (1, k), int64
        scores : ndarray of shape (1, k), float32
        """
        n_candidates = self._n_candidates(k)
        n_ranked = self._n_ranked(k, n_candidates, choice.is_weighed)
        log_linear = self.log_linear
        columns, scores = self.fusion.evidence.rank_one(
            self._find_one(text, n_candidates, choice),
            n_ranked,
            log_linear.weights,
            log_linear.calibration,
        )
        return columns[np.newaxis], scores.astype(np.float32)[np.newaxis]

    def _find_one(self, text, n_candidates, choice):
        (columns,), (scores,) = self.model.rank_one(text, n_candidates, choice)
        queries = self.lexical.queries([text])
        others, _ = self.lexical.find(queries, n_candidates, choice.factors)
        embedding = None
        if self.by_embedding is not None:
            find = self._find_by_embedding
            vectors, found = find(self.by_embedding, [text], n_candidates, choice)
            others = np.concatenate([others, found], axis=1)
            embedding = vectors[0]
        return Found(
            np.ascontiguousarray(columns, dtype=np.int64),
            np.ascontiguousarray(scores, dtype=np.float64),
            others[0],
            queries.terms,
            queries.counts,
            spaced_words(text),
            embedding,
        )

    def describe(self, text, column):
        """Describe a label as a candidate of a text, whether or not it is found.

        Parameters
        ----------
        text : str
        column : int

        Returns
        -------
        features : ndarray of shape (n_features,)
        score : float
        """
        n_candidates = self._n_candidates(1)
        model = self.model.rank_one(text, n_candidates, ALL_LABELS)
        findings = self._find([text], model, n_candidates, ALL_LABELS)
        if not (findings.other_columns == column).any():
            more = np.append(findings.other_columns, [[column]], axis=1)
            findings = findings._replace(other_columns=more)
        candidates = self.fusion.evidence.describe(findings)
        columns, scores = self._rank_found(findings, len(candidates.columns))
        features = candidates.features[candidates.columns == column]
        (score,) = scores[columns == column].astype(np.float32).tolist()
        return features[0], score

    def score(self, texts, X, among):
        """Score given labels of texts, in parallel.

        Parameters
        ----------
        texts : list of str
        X : matrix of shape (n_texts, n_features)
        among : RowSubset
            Of allowed labels.

        Returns
        -------
        ndarray, float32
            The score of each entry of the mask, as `describe` returns it.
        """
        n_candidates = self._n_candidates(1)
        parts = [np.empty(0)]
        X = X.tocsr() if sparse.issparse(X) else X
        size = n_candidates * _SIZE_OF_CANDIDATE + among.most
        for rows in split_by_size(len(texts), size):
            part = among.between(rows.start, rows.stop)
            model = self.model.rank(texts[rows], X[rows], n_candidates, ALL_LABELS)
            findings = self._find(texts[rows], model, n_candidates, ALL_LABELS)
            tasks = [
                (findings.part(start, stop), part.between(start, stop))
                for start in range(0, len(part.offsets) - 1, _ROWS_OF_TASK)
                for stop in [min(start + _ROWS_OF_TASK, len(part.offsets) - 1)]
            ]
            shared = self.fusion.evidence, self.log_linear
            parts += run_tasks(_score, tasks, n_jobs=self.n_jobs, shared=shared)
        return np.concatenate(parts).astype(np.float32)

    def shortlists(self, texts, X):
        """Return the candidates of texts with the logarithms of their scores.

        Parameters
        ----------
        texts : list of str
        X : matrix of shape (n_texts, n_features)

        Returns
        -------
        Shortlists
        """

        def find(k=None):
            n_candidates = self._n_candidates(1 if k is None else k)
            n_ranked = self._n_ranked(k, n_candidates, has_all=k is None)
            for rows in split_by_size(len(texts), n_ranked):
                part = texts[rows], X[rows], n_ranked, n_candidates, ALL_LABELS
                yield logs_of_scores(*self._rank_all(*part))

        return Shortlists(len(texts), find)

    def _rank_all(self, texts, X, k, n_candidates, choice):
        """Rank the labels of texts, a block at a time."""
        X = X.tocsr() if sparse.issparse(X) else X
        parts = [
            self._rank_block(
                texts[rows], X[rows], k, n_candidates, choice.of_rows(rows)
            )
            for rows in split_by_size(len(texts), n_candidates * _SIZE_OF_CANDIDATE)
        ]
        columns, scores = zip(*parts, strict=True)
        return np.concatenate(columns), np.concatenate(scores)

    def _rank_block(self, texts, X, k, n_candidates, choice):
        """Rank so few texts that their candidates fit in memory."""
        n = len(texts)
        model = self.model.rank(texts, X, n_candidates, choice)
        findings = self._find(texts, model, n_candidates, choice)
        tasks = [
            findings.part(start, min(start + _ROWS_OF_TASK, n))
            for start in range(0, max(n, 1), _ROWS_OF_TASK)
        ]
        shared = (self.fusion.evidence, self.log_linear, k)
        ranked = run_tasks(_rank, tasks, n_jobs=self.n_jobs, shared=shared)
        columns, scores = map(np.concatenate, zip(*ranked, strict=True))
        return columns, scores.astype(np.float32)

    def _find(self, texts, model, n_candidates, choice):
        queries = self.lexical.queries(texts)
        columns, _ = self.lexical.find(queries, n_candidates, choice.factors)
        findings = Findings.of(texts, queries, model, columns)
        if self.by_embedding is None:
            return findings
        return findings.with_embeddings(
            *self._find_by_embedding(self.by_embedding, texts, n_candidates, choice)
        )

    def _find_by_embedding(self, search, texts, n_candidates, choice):
        vectors = search.encode(texts)
        found = search.find(
            vectors, n_candidates, choice.factors, self._scale(), self.n_jobs
        )
        return vectors, found

    def _scale(self):
        """Return what logarithms of factors count in units of the embeddings' products.

        Scores are multiplied by factors: their logarithms are added to weighted sums.
        """
        weight = self.log_linear.weights[-1]
        return 1 / weight if weight > 0 else 1.0

    def _rank_found(self, findings, k):
        return _rank(findings, self.fusion.evidence, self.log_linear, k)

    def _n_candidates(self, k):
        """Return how many labels each search finds: at least as many as wanted.

        The number grows in steps, so that most pages are of the same ranking.
        """
        n_candidates = N_CANDIDATES
        while n_candidates < k:
            n_candidates *= 2
        return min(n_candidates, self.n_labels)

    def _n_ranked(self, k, n_candidates, has_all):
        """Return how many labels are ranked: those wanted, or all candidates."""
        n_searches = 2 if self.by_embedding is None else 3
        return min(n_searches * n_candidates if has_all else k, self.n_labels)


def _score(task, evidence, log_linear):
    return evidence.score(*task, log_linear.weights, log_linear.calibration)


def _rank(findings, evidence, log_linear, k):
    return evidence.rank(findings, k, log_linear.weights, log_linear.calibration)
