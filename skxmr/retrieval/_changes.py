"""Changes of a fitted retriever: labels, further training texts, fits that go on.

Each makes a new state of new states of the stages; a search that has taken the state of
before goes on with it.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import normalize

from skxmr._base._fitted_clone import FittedClone, detached
from skxmr._inputs._class_labels import list_labels
from skxmr._inputs._features import validate_target
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._label_fields import LabelFields, is_blank
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._negatives import check_negatives
from skxmr._targets import NamedTarget, align_rows, make_target
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.linear._growing import GrowingClassifier
from skxmr.retrieval._fused_fitting import fuse_again, with_narrow_tree
from skxmr.text._learning_terms import learn_texts

__all__ = [
    "changing_classifier",
    "compacted",
    "in_known_columns",
    "in_known_names",
    "refitted",
    "starting_warm",
    "with_labels",
    "with_rows",
    "without_labels",
]


def changing_classifier(state, method):
    """Copy the classifier of a state, to be changed by a method.

    Parameters
    ----------
    state : RetrieverState
    method : str

    Returns
    -------
    estimator
        It shares the fitted state, which the method replaces.

    Raises
    ------
    TypeError
        If the classifier has no such method.
    """
    classifier = state.classifier
    while isinstance(classifier, FrozenEstimator):
        classifier = classifier.estimator
    if not hasattr(classifier, method):
        raise TypeError(
            f"classifier must have a method {method}, as XRLinearClassifier has; got a "
            f"{type(classifier).__name__}."
        )
    return detached(classifier)


def with_labels(state, fields, known, encoder):
    """Add labels to a state.

    Parameters
    ----------
    state : RetrieverState
    fields : LabelFields
        The texts of the added labels.
    known : KnownClasses
        With the added labels.
    encoder : Encoder or None
        Of their texts, if labels have embeddings.

    Returns
    -------
    RetrieverState
    """
    columns = np.arange(len(state.known), len(known))
    rows, texts = _texts_of_labels(fields)
    classifier, lean, features = _learning(state, "add_labels", texts)
    vectors = normalize(rows @ features)
    classifier.add_labels(vectors, _labels_of(classifier, known, columns))
    names = fields.names()
    fusion = state.fusion
    if fusion is not None:
        fusion = _with_texts(fusion, fields, known, encoder)
    label_texts = state.label_texts
    if label_texts is not None:
        label_texts = label_texts.appended(names)
    return replace(
        state,
        lean=lean,
        ranking=state.ranking.like(classifier),
        known=known,
        label_texts=label_texts,
        fusion=fusion,
    ).prepare()


def without_labels(state, columns, known):
    """Remove labels from a state.

    Parameters
    ----------
    state : RetrieverState
    columns : ndarray of int64
    known : KnownClasses
        Without them.

    Returns
    -------
    RetrieverState
    """
    labels = state.known.classes[columns]
    classifier = changing_classifier(state, "remove_labels")
    classifier.remove_labels(columns if state.renames else labels)
    fusion = state.fusion
    if fusion is not None:
        ranker = detached(fusion.ranking.estimator)
        ranker.remove_labels(labels)
        evidence = fusion.evidence.without(ranker._state, columns)
        fusion = replace(fusion, ranking=fusion.ranking.like(ranker), evidence=evidence)
    ranking = state.ranking.like(classifier)
    return replace(state, ranking=ranking, known=known, fusion=fusion).prepare()


def with_rows(state, texts, y, relevance, negatives):
    """Learn from further training texts.

    Parameters
    ----------
    state : RetrieverState
    texts : list of str
    y : indicator, rows of names or class labels
    relevance : sparse matrix, array-like or None
    negatives : as in `TextRetriever.fit`

    Returns
    -------
    RetrieverState
        With the labels of `y` that are not known.
    """
    classifier, lean, X = _learning(state, "partial_fit", texts)
    y_of_rows, names = read_columns(y)
    y_of_rows = validate_target(classifier, y_of_rows)
    of_rows, Y = make_target(y_of_rows, relevance, names)
    known, Y = align_rows(state.target, state.known, of_rows, Y)
    # Whether or not the classifier takes them.
    shown = {} if negatives is None else {"negatives": negatives}
    if state.renames:
        if shown:
            shown["negatives"] = check_negatives(negatives, of_rows, known, Y)
        pattern = Y.astype(bool).astype(np.int64)
        classifier.partial_fit(X, pattern, relevance=Y, **shown)
    else:
        classifier.partial_fit(X, y, relevance=relevance, **shown)
    without_text = [""] * (len(known) - len(state.known))
    label_texts, fusion = state.label_texts, state.fusion
    if label_texts is not None and without_text:
        label_texts = label_texts.appended(without_text)
    if fusion is not None:
        ranker = detached(fusion.ranking.estimator).partial_fit(texts, y)
        evidence = _with_counts(fusion.evidence, ranker._state, without_text, Y)
        fusion = replace(fusion, ranking=fusion.ranking.like(ranker), evidence=evidence)
    return replace(
        state,
        lean=lean,
        ranking=state.ranking.like(classifier),
        known=known,
        label_texts=label_texts,
        fusion=fusion,
    ).prepare()


def compacted(state):
    """Merge all changes of a state into the large arrays of its stages.

    Parameters
    ----------
    state : RetrieverState

    Returns
    -------
    RetrieverState
        Of the same results.
    """
    classifier = changing_classifier(state, "compact").compact()
    fusion = state.fusion
    if fusion is not None:
        ranker = detached(fusion.ranking.estimator).compact()
        evidence = fusion.evidence.compacted(ranker._state)
        fusion = replace(fusion, ranking=fusion.ranking.like(ranker), evidence=evidence)
    label_texts = state.label_texts
    if label_texts is not None:
        label_texts = label_texts.compacted()
    ranking = state.ranking.like(classifier)
    return replace(
        state, ranking=ranking, label_texts=label_texts, fusion=fusion
    ).prepare()


def _labels_of(classifier, known, columns):
    """Return the labels that a classifier of class labels is to learn; else None."""
    if classifier._state.target.names is None:
        return None
    return list_labels(known.classes[columns])


def _with_counts(evidence, lexical, without_text, Y):
    """Count the further training texts of labels, of which some may be new."""
    if without_text:
        embeddings = evidence.embeddings
        if embeddings is not None:
            embeddings = embeddings.with_labels(without_text, None)
        evidence = evidence.grown(lexical, without_text, embeddings=embeddings)
    return evidence.with_counts(lexical, *np.unique(Y.indices, return_counts=True))


def _learning(state, method, texts):
    """Let the vectorizer learn new terms, if it and the classifier can.

    Parameters
    ----------
    state : RetrieverState
    method : str
        Of the classifier.
    texts : list of str

    Returns
    -------
    classifier : estimator
        A copy, for the features with new terms.
    lean : LeanTransformer or GrownTransformer
    features : matrix of shape (n_texts, n_features)
        Of the texts.
    """
    classifier = changing_classifier(state, method)
    is_growing = isinstance(classifier, GrowingClassifier)
    if not is_growing or classifier._state.feature_names is not None:
        return classifier, state.lean, state.lean.transform(texts)
    lean, features = learn_texts(state.lean, texts)
    classifier._state = classifier._state.widened(lean.n_features)
    return classifier, lean, features


def _texts_of_labels(fields):
    """List the texts of all labels, and sum them by label.

    Returns
    -------
    sums : csr_array of shape (n_labels, n_texts), float32
    texts : list of str
    """
    rows, texts = [], []
    for row, of_label in enumerate(fields.texts):
        for text in of_label:
            if not is_blank(text):
                rows.append(row)
                texts.append(text)
    positions = np.array(rows, dtype=np.int64), np.arange(len(rows))
    shape = len(fields.texts), len(texts)
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_array((ones, positions), shape), texts


def _with_texts(fusion, fields, known, encoder):
    """Add the texts of labels to what is searched besides the model."""
    joined = fields.joined()
    columns = np.arange(len(known) - len(joined), len(known))
    ranker = detached(fusion.ranking.estimator)
    ranker.add_labels(joined, _labels_of(ranker, known, columns))
    embeddings = fusion.evidence.embeddings
    if embeddings is not None:
        embeddings = embeddings.with_labels(joined, encoder)
    evidence = fusion.evidence.grown(
        ranker._state, fields.names(), embeddings=embeddings
    )
    return replace(fusion, ranking=fusion.ranking.like(ranker), evidence=evidence)


# Fits with a warm start
# ----------------------


def starting_warm(classifier):
    """Let a classifier that is not fitted keep what a later fit starts from.

    Parameters
    ----------
    classifier : estimator
        Modified in place.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If it is no `XRLinearClassifier`.
    """
    if not isinstance(classifier, XRLinearClassifier):
        raise ValueError(
            f"warm_start=True takes an XRLinearClassifier as classifier; got "
            f"{classifier!r:.80}."
        )
    return classifier.set_params(warm_start=True)


def in_known_columns(state, text_rows):
    """Put present labels into the columns of an earlier fit, new ones last.

    Parameters
    ----------
    state : RetrieverState
    text_rows : TextRows
        With the labels as the user orders them.

    Returns
    -------
    fields : LabelFields
        In the order of the user. Removed columns have no text.
    text_rows : TextRows
        In the known columns. Labels that are gone have no text.

    Raises
    ------
    ValueError
        If y is of another kind than before, or lacks columns, or has a removed label.
    """
    before = state.target
    known, Y = align_rows(before, state.known, text_rows.target, text_rows.Y)
    texts = list(text_rows.fields.texts)
    if before.names is None:
        columns = np.arange(len(known))
        for column in known.removed.tolist():
            texts[column] = ("",)
    else:
        columns = known.find(text_rows.target.classes)
    n_fields = text_rows.fields.n_fields
    ordered = [("",)] * len(known)
    for column, of_label in zip(columns.tolist(), texts, strict=True):
        ordered[column] = of_label
    return LabelFields(texts, n_fields), text_rows._replace(
        target=before.with_labels(known), Y=Y, fields=LabelFields(ordered, n_fields)
    )


def in_known_names(state, names, y, relevance, negatives):
    """Put columns with names into the order of an earlier fit, new ones last.

    Parameters
    ----------
    state : RetrieverState
        With names of its columns.
    names : ndarray of shape (n_columns,)
    y : indicator of shape (n_samples, n_columns)
    relevance : sparse matrix, array-like or None
    negatives : csr_array of shape (n_samples, n_columns), or None

    Returns
    -------
    state : RetrieverState
        With the new names too.
    y : csr_array of shape (n_samples, n_labels), int64
    relevance : csr_array of the shape of y, ndarray or None
    negatives : csr_array of the shape of y, or None

    Raises
    ------
    ValueError
        If there is the name of a removed label.
    """
    given = NamedTarget(KnownClasses.of(names), is_sparse=True, dtype=np.dtype(int))
    is_of_shape_of_y = np.shape(relevance) == np.shape(y)
    known, y = align_rows(state.target, state.known, given, sparse.csr_array(y))
    if is_of_shape_of_y:
        relevance = sparse.csr_array(relevance)
        _, relevance = align_rows(state.target, state.known, given, relevance)
    if negatives is not None:
        _, negatives = align_rows(state.target, state.known, given, negatives)
    return replace(state, known=known), y.astype(np.int64), relevance, negatives


def refitted(state, stages, documents, text_rows, names):
    """Fit to all present texts, and keep the vectorizer, the tree and the fusion.

    Parameters
    ----------
    state : RetrieverState
        Of the earlier fit and the changes since; with all names, if columns have any.
    stages : Stages
    documents : TrainingTexts
        With those of labels.
    text_rows : TextRows or None
        In the known columns.
    names : PackedTexts or None

    Returns
    -------
    RetrieverState

    Raises
    ------
    ValueError
        If the classifier of before is no `XRLinearClassifier`.
    """
    before = state.classifier
    if not isinstance(before, XRLinearClassifier):
        raise ValueError(
            f"warm_start=True goes on with the classifier of the earlier fit; expected "
            f"an XRLinearClassifier, got {before!r:.80}. Set warm_start=False."
        )
    _, lean, X = _learning(state, "fit", documents.texts)
    classifier = with_narrow_tree(stages.classifier, len(state.known))
    classifier._state = before._state
    given = {"relevance": documents.relevance, "negatives": documents.negatives}
    classifier.fit(X, documents.y, **given)
    known = state.known if state.renames else classifier._state.known
    fusion = None
    if text_rows is not None:
        fusion = fuse_again(state.fusion, stages.lexical_ranker, text_rows, known)
    return replace(
        state,
        lean=lean,
        ranking=FittedClone.of(classifier),
        known=known,
        label_texts=names,
        fusion=fusion,
    )
