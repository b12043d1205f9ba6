"""Learning terms from texts that come after a vectorizer was fitted."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from skxmr.text._counting import count_all
from skxmr.text._later_terms import (
    Counted,
    GrownTransformer,
    LaterTerms,
    owners_of,
    side_by_side,
    term_frequencies,
    wider,
)
from skxmr.text._ngram_tfidf import NgramTfidf
from skxmr.text._single import LeanTransformer
from skxmr.text._tfidf import NORMS, inverse_document_frequency
from skxmr.text._vocabulary import find_terms

__all__ = ["learn_texts"]


def learn_texts(transformer, texts):
    """Learn the terms of further texts, and return the features of these.

    Document frequencies are those in these texts, and the number of documents is that
    of the fit. Terms that are learned keep their weights for ever, so that features do
    not depend on what comes later.

    Parameters
    ----------
    transformer : LeanTransformer or GrownTransformer
        Unchanged.
    texts : list of str

    Returns
    -------
    transformer : LeanTransformer or GrownTransformer
        The same if nothing is new, or if no part of the vectorizer can learn terms:
        only vectorizers of this package can, alone or in a union, if their vocabulary
        was neither given nor bounded by `max_features`. A `FrozenEstimator` cannot.
    features : matrix of shape (n_texts, n_features)
    """
    before = transformer
    if isinstance(transformer, LeanTransformer):
        later = _parts_to_grow(transformer)
        before = GrownTransformer(transformer, later, transformer.n_features)
    n_features, after, counted = before.n_features, list(before.later), {}
    for i, (part, terms) in enumerate(
        zip(before.known.parts, before.later, strict=True)
    ):
        if terms is not None:
            after[i], counted[i] = _learn_part(texts, part, terms, n_features)
            n_features += len(after[i].columns) - len(terms.columns)
    if n_features == before.n_features:
        return transformer, transformer.transform(texts)
    known = sparse.csr_array((len(texts), n_features), dtype=np.float32)
    if len(counted) < len(after):
        known = wider(before.known.transform(texts), n_features)
    features = side_by_side(before.known, counted, known)
    return GrownTransformer(before.known, after, n_features), features


def _parts_to_grow(known):
    """Return no later terms for each part that can learn some; None for others."""
    is_frozen = isinstance(known.vectorizer, FrozenEstimator)
    return [
        None
        if is_frozen or not _can_grow(part)
        else LaterTerms.none(part._fitted().idf)
        for part in known.parts
    ]


def _can_grow(part):
    # A subclass may do something else.
    if getattr(type(part), "transform_one", None) is not NgramTfidf.transform_one:
        return False
    state = part._fitted()
    return (
        state.n_documents is not None
        and not state.is_fixed
        and part.max_features is None
    )


def _learn_part(texts, part, later, first):
    """Learn and count the terms of texts.

    New are the terms that neither the vectorizer nor the later terms have; `min_df` and
    `max_df` bound their document frequencies too.

    Returns
    -------
    LaterTerms
    Counted
    """
    state = part._fitted()
    terms, rows = count_all(texts, state.cutting)
    frequency = np.bincount(rows.indices, minlength=len(terms))
    low, high = _bounds(part, state.n_documents)
    columns = find_terms(terms, state.terms)
    is_known = columns >= 0
    positions = np.full(len(terms), -1, dtype=np.int32)
    unknown = [terms[i] for i in np.flatnonzero(~is_known).tolist()]
    positions[~is_known] = find_terms(unknown, later.vocabulary)
    is_new = (frequency >= low) & (frequency <= high) & ~is_known & (positions < 0)
    idf = None
    if state.idf is not None:
        # Of no more documents than there are.
        idf = inverse_document_frequency(
            np.minimum(frequency[is_new], state.n_documents),
            state.n_documents,
            smooth=part.smooth_idf,
            dtype=state.idf.dtype,
        )
    if is_new.any():
        new = [terms[i] for i in np.flatnonzero(is_new).tolist()]
        positions[is_new] = len(later.columns) + np.arange(len(new))
        later = later.with_terms(new, idf, first)
    is_later = positions >= 0
    columns[is_later] = later.columns[positions[is_later]]
    values = term_frequencies(state.weighting, rows)
    if state.idf is not None:
        idf = np.zeros(len(terms), dtype=state.idf.dtype)
        idf[is_known] = state.idf[columns[is_known]]
        idf[is_later] = later.idf[positions[is_later]]
        values *= idf[rows.indices]
    of_entries = columns[rows.indices]
    is_kept = of_entries >= 0
    counted = Counted(
        owners_of(rows)[is_kept],
        of_entries[is_kept],
        values[is_kept],
        NORMS[state.weighting.norm],
    )
    return later, counted


def _bounds(part, n_documents):
    """Return the bounds of document frequencies."""
    low, high = part.min_df, part.max_df
    return (
        low if isinstance(low, Integral) else low * n_documents,
        high if isinstance(high, Integral) else high * n_documents,
    )
