"""One item per label (a text, a name, a vector), from any container.

Mappings, and containers whose index holds all labels, are read by label. Others are
read by position: those without an index, with a default index, or with any index if the
labels have no names.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skxmr._inputs._class_labels import list_labels
from skxmr._inputs._columns import InvalidInputError, as_list, is_missing, is_unordered
from skxmr._inputs._label_fields import (
    LabelFields,
    is_table,
    name_of,
    read_fields,
    table_rows,
)

__all__ = [
    "LabelTexts",
    "Labels",
    "check_label_names",
    "fields_by_label",
    "in_order_of_labels",
    "labels_of_index",
    "texts_by_label",
]

_REMEDY = (
    "skxmr.LabelTexts may hold more or fewer labels than y, and no cross-validation "
    "cuts it."
)


class LabelTexts:
    """Texts or names of labels, possibly of more or fewer labels than a target has.

    In cross-validation, scikit-learn splits fit parameters with as many items as there
    are samples, such as ``sample_weight``. Texts of labels must not be split. An
    instance has no length, so that cross-validation and searches pass it on unchanged,
    and each fold reads the texts of its labels.

    Parameters
    ----------
    texts : mapping, or Series or DataFrame with an index of labels
        Maps labels to texts: the classes of a 1-D y, or the column indices of an
        indicator, or column names if y is a data frame. Missing values (None, NaN) are
        ignored. A label may have a sequence of texts, its fields, as in a row of a data
        frame: missing ones are blank, and the first non-blank one is the label's name.

    Raises
    ------
    TypeError
        If `texts` is not a mapping, or a text is not a string.
    ValueError
        If a label is missing, or occurs twice.

    See Also
    --------
    TextRetriever.fit : Its parameter ``label_texts``.
    XRLinearClassifier.fit : Its parameter ``label_names``.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from skxmr import LabelTexts, TextRetriever
    >>> from skxmr.metrics import recall_at_k_scorer
    >>> texts = ["red apple", "green apple", "smart phone", "phone case"]
    >>> y = ["fruit", "fruit", "phone", "case"]
    >>> names = LabelTexts({"fruit": "apples", "phone": "phones", "case": "cases"})
    >>> names
    LabelTexts(3 labels)
    >>> cross_val_score(
    ...     TextRetriever(), texts, y, params={"label_texts": names},
    ...     cv=KFold(2, shuffle=True, random_state=0), scoring=recall_at_k_scorer(3),
    ... )
    array([1., 1.])
    """

    def __init__(self, texts: Mapping | Any):
        labels = labels_of_index(texts)
        if labels is None:
            raise TypeError(
                f"texts must be a mapping from label to text, or a Series or DataFrame "
                f"with an index of labels; got a {type(texts).__name__} without."
            )
        _refuse_repeats(labels, "texts")
        self._texts = {}
        items = _items_of(texts, _Argument("texts", "texts", has_fields=True))
        for label, item in zip(labels, items, strict=True):
            if is_missing(label):
                raise ValueError(f"texts has a text for a missing label, {label!r}.")
            if not is_missing(item):
                fields = read_fields(item, f"texts[{label!r:.50}]")
                self._texts[label] = item if isinstance(item, str) else fields

    def __repr__(self):
        return f"{type(self).__name__}({len(self._texts)} labels)"

    def to_dict(self) -> dict[Any, str | tuple[str, ...]]:
        """Return the texts by label.

        Returns
        -------
        dict
            A copy without labels whose text was missing. Fields are a tuple.
        """
        return dict(self._texts)

    def _fields(self):
        """Return the texts by label, all as tuples."""
        texts = self._texts.items()
        return {key: (one,) if isinstance(one, str) else one for key, one in texts}

    def _names(self):
        """Return the names by label."""
        return {label: name_of(fields) for label, fields in self._fields().items()}


class Labels(NamedTuple):
    """The labels of a target, and the ways to refer to them.

    Parameters
    ----------
    n_labels : int or None
        None if the argument that is read determines the number.
    names : list or None
        Their names: classes, or names of the columns of a data frame. None for columns
        without names.
    has_numbers : bool
        Whether column indices refer to them too.
    n_samples : int or None
        Number of samples of the target, to detect what cross-validation has split.
    """

    n_labels: int | None
    names: list | None = None
    has_numbers: bool = True
    n_samples: int | None = None

    @classmethod
    def of_classes(cls, classes, n_samples):
        """Make the labels of a 1-D target; `classes` is an array."""
        return cls(len(classes), list_labels(classes), False, n_samples)

    @classmethod
    def of_indicator(cls, y):
        """Make the labels of an indicator, as passed by the user."""
        n_samples, n_labels = np.shape(y)
        return cls(n_labels, _column_names(y), True, n_samples)

    @classmethod
    def of_target(cls, target, y, n_samples):
        """Make the labels of an `IndicatorTarget` or a `ClassTarget` made of y."""
        names = _column_names(y)
        if target.names is None or (names is not None and np.shape(y)[1] > 1):
            return cls(target.n_labels, names, True, n_samples)
        return cls.of_classes(target.classes, n_samples)

    def calls(self, n_items):
        """Return the ways to refer to all labels, in order of precedence."""
        numbers = range(n_items if self.n_labels is None else self.n_labels)
        named = [] if self.names is None else [self.names]
        return [*named, numbers] if self.has_numbers else named


class _Argument(NamedTuple):
    """An argument with one item per label, for messages.

    Parameters
    ----------
    name : str
    items : str
        What the items are.
    may_hold_more : bool
        Whether a mapping, or an index, may have other labels too.
    has_fields : bool
        Whether a label may have several items, such as a row of a data frame.
    """

    name: str
    items: str
    may_hold_more: bool = False
    has_fields: bool = False

    def remedy(self):
        """Return advice for an invalid argument."""
        return _REMEDY if self.name in ("label_texts", "label_names") else ""

    def refusal(self, message, error=ValueError):
        """Make an error, with advice if there is any."""
        return error(f"{message} {self.remedy()}".strip())


def in_order_of_labels(container, labels, name, items, *, may_hold_more=False):
    """Put the rows of an array, a data frame or a mapping in the order of labels.

    Parameters
    ----------
    container : {array-like, sparse matrix} of shape (n_labels, ...), or mapping
        A mapping is from label to number or vector.
    labels : Labels
    name, items : str
        The argument and its items, for messages.
    may_hold_more : bool, default=False
        Whether a mapping, or an index, may have other labels too.

    Returns
    -------
    {array-like, sparse matrix} of shape (n_labels, ...)
        Unchanged if it is read by position.

    Raises
    ------
    ValueError, TypeError
        If a label has no item, or the order is arbitrary.
    """
    if sparse.issparse(container):
        return container
    argument = _Argument(name, items, may_hold_more)
    keys = labels_of_index(container)
    if keys is None:
        _refuse_sets(container, labels, argument)
        return container
    places = _places(container, keys, labels, argument)
    if places is None:
        return container
    if not isinstance(container, Mapping):
        return container.iloc[places]
    values = list(container.values())
    rows = [values[place] for place in places]
    if any(map(sparse.issparse, rows)):
        return sparse.vstack([_as_row(row) for row in rows], format="csr")
    return np.array([np.asarray(row) for row in rows])


def texts_by_label(container, labels, name="label_texts"):
    """Read a text for each label.

    Parameters
    ----------
    container : iterable of str, mapping from label to str, or LabelTexts
    labels : Labels
    name : str, default="label_texts"
        The argument, for messages.

    Returns
    -------
    list of str
        Blank for labels that a `LabelTexts` lacks.

    Raises
    ------
    ValueError, TypeError
        If a label has no text, a text has no label, or the order is arbitrary; if a
        text is missing or not a string.
    """
    if isinstance(container, LabelTexts):
        return _of_known(container._names(), labels, _Argument(name, "texts"), "")
    texts = _one_for_each(container, labels, _Argument(name, "texts"))
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInputError(
                f"{name}[{position}] must be a str; got {text!r:.50} of type "
                f"{type(text).__name__}"
                f"{': the text is missing' if is_missing(text) else ''}."
            )
    return texts


def fields_by_label(container, labels, name="label_texts"):
    """Read the texts of each label.

    Parameters
    ----------
    container : iterable of (str, or sequence of str), data frame or array of shape \
            (n_labels, n_fields), mapping from label to the same, or LabelTexts
    labels : Labels
    name : str, default="label_texts"
        The argument, for messages.

    Returns
    -------
    LabelFields
        Without texts for labels that a `LabelTexts` lacks.

    Raises
    ------
    ValueError, TypeError
        If a label has no text, a text has no label, or the order is arbitrary; if the
        only text of a label is missing, or one is not a string.
    """
    argument = _Argument(name, "texts", has_fields=True)
    if isinstance(container, LabelTexts):
        known = container._fields()
        n_fields = max(map(len, known.values()), default=0)
        return LabelFields(_of_known(known, labels, argument, ("",)), n_fields)
    items = _one_for_each(container, labels, argument)
    texts = [read_fields(item, f"{name}[{i}]") for i, item in enumerate(items)]
    return LabelFields(texts, max(map(len, texts), default=0))


def check_label_names(label_names, labels):
    """Read a name for each label, for indexers.

    Parameters
    ----------
    label_names : sequence, array, mapping, LabelTexts or None
        Names may be of any type that the indexer supports.
    labels : Labels

    Returns
    -------
    list or None
        Blank for labels that a `LabelTexts` lacks.

    Raises
    ------
    ValueError, TypeError
        If a label has no name, a name has no label, or the order is arbitrary; if a
        name is missing, or `label_names` is an iterator.
    """
    if label_names is None:
        return None
    argument = _Argument("label_names", "names")
    is_text = isinstance(label_names, (str, bytes))
    is_array = hasattr(label_names, "__array__")
    is_kept = isinstance(label_names, LabelTexts) or hasattr(label_names, "__len__")
    if is_text or not (is_kept or is_array) or (is_array and np.ndim(label_names) != 1):
        raise _refusal(label_names, labels, argument)
    if isinstance(label_names, LabelTexts):
        return _of_known(label_names._names(), labels, argument, "")
    names = _one_for_each(label_names, labels, argument)
    for position, one in enumerate(names):
        if is_missing(one):
            raise InvalidInputError(
                f"label_names[{position}] is missing: got {one!r}; expected a name."
            )
    return names


def _one_for_each(container, labels, argument):
    """Return one item per label."""
    keys = labels_of_index(container)
    if keys is None:
        _refuse_sets(container, labels, argument)
    values = _items_of(container, argument)
    places = None
    if keys is not None:
        places = _places(container, keys, labels, argument)
    if places is not None:
        return [values[place] for place in places]
    if labels.n_labels is not None and len(values) != labels.n_labels:
        _refuse_length(len(values), labels, argument)
    return values


def _of_known(known, labels, argument, nothing):
    """Return the items of labels, by the first way to refer to them that matches."""
    for names in labels.calls(len(known)):
        keys = _comparable(names, names)
        found = dict(zip(_comparable(list(known), names), known.values(), strict=True))
        if any(key in found for key in keys):
            return [found.get(key, nothing) for key in keys]
    # Classes differ from fold to fold, but the columns of an indicator do not.
    if known and labels.has_numbers:
        raise ValueError(
            f"{argument.name} has none of the labels of y: expected some of "
            f"{labels.calls(len(known))[0]!r:.50}, got {list(known)!r:.50}."
        )
    return [nothing] * len(names)


def _places(container, keys, labels, argument):
    """Find the item of each label; None if items are read by position."""
    is_mapping = isinstance(container, Mapping)
    if labels.names is None and not is_mapping:
        return None
    _refuse_repeats(keys, argument.name)
    calls = labels.calls(len(keys))
    for names in calls if is_mapping else calls[:1]:
        place_of = {key: i for i, key in enumerate(_comparable(keys, names))}
        places = [place_of.get(key, -1) for key in _comparable(names, names)]
        if -1 not in places:
            if not argument.may_hold_more:
                _refuse_strangers(keys, places, argument)
            return places
    lacked = [i for i, place in enumerate(places) if place < 0]
    names = calls[0]
    lacks = (
        f"that lacks {len(lacked)} of the {len(names)} labels, such as "
        f"{names[lacked[0]]!r:.50}"
    )
    if not is_mapping:
        lacks = f"with an index {lacks}; a default index is read by position"
    raise _refusal(container, labels, argument, lacks)


def _comparable(keys, names):
    """Convert dates to the unit of others, for equal hashes."""
    if len(names) and isinstance(names[0], (np.datetime64, np.timedelta64)):
        try:
            return np.array(keys, dtype=names[0].dtype).astype(np.int64).tolist()
        except (TypeError, ValueError):
            pass
    return list(keys)


def labels_of_index(container):
    """Return the labels of a container's items.

    Parameters
    ----------
    container : object

    Returns
    -------
    list or None
        The keys of a mapping; the index of a column or data frame, unless it is the
        default one, which numbers the items. None for containers without labels.
    """
    if isinstance(container, Mapping):
        return list(container.keys())
    index = getattr(container, "index", None)
    if index is None or callable(index) or not hasattr(container, "iloc"):
        return None
    is_default = type(index).__name__ == "RangeIndex" and index.step == 1
    return None if is_default else list(index)


def _items_of(container, argument):
    if isinstance(container, Mapping):
        return list(container.values())
    if argument.has_fields and is_table(container):
        return table_rows(container)
    return as_list(container, argument.name, "an iterable of str, one for each label")


def _as_row(row):
    return row if sparse.issparse(row) and row.ndim == 2 else np.atleast_2d(row)


def _column_names(y):
    """Return the names of a data frame's columns; None for an array."""
    # An Arrow table has the columns themselves under the name that others use for
    # names.
    columns = getattr(y, "column_names", getattr(y, "columns", None))
    if columns is None or type(columns).__name__ == "RangeIndex":
        return None
    return list(columns)


def _refusal(container, labels, argument, detail=""):
    n_labels = "" if labels.n_labels is None else f"{labels.n_labels} "
    got = f"{type(container).__name__} {detail}".strip()
    return argument.refusal(
        f"{argument.name} must be a sequence of {n_labels}{argument.items}; got a "
        f"{got}.",
        InvalidInputError,
    )


def _refuse_sets(container, labels, argument):
    if is_unordered(container):
        raise _refusal(container, labels, argument, "whose items have no order")


def _refuse_length(n_items, labels, argument):
    hint = ""
    if n_items == labels.n_samples:
        hint = (
            f" There are as many {argument.items} as rows of X: a search that splits "
            f"the rows also splits a fit argument that has as many items as X has rows."
        )
    raise argument.refusal(
        f"{argument.name} has {n_items} {argument.items}; expected {labels.n_labels}, "
        f"one for each label of y.{hint}"
    )


def _refuse_repeats(keys, name):
    seen = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{name} has the label {key!r:.50} more than once.")
        seen.add(key)


def _refuse_strangers(keys, places, argument):
    strange = set(range(len(keys))) - set(places)
    if strange:
        raise argument.refusal(
            f"{argument.name} has {argument.items} for labels that there are not: "
            f"{len(strange)}, such as {keys[min(strange)]!r:.50}."
        )
