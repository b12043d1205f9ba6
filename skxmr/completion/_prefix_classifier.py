"""Ranking of queries by a classifier of prefix and session."""

import numpy as np
from scipy import sparse

from skxmr._base._fitted_clone import FittedClone
from skxmr._search._beam_search import search_one, search_trees
from skxmr.stages._stages import refuse_custom_stages
from skxmr.text._single import LeanTransformer, fit_transform_texts

__all__ = ["PrefixRanker"]


class PrefixRanker:
    """Ranks matching queries by their prefix and session.

    Parameters
    ----------
    before : LeanTransformer
        Vectorizer of the session's text.
    typed : LeanTransformer
        Vectorizer of the prefix.
    ranking : FittedClone
        The `XRLinearClassifier`; its columns are the ranks of the queries at the time
        of the fit.
    """

    def __init__(self, before, typed, ranking):
        self.before = before
        self.typed = typed
        self.ranking = ranking

    @property
    def classifier(self):
        """The fitted classifier."""
        return self.ranking.estimator

    @classmethod
    def learn(
        cls,
        log,
        drawn_from,
        lengths,
        *,
        previous_vectorizer,
        prefix_vectorizer,
        classifier,
    ):
        """Fit clones of the stages to prefixes of the queries of a log.

        Parameters
        ----------
        log : QueryLog
        drawn_from : ndarray of shape (n_drawn,), int64
            Positions in the log of the queries whose prefixes were drawn.
        lengths : ndarray of shape (n_drawn,), int64
            The lengths of the prefixes in characters.
        previous_vectorizer, prefix_vectorizer : transformer
        classifier : XRLinearClassifier
        """
        refuse_custom_stages(classifier, "QueryCompleter")
        ranks = log.ranks[drawn_from]
        prefixes = [
            _without_blank(log.keys[rank][:length])
            for rank, length in zip(ranks.tolist(), lengths.tolist(), strict=True)
        ]
        X = fit_transform_texts(prefix_vectorizer, prefixes)
        texts = [_text_of(session) for session in log.sessions]
        before = sparse.csr_array(fit_transform_texts(previous_vectorizer, texts))
        X = sparse.hstack([before[drawn_from], X], format="csr", dtype=np.float32)
        Y = sparse.csr_array(
            (np.ones(len(ranks), dtype=np.int8), ranks, np.arange(len(ranks) + 1)),
            shape=(len(ranks), len(log.keys)),
        )
        classifier.fit(X, Y, relevance=log.counts[drawn_from], label_names=log.keys)
        return cls(
            LeanTransformer(previous_vectorizer),
            LeanTransformer(prefix_vectorizer),
            FittedClone.of(classifier),
        )

    @property
    def n_queries(self):
        """The number of queries that it was fitted to."""
        return len(self.classifier.classes_)

    def rank(self, prefix, session, ranges, k, parameter, n_jobs=None):
        """Find the best queries in some ranges.

        Parameters
        ----------
        prefix : str
        session : sequence of str
        ranges : ndarray of shape (n_ranges, 2), int64
            Of the queries' ranks at the time of the fit.
        k : int
        parameter : XRLinearClassifier
            The estimator that the classifier was cloned from, with its current
            parameters.
        n_jobs : int or None, default=None
            Replaces the classifier's `n_jobs` if that is None.

        Returns
        -------
        ranks : ndarray of shape (at most k,), int64
            Best first.
        shares : ndarray of the same shape, float64
            The scores, scaled to sum to 1. Empty if nothing is known of the session.
        """
        features = self._features(prefix, session)
        if features is None:
            return np.empty(0, dtype=np.int64), np.empty(0)
        indices, values = features
        classifier = self.ranking.following(parameter, n_jobs)
        state, beam_width, transform = classifier._searching()

        def search(layout, k):
            return search_one(
                layout,
                indices,
                values,
                k=k,
                beam_width=beam_width,
                score_transform=transform,
                allowed=layout.label_nodes.allow(ranges),
                as_logs=True,
            )

        columns, log_scores = search_trees(search, state.layouts, k)
        n_found = int((columns >= 0).sum())
        # Computed from logarithms: the scores themselves may underflow.
        shares = np.exp(log_scores[:n_found] - log_scores[:1])
        return columns[:n_found], shares / shares.sum()

    def _features(self, prefix, session):
        before, before_values = self.before.transform_one(_text_of(session))
        if len(before) == 0:
            return None
        typed, typed_values = self.typed.transform_one(_without_blank(prefix))
        return (
            np.concatenate([before, typed + np.int32(self.before.n_features)]),
            np.concatenate([before_values, typed_values]),
        )


def _without_blank(prefix):
    """Remove the marker of a complete word, which few training prefixes have.

    The index decides which queries match.
    """
    return prefix.removesuffix(" ")


def _text_of(session):
    return " ".join(session)
