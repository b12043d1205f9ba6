"""Weights of the score, fitted to a held-out part of the log."""

from typing import NamedTuple

import numpy as np

from skxmr._matching._prefixes import draw_prefixes
from skxmr.completion._evidence import Evidence, best_suggestions
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.completion._query_log import QueryLog
from skxmr.text._normalization import stem_of

__all__ = ["DEFAULT_WEIGHTS", "choose_weights"]

# The values to choose from, ascending.
_CHOICES = {
    "decay": (0.1, 0.3, 0.8),
    "reversed_weight": (0.0, 0.2, 0.6, 1.0),
    "smoothing": (3.0, 10.0, 30.0),
    "popularity_weight": (0.3, 1.0, 3.0, 10.0),
}
DEFAULT_WEIGHTS = {
    "decay": 0.1,
    "reversed_weight": 0.2,
    "smoothing": 10.0,
    "popularity_weight": 1.0,
}

_HELD_OUT_SHARE = 0.1
_MOST_HELD_OUT = 2000
# With fewer pairs, differences are chance.
_LEAST_HELD_OUT = 100
_PREFIXES = 3
_K = 10


def choose_weights(log, learner, given):
    """Choose weights with the largest mean reciprocal rank of held-out queries.

    One after the other moves from its default to the next larger value as long as the
    gain is larger than twice its standard error; if it does not move, it tries smaller
    ones.

    Parameters
    ----------
    log : QueryLog
        Merged.
    learner : TransitionLearner
    given : dict of str to (float or None)
        The weights; None for those to choose.

    Returns
    -------
    dict of str to float
        All weights. Those to choose have the defaults if the log is too small.
    """
    weights = {
        name: default if given[name] is None else float(given[name])
        for name, default in DEFAULT_WEIGHTS.items()
    }
    open_ones = [name for name in _CHOICES if given[name] is None]
    if "decay" in open_ones and max(map(len, log.sessions), default=0) < 2:
        open_ones.remove("decay")
    held_out = _hold_out(log) if open_ones else None
    if held_out is None:
        return weights
    trials = _Trials(held_out, learner)
    for name in open_ones:
        weights = trials.improved(weights, name)
    return weights


def _is_clear(gains, counts):
    """Return whether the mean gain is larger than twice its standard error."""
    mean = float(np.average(gains, weights=counts))
    error = float(np.sqrt(((counts * (gains - mean)) ** 2).sum())) / float(counts.sum())
    return mean > 2 * error


class _HeldOut(NamedTuple):
    """A log without some pairs, and these.

    Parameters
    ----------
    log : QueryLog
        The others; of the same keys.
    sessions : list of tuple of str of length n_held_out
    ranks : ndarray of shape (n_held_out,), int64
    counts : ndarray of shape (n_held_out,), float64
    """

    log: QueryLog
    sessions: list
    ranks: np.ndarray
    counts: np.ndarray


def _hold_out(log):
    """Hold out a tenth of each count, by the same random numbers every time.

    Returns
    -------
    _HeldOut or None
        None if too few queries are left that can be completed by their session.
    """
    random = np.random.RandomState(0)
    drawn = random.random_sample(len(log.counts))
    held = np.minimum(np.floor(_HELD_OUT_SHARE * log.counts + drawn), log.counts)
    held *= np.fromiter(map(len, log.sessions), np.int64, len(held)) > 0
    given_back = random.permutation(np.flatnonzero(held))[_MOST_HELD_OUT:]
    held[given_back] = 0
    left = log.counts - held
    still_known = np.bincount(log.ranks, left, minlength=len(log.keys)) > 0
    pairs = np.flatnonzero((held > 0) & still_known[log.ranks])
    if len(pairs) < _LEAST_HELD_OUT:
        return None
    rest = np.flatnonzero(left)
    return _HeldOut(
        log._replace(
            sessions=[log.sessions[pair] for pair in rest.tolist()],
            ranks=log.ranks[rest],
            counts=left[rest],
        ),
        [log.sessions[pair] for pair in pairs.tolist()],
        log.ranks[pairs],
        held[pairs],
    )


class _Trials:
    """Completions of held-out queries by a log without them.

    Parameters
    ----------
    held_out : _HeldOut
    learner : TransitionLearner
    """

    def __init__(self, held_out, learner):
        self._held_out, self._learner = held_out, learner
        log, ranks = held_out.log, held_out.ranks
        self._index = PrefixIndex(log.keys, log.query_counts)
        self._learned = None
        self._known: dict[tuple, np.ndarray] = {}
        lengths = np.array([len(stem_of(log.keys[rank])) for rank in ranks.tolist()])
        self._pairs, lengths = draw_prefixes(
            lengths, _PREFIXES, np.random.RandomState(0)
        )
        self._ranges = [
            self._index.find(log.keys[rank][:length])
            for rank, length in zip(
                ranks[self._pairs].tolist(), lengths.tolist(), strict=True
            )
        ]

    def improved(self, weights, name):
        """Return the weights with a better value of one of them, if there is any."""
        place = _CHOICES[name].index(weights[name])
        larger, smaller = _CHOICES[name][place + 1 :], _CHOICES[name][:place][::-1]
        return self._moved(weights, name, larger) or (
            self._moved(weights, name, smaller) or weights
        )

    def _moved(self, weights, name, values):
        """Move one of the weights as long as this is better; None if it never is."""
        moved = None
        for value in values:
            other = weights | {name: value}
            gains = self._reciprocal_ranks(other) - self._reciprocal_ranks(weights)
            if not _is_clear(gains, self._held_out.counts):
                break
            moved = weights = other
        return moved

    def _reciprocal_ranks(self, weights):
        """Compute those of `_complete_all`, once for the same weights."""
        key = tuple(weights.values())
        if key not in self._known:
            self._known[key] = self._complete_all(weights)
        return self._known[key]

    def _complete_all(self, weights):
        """Return the mean reciprocal rank of each pair, over its prefixes.

        Parameters
        ----------
        weights : dict of str to float

        Returns
        -------
        ndarray of shape (n_held_out,), float64
        """
        transitions = self._learn(weights)
        sessions, ranks = self._held_out.sessions, self._held_out.ranks
        found = np.zeros(len(self._pairs))
        for i, (pair, ranges) in enumerate(
            zip(self._pairs.tolist(), self._ranges, strict=True)
        ):
            followed = transitions.after(sessions[pair], ranges)
            best = self._best(followed, ranges, weights)
            hits = np.flatnonzero(best == ranks[pair])
            found[i] = 1 / (hits[0] + 1) if len(hits) else 0.0
        return np.bincount(self._pairs, found) / np.bincount(self._pairs)

    def _learn(self, weights):
        """Learn transitions, unless only the popularity's weight is another one."""
        learned_with = {**weights, "popularity_weight": None}
        if self._learned is None or self._learned[0] != learned_with:
            log, sessions = self._held_out.log, self._held_out.sessions
            transitions = self._learner.learn(log, weights, sessions)
            self._learned = learned_with, transitions
        return self._learned[1]

    def _best(self, followed, ranges, weights):
        prior = weights["popularity_weight"] / self._index.total
        evidence = Evidence(self._index, ranges, prior)
        for age, ranks, counts in followed:
            evidence.add(ranks, counts, weights["decay"] ** age)
        return best_suggestions(evidence, _K)[0]
