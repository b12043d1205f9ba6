"""Changes of a fitted retriever, without another fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skxmr._base._state import merges, writes
from skxmr._embeddings._encoding import Encoder
from skxmr._inputs._added_labels import read_added_texts, read_removed
from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._named_columns import given_rows
from skxmr._inputs._validation import check_documents, check_lengths, check_structure
from skxmr._utils._typing import MatrixLike, SomeLabels, Texts
from skxmr.retrieval._changes import (
    changing_classifier,
    compacted,
    with_labels,
    with_rows,
    without_labels,
)

__all__ = ["LivingRetriever"]


class LivingRetriever:
    """Mixin of `TextRetriever`: labels come and go after `fit`.

    Each change makes a new state, in time of the change and of those since the last
    `compact`. Searches in other threads never wait, and use the state of before until
    the change is complete.
    """

    _state: Any
    _change: Any
    encoder: Any
    encoder_labels: Any

    @writes
    def add_labels(
        self,
        label_texts: Texts | Iterable | Mapping | LabelTexts,
        labels: Iterable | None = None,
    ) -> NDArray[np.int64]:
        """Add labels that have texts, but no training texts.

        They are found from the next search on: by their words, and by the classifier,
        whose weights for them have the direction of their text's features. Both learn
        words that no text had before, the classifier if the vectorizer can. The scores
        of other labels remain.

        Parameters
        ----------
        label_texts : iterable of length n_added of (str or sequence of str), data \
                frame, mapping or LabelTexts
            The texts of each label, as in `fit`.
        labels : iterable of length n_added, default=None
            Their class labels, if the target of `fit` was 1-D: of the same type as the
            others, and not known. A label that was removed may come back. None if
            `label_texts` has them as its keys or index, and for an indicator, whose
            columns follow the others.

        Returns
        -------
        columns : ndarray of shape (n_added,), int64
            The columns of the labels, which are never given out again.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a text or a label is invalid, or a label is known. Nothing is added then.
        TypeError
            If a text is not a string, or the classifier cannot take more labels.

        Examples
        --------
        >>> from skxmr import TextRetriever
        >>> names = {"g": "green tea", "b": "black tea", "r": "rye bread"}
        >>> retriever = TextRetriever().fit([], [], label_texts=names)
        >>> retriever.add_labels({"o": "oolong tea"})
        array([3])
        >>> [name for _, name, _ in retriever.search("oolong", k=1)]
        ['oolong tea']
        >>> found = retriever.remove_labels(["g"]).search("green tea")
        >>> "g" in [label for label, _, _ in found]
        False
        """
        state = self._fitted()  # type: ignore[attr-defined]
        target = changing_classifier(state, "add_labels")._state.target
        is_indicator = target.names is None and not state.renames
        fields, known = read_added_texts(label_texts, labels, state.known, is_indicator)
        columns = np.arange(len(state.known), len(known))
        if len(columns):
            self._change(with_labels, fields, known, self._encoder_of(state))
        return columns

    def _encoder_of(self, state):
        """Return the encoder of label texts; None if labels have no embeddings."""
        if state.fusion is None or state.fusion.evidence.embeddings is None:
            return None
        for name in ("encoder_labels", "encoder"):
            encoder = getattr(self, name)
            if encoder is not None:
                found = Encoder(encoder, name)
                found.check_fitted()
                return found.remembering()
        raise ValueError(
            "encoder is None; expected the encoder of the fit, as the labels have "
            "embeddings."
        )

    @writes
    def remove_labels(self, labels: SomeLabels) -> Self:
        """Remove labels, which no search finds from the next one on.

        Their columns remain unused. `compact` releases their memory.

        Parameters
        ----------
        labels : iterable of labels, or of bool of length n_labels
            Columns of an indicator, or classes; or a boolean mask.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a label does not exist, or was removed before, or if none would be left.
            Nothing is removed then.
        TypeError
            If the classifier cannot lose labels.
        """
        state = self._fitted()  # type: ignore[attr-defined]
        columns, known = read_removed(labels, state.known)
        if len(columns):
            self._change(without_labels, columns, known)
        return self

    @writes
    def partial_fit(
        self,
        texts: Texts,
        y: MatrixLike,
        *,
        relevance: MatrixLike | None = None,
        negatives: MatrixLike | Sequence | None = None,
    ) -> Self:
        """Learn from further training texts, without those of before.

        The classifier trains the nodes that the texts reach, with its present weights
        as the mean towards which they are regularised; the search by words adds the
        texts to those of their labels. Both learn new words, as in `add_labels`. The
        first call fits.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The further training texts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            Their labels, of the kind of the first call: an indicator with as many
            columns as labels were ever known, or more, rows of label names, or class
            labels. Labels that are not known are added; they have no text.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            As in `fit`.
        negatives : sparse matrix of shape (n_samples, n_labels), or sequence of \
                length n_samples, default=None
            As in `fit`; also of labels that only earlier texts had.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid, the arguments do not match, or y has a label that
            was removed. Nothing is learned then.
        TypeError
            If a text is not a string, or the classifier cannot learn more.
        """
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return self.fit(  # type: ignore[attr-defined]
                texts, y, relevance=relevance, negatives=negatives
            )
        documents = check_documents(texts, "texts")
        y = given_rows(check_structure(y, "y"))
        relevance = check_structure(relevance, "relevance")
        check_lengths(documents, y)
        if documents:
            self._change(with_rows, documents, y, relevance, negatives)
        return self

    @merges
    def compact(self) -> Self:
        """Merge all changes since `fit` or the last call into the large arrays.

        This takes time and memory of the whole model. No result changes, but searches
        and further changes become faster after many changes. Searches and changes in
        other threads go on meanwhile, so that it can run in the background:
        ``threading.Thread(target=retriever.compact).start()``.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If the classifier cannot change.
        """
        self._state = compacted(self._fitted())  # type: ignore[attr-defined]
        return self
