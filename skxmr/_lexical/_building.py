"""The fields of labels, and their index."""

from typing import NamedTuple

from scipy import sparse
from sklearn.pipeline import make_union

from skxmr._lexical._analysis import make_counter
from skxmr._lexical._bm25 import IndexBuilder
from skxmr._lexical._expansion import WordExpansion
from skxmr._lexical._terms import IndexedTerms

__all__ = ["TRAINING", "Indexing", "index_labels"]

# The name of the field that holds the training texts of each label.
TRAINING = "training"


class Indexing(NamedTuple):
    """How to build an index.

    Parameters
    ----------
    analyzers : list of {"word", "char"}
    token_filter : callable or None
    k1, b : float
    n_jobs : int or None
    """

    analyzers: list
    token_filter: object
    k1: float
    b: float
    n_jobs: int | None


def index_labels(fields, texts, Y, indexing):
    """Index the texts of labels, and the training texts of each label.

    Parameters
    ----------
    fields : LabelFields or None
        None if labels have no texts.
    texts : list of str
        The training texts; if there are none, there is no field for them.
    Y : csr_array of shape (n_texts, n_labels)
    indexing : Indexing

    Returns
    -------
    terms : IndexedTerms
    index : LexicalIndex

    Raises
    ------
    ValueError
        If no text has a term.
    """
    names, of_labels = _label_fields(fields)
    documents = [text for field in of_labels for text in field]
    if texts:
        names.append(TRAINING)
        documents += texts
    counters = [
        make_counter(analyzer, indexing.token_filter, indexing.n_jobs)
        for analyzer in indexing.analyzers
    ]
    builder = IndexBuilder(len(names), Y.shape[1], indexing.k1, indexing.b)
    expansion = None
    for analyzer, counter in zip(indexing.analyzers, counters, strict=True):
        counts = sparse.csr_array(_fit_transform(counter, documents))
        frequencies = builder.add(_counts_of_fields(counts, len(of_labels), Y))
        del counts
        if analyzer == "word":
            expansion = WordExpansion.of(counter, frequencies, Y.shape[1])
    counter = counters[0] if len(counters) == 1 else make_union(*counters)
    terms = IndexedTerms(indexing.analyzers, counter, names, expansion)
    return terms, builder.build()


def _counts_of_fields(counts, n_of_labels, Y):
    """Divide the counts of all documents into those of each field."""
    n_labels = Y.shape[1]
    fields = [
        counts[field * n_labels : (field + 1) * n_labels]
        for field in range(n_of_labels)
    ]
    if Y.shape[0]:
        fields.append(sparse.csr_array(Y.T @ counts[n_of_labels * n_labels :]))
    return fields


def _label_fields(fields):
    """Return the names of the fields of labels, and their texts by field."""
    if fields is None:
        return [], []
    n_fields = fields.n_fields
    by_field = [
        [texts[field] if field < len(texts) else "" for texts in fields.texts]
        for field in range(n_fields)
    ]
    names = ["text"] if n_fields == 1 else [f"text {i}" for i in range(n_fields)]
    return names, by_field


def _fit_transform(counter, documents):
    try:
        return counter.fit_transform(documents)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise ValueError(
            f"None of the {len(documents)} texts of labels and of training has a term "
            f"to search for."
        ) from error
