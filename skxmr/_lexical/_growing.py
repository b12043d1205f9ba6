"""Changes of a fitted index: labels added and removed, and further training texts."""

from dataclasses import replace

import numpy as np

from skxmr._lexical._building import TRAINING, texts_by_field
from skxmr._lexical._delta import IndexDelta, NewPostings
from skxmr._lexical._training_field import (
    counts_of_labels,
    with_counts,
    with_training_field,
)

__all__ = ["with_labels", "with_texts", "without_labels"]


def with_labels(state, fields, known):
    """Add labels to a state.

    Parameters
    ----------
    state : LexicalState
    fields : LabelFields
        The texts of the new labels.
    known : KnownClasses
        With the new labels.

    Returns
    -------
    LexicalState

    Raises
    ------
    ValueError
        If a label has more texts than the labels of the fit.
    """
    index, first = state.index, state.index.n_labels
    by_field = _checked_fields(fields, state.terms.field_names)
    n_new = len(known) - first
    terms, counted = state.terms.learn([text for field in by_field for text in field])
    new = _new_postings(counted, index, np.arange(first, first + n_new), len(by_field))
    delta = index.delta or IndexDelta.empty()
    first_counted = index.statistics.n_terms * index.n_fields
    delta = delta.with_postings(new, index.frequencies_of, first_counted)
    return replace(
        state,
        known=known,
        target=state.target.with_labels(known),
        terms=terms,
        index=index.changed(delta=delta, n_labels=len(known)),
    )


def without_labels(state, columns, known):
    """Remove labels from a state; their postings stay until the index is compacted.

    Parameters
    ----------
    state : LexicalState
    columns : ndarray of int64
    known : KnownClasses
        Without them.

    Returns
    -------
    LexicalState
    """
    removed = np.union1d(state.index.removed, columns)
    return replace(
        state,
        known=known,
        target=state.target.with_labels(known),
        index=state.index.changed(removed=removed),
    )


def with_texts(state, texts, Y, known):
    """Add training texts of labels to a state.

    The postings of these labels in the field of training texts change with their
    numbers of terms. Lists that have some of them are replaced as a whole.

    Parameters
    ----------
    state : LexicalState
    texts : list of str
    Y : csr_array of shape (n_texts, n_labels)
        The labels of each text.
    known : KnownClasses
        With labels that are new.

    Returns
    -------
    LexicalState
    """
    columns = np.unique(Y.indices).astype(np.int64)
    terms, counted = state.terms.learn(texts)
    counts = counts_of_labels(counted, Y[:, columns], terms.n_terms)
    index = state.index.changed(n_labels=len(known))
    if TRAINING not in terms.field_names:
        index = with_training_field(index, counts, terms)
        terms = terms.with_field(TRAINING)
    return replace(
        state,
        known=known,
        target=state.target.with_labels(known),
        terms=terms,
        index=with_counts(index, columns, counts, terms),
    )


def _checked_fields(fields, field_names):
    """Return the texts of labels by field."""
    n_most = sum(name != TRAINING for name in field_names)
    if fields.n_fields > n_most:
        expected = f"at most {n_most}, as in fit" if n_most else "none, as in fit"
        raise ValueError(
            f"label_texts has {fields.n_fields} texts for a label; expected {expected}."
        )
    return texts_by_field(fields)


def _new_postings(counted, index, labels, n_of_labels):
    """Return the postings of new labels.

    Parameters
    ----------
    counted : list of TermCounts
        By each analyzer: the texts of all labels, field after field.
    index : LexicalIndex
    labels : ndarray of shape (n_new,), int64
        Ascending.
    n_of_labels : int
        Number of these fields.

    Returns
    -------
    NewPostings
    """
    parts = []
    fields = np.repeat(np.arange(n_of_labels), len(labels))
    columns = np.tile(labels, n_of_labels).astype(np.int32)
    for analyzer, rows in enumerate(counted):
        n_texts = len(rows.ends)
        texts = np.repeat(np.arange(n_texts), np.diff(rows.ends, prepend=0))
        counts = rows.counts.astype(np.int64)
        lengths = np.bincount(texts, counts, minlength=n_texts).astype(np.int64)
        of_field = fields[texts]
        parts.append(
            (
                rows.terms.astype(np.int64) * index.n_fields + of_field,
                columns[texts],
                counts.astype(np.int32),
                index.statistics.values(counts, lengths[texts], analyzer, of_field),
            )
        )
    return NewPostings.sorted(*map(np.concatenate, zip(*parts, strict=True)))
