"""Changes of a lexical index that is in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skxmr._base._state import merges, writes
from skxmr._inputs._added_labels import read_added_texts, read_removed
from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._validation import check_documents, check_lengths, check_structure
from skxmr._lexical._delta import compacted
from skxmr._lexical._growing import with_labels, with_texts, without_labels
from skxmr._targets import align_rows, read_target
from skxmr._utils._typing import MatrixLike, SomeLabels, Texts

__all__ = ["ChangesLabels"]


class ChangesLabels:
    """Mixin of `LexicalRanker`: adding and removing labels without another fit.

    Each change makes a new state, and takes time of the change and of those since the
    last `compact`. Searches that run meanwhile use the state before.
    """

    _state: Any
    _change: Any

    @writes
    def add_labels(
        self,
        label_texts: Texts | Iterable | Mapping | LabelTexts,
        labels: Iterable | None = None,
    ) -> NDArray:
        """Index more labels.

        Scores of other labels do not change: the number of labels, the mean lengths of
        fields and the document frequencies of terms stay those of `fit`. Terms that are
        new get theirs from the texts of all labels added so far.

        Parameters
        ----------
        label_texts : iterable of length n_new of (str or sequence of str), data \
                frame, mapping or LabelTexts
            The texts of each new label, as in `fit`: as many for each label as there,
            or fewer.
        labels : iterable of length n_new, default=None
            The new labels, for a 1-D target: classes that are not known. One that was
            removed may come back. None for an indicator, whose columns follow the
            others, or if `label_texts` has them as keys.

        Returns
        -------
        columns : ndarray of shape (n_new,), int64
            The columns of the new labels, which follow all others.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a label is known already or occurs twice, or if the arguments do not
            match. Nothing is added.
        TypeError
            If a text is not a string.

        Examples
        --------
        >>> from skxmr import LexicalRanker
        >>> ranker = LexicalRanker().fit(["green tea", "rye bread"], ["tea", "bread"],
        ...     label_texts={"tea": "tea", "bread": "bread"})
        >>> ranker.add_labels(["oolong from Taiwan"], labels=["oolong"])
        array([2])
        >>> columns, _ = ranker.rank_one("taiwan", k=1)
        >>> ranker.classes_[columns]
        array(['oolong'], dtype='<U6')
        """
        state = self._fitted()  # type: ignore[attr-defined]
        is_indicator = state.target.names is None
        fields, known = read_added_texts(label_texts, labels, state.known, is_indicator)
        columns = np.arange(len(state.known), len(known))
        if len(columns):
            self._change(_prepared(with_labels), fields, known)
        return columns

    @writes
    def remove_labels(self, labels: SomeLabels) -> Self:
        """Remove labels, which are not found any more.

        Their columns stay unused. The space of their texts is released by `compact`.

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
            If a label is unknown, or was removed before, or if none would be left.
            Nothing is removed.
        """
        state = self._fitted()  # type: ignore[attr-defined]
        columns, known = read_removed(labels, state.known)
        if len(columns):
            self._change(_prepared(without_labels), columns, known)
        return self

    @writes
    def partial_fit(self, texts: Texts, y: MatrixLike) -> Self:
        """Index further training texts, beside those of before.

        Only the field of training texts changes, and in it the labels of these texts.
        Its mean lengths and document frequencies stay those of `fit`; if there were no
        training texts, the mean lengths become those of the labels of the first ones,
        and document frequencies are those of the labels' own texts. Labels that are not
        known are added, without a text of their own. The first call fits.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The further training texts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            Labels, of the kind of the first call. An indicator has as many columns as
            labels were ever known, or more; one with names may have any of them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid or the arguments do not match, or if y has a label
            that was removed. Nothing changes.
        TypeError
            If a text is not a string.

        Examples
        --------
        >>> from skxmr import LexicalRanker
        >>> ranker = LexicalRanker().fit(["green tea", "rye bread"], ["tea", "bread"])
        >>> ranker.partial_fit(["espresso"], ["coffee"]).predict(["espresso beans"])
        array(['coffee'], dtype='<U6')
        """
        ranker: Any = self
        if not ranker.__sklearn_is_fitted__():
            return ranker.fit(texts, y)
        state = ranker._fitted()
        texts = check_documents(texts, "texts")
        y, names = read_columns(y)
        y = check_structure(exact_target(y), "y")
        check_lengths(texts, y)
        if not texts:
            return self
        target, Y = read_target(self, y, None, names)
        known, Y = align_rows(state.target, state.known, target, Y)
        self._change(_prepared(with_texts), texts, Y, known)
        return self

    @merges
    def compact(self) -> Self:
        """Merge all changes since `fit` or the last call into the arrays of the index.

        Takes time and memory of the whole index. No result changes, but searches and
        further changes become faster after many. Searches and changes in other threads
        go on meanwhile.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        """
        state = self._fitted()  # type: ignore[attr-defined]
        index = compacted(state.index, state.terms.n_terms)
        self._state = replace(state, index=index).prepare()
        return self


def _prepared(change):
    """Return a change that also prepares for searches, before readers see the state."""

    def prepared(state, *args):
        return change(state, *args).prepare()

    return prepared
