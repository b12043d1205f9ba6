"""Labels by name: those of a fitted estimator, of a target, and of arguments of fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone

from skxmr._inputs._by_label import (
    Labels,
    LabelTexts,
    check_label_names,
    labels_of_index,
)
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._target_texts import read_label_texts
from skxmr._targets import align_rows
from skxmr.ranking import final_estimator

__all__ = ["ByColumn", "by_column", "in_order_of", "known_before"]


class ByColumn(NamedTuple):
    """A target, and arguments of fit that refer to its labels by column.

    Parameters
    ----------
    y : indicator of shape (n_samples, n_labels), or ndarray of class labels
    names : ndarray of shape (n_labels,), or None
        The names of the columns.
    classes : ndarray or None
        The classes of class labels, with those that no row has; None if all have rows.
    fit_params : dict of str to object
    """

    y: Any
    names: NDArray | None
    classes: NDArray | None
    fit_params: dict


def by_column(y, names, fit_params):
    """Read the arguments of fit that have a text or a name for each label.

    The estimator gets an indicator without names, in each fold another part of its
    rows. So ``label_texts`` and ``label_names``, also those for a step of a pipeline,
    are read here if they refer to labels by name, and handed on by column. With class
    labels they are read in each fold, where some classes may have no rows.

    Parameters
    ----------
    y : indicator of shape (n_samples, n_labels), or ndarray of class labels
        As `exact_target` returns it.
    names : ndarray of shape (n_labels,), or None
        The names of the columns, as `read_columns` returns them.
    fit_params : dict of str to object

    Returns
    -------
    ByColumn
        With labels without rows that have a text in `LabelTexts`.

    Raises
    ------
    ValueError, TypeError
        As in `read_label_texts` and `check_label_names`.
    """
    found = ByColumn(y, names, None, dict(fit_params))
    is_class = np.ndim(y) == 1
    # Texts first: they may have further labels, which names are for, too.
    for kind, read in (("label_texts", _with_texts), ("label_names", _with_names)):
        for name, value in fit_params.items():
            if name.rpartition("__")[2] != kind or not _has_labels(value):
                continue
            if names is not None or is_class:
                found = read(found, name, value)
    return found


def _has_labels(value):
    return isinstance(value, LabelTexts) or labels_of_index(value) is not None


def _with_texts(found, name, value):
    fields, y, classes = read_label_texts(value, found.y, found.names)
    if found.names is None:
        texts = value if isinstance(value, LabelTexts) else LabelTexts(value)
        found = found._replace(classes=classes)
    else:
        texts = LabelTexts(dict(enumerate(fields.texts)))
        names = found.names if classes is None else classes
        found = found._replace(y=y, names=names)
    return found._replace(fit_params=found.fit_params | {name: texts})


def _with_names(found, name, value):
    if found.names is None:
        return found
    labels = Labels.of_classes(found.names, found.y.shape[0])
    if not sparse.issparse(found.y):
        labels = Labels.of_indicator(found.y)
    # A dict is not divided among folds, as a list of as many items as rows is.
    names = dict(enumerate(check_label_names(value, labels)))
    return found._replace(fit_params=found.fit_params | {name: names})


def known_before(estimator, is_fitted):
    """Return the labels of an estimator that is not fitted again, or None.

    Parameters
    ----------
    estimator : estimator
    is_fitted : bool
        Whether it is used as it is; otherwise it is cloned, and has labels only if its
        clone is fitted, as that of a `FrozenEstimator`.

    Returns
    -------
    KnownClasses or None
    """
    used = estimator if is_fitted else clone(estimator)
    try:
        classes = final_estimator(used).classes_
    except (AttributeError, TypeError):  # it is not fitted
        return None
    return KnownClasses.of(classes) if isinstance(classes, np.ndarray) else None


def in_order_of(known, target, Y, has_rows_of_names):
    """Bring named columns into the order of the labels of a fitted estimator.

    Parameters
    ----------
    known : KnownClasses
        Those labels.
    target : NamedTarget
    Y : csr_array of shape (n_samples, n_labels)
    has_rows_of_names : bool
        Whether the columns were made of rows of names, not given.

    Returns
    -------
    target : NamedTarget
    Y : csr_array of shape (n_samples, n_labels of the estimator)

    Raises
    ------
    ValueError
        If the estimator does not know a label.
    """
    if np.array_equal(known.classes, np.arange(len(known))):
        if has_rows_of_names and not np.array_equal(target.classes, known.classes):
            raise ValueError(
                "y has rows of label names, but estimator was fitted to columns "
                "without names; expected the kind of y in its fit."
            )
        return target, Y
    all_labels, Y = align_rows(target, known, target, Y)
    if len(all_labels) > len(known):
        label = all_labels.classes[len(known) :].tolist()[0]
        raise ValueError(
            f"y has the label {label!r:.50}; expected labels that estimator was fitted "
            f"to."
        )
    return target.with_labels(known), Y
