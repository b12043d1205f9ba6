"""Completion tasks: pairs of a previous and a next query, and prefixes to complete."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.datasets import read_table

# The share of the training pairs, the last ones, that tuning is evaluated on.
VALIDATION_SHARE = 0.15
LENGTHS = (1, 2, 3, 5)
UNIFORM = "uniform"
PREFIXES_PER_QUERY = 4


@dataclass(frozen=True)
class Pairs:
    """Previous and next queries in lower case, one pair per row.

    What is before a query may be a list of queries, the newest last, which only skxmr's
    completers take.
    """

    previous: list
    queries: list[str]

    def __len__(self):
        return len(self.queries)

    def part(self, rows):
        """The pairs in a slice."""
        return Pairs(self.previous[rows], self.queries[rows])


@dataclass(frozen=True)
class Calls:
    """Calls of a completer: prefixes of several lengths for each test row.

    Attributes
    ----------
    rows : ndarray of shape (n_calls,), int64
        The pair that a call belongs to.
    groups : ndarray of shape (n_calls,), str
        "1", "2", ... for prefixes of so many characters (the whole query where it has
        fewer), and "uniform" for those of a length drawn uniformly.
    prefixes : list of str
    """

    rows: np.ndarray
    groups: np.ndarray
    prefixes: list[str]


def fold(text):
    """Lower case and single spaces, so that all systems see the same strings."""
    return " ".join(text.lower().split())


def article_paths(part):
    """Pairs of an article and the next one that was opened, ordered by time."""
    rows = read_table("article_paths", part)
    return Pairs([fold(row[2]) for row in rows], [fold(row[3]) for row in rows])


def subjects(part):
    """Pairs of consecutive terms of one record, shuffled.

    The file lists a record's terms in the order of their numbers, in which a term says
    too much of the next; so they are shuffled.
    """
    pairs = subject_sessions(part)
    return Pairs([session[-1] for session in pairs.previous], pairs.queries)


def subject_sessions(part):
    """Terms of one record, shuffled, each with all before it as its session."""
    names = {row[0]: fold(row[1]) for row in read_table("subjects", "labels")}
    rng = np.random.default_rng(0 if part == "train" else 1)
    previous, queries = [], []
    for _, ids in read_table("subjects", part):
        terms = [names[term] for term in ids.split()]
        rng.shuffle(terms)
        previous += [terms[:n] for n in range(1, len(terms))]
        queries += terms[1:]
    return Pairs(previous, queries)


TASKS = {
    "article_paths": article_paths,
    "subjects": subjects,
    "subject sessions": subject_sessions,
}


def split_for_tuning(pairs):
    """Split training pairs into the first, for fitting, and the last, for tuning."""
    cut = round(len(pairs) * (1 - VALIDATION_SHARE))
    return pairs.part(slice(cut)), pairs.part(slice(cut, None))


def make_calls(pairs, seed=0):
    """All prefixes of a test."""
    rng = np.random.default_rng(seed)
    longest = np.array([len(query) for query in pairs.queries])
    lengths = {str(length): np.full(len(pairs), length) for length in LENGTHS}
    lengths[UNIFORM] = rng.integers(1, longest, endpoint=True)
    return Calls(
        np.tile(np.arange(len(pairs)), len(lengths)),
        np.repeat(list(lengths), len(pairs)),
        [
            query[:length]
            for drawn in lengths.values()
            for query, length in zip(pairs.queries, drawn, strict=True)
        ],
    )


def draw_training_prefixes(pairs, seed=0):
    """Draw training prefixes for systems that do not draw them.

    Returns
    -------
    rows : list of int
        The pair of each prefix, ascending.
    lengths : list of int
        Length l has a probability proportional to ln((l + 1) / l).
    """
    rng = np.random.default_rng(seed)
    longest = np.array([len(query) for query in pairs.queries])[:, np.newaxis]
    parts = np.arange(PREFIXES_PER_QUERY)
    shares = (parts + rng.random((len(pairs), len(parts)))) / len(parts)
    drawn = np.exp(shares * np.log(longest + 1)).astype(int)
    drawn = np.minimum(np.maximum(drawn, 1), longest)
    found = [
        (row, length)
        for row, of_row in enumerate(drawn.tolist())
        for length in sorted(set(of_row))
    ]
    rows, lengths = zip(*found, strict=True)
    return list(rows), list(lengths)


def write(train, test, calls, path):
    """Write the file that a worker reads.

    A worker answers with numbers of "known" queries: those of training, sorted.
    """
    rows, lengths = draw_training_prefixes(train)
    content = {
        "previous": train.previous,
        "queries": train.queries,
        "known": sorted(set(train.queries)),
        "prefix_rows": rows,
        "prefix_lengths": lengths,
        "calls": {
            "prefixes": calls.prefixes,
            "previous": [test.previous[row] for row in calls.rows],
        },
    }
    Path(path).write_text(json.dumps(content), encoding="utf-8")
    return content["known"]
