"""Names of some features, without making those of all.

``get_feature_names_out`` makes a string for each of millions of features, which takes
seconds; an explanation shows some dozens.
"""

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.pipeline import FeatureUnion, Pipeline

from skxmr.text._ngram_tfidf import NgramTfidf

__all__ = ["lazy_feature_names"]


def lazy_feature_names(vectorizer):
    """Return the names that `get_feature_names_out` of a vectorizer returns.

    They are made when they are taken for the vectorizers of this package, unions of
    them, and pipelines of them and of steps that keep the features. Those of any other
    vectorizer are all made.

    Parameters
    ----------
    vectorizer : transformer
        A fitted vectorizer.

    Returns
    -------
    names : sequence with a method `take`
        ``len(names)`` is the number of features, and ``names.take(indices)`` returns a
        list of str.

    Raises
    ------
    AttributeError
        If the vectorizer has no names of features.
    """
    if _uses(vectorizer, NgramTfidf):
        return vectorizer._fitted().terms
    parts = _parts_of_union(vectorizer)
    if parts:
        return _NamesOfUnion(parts)
    first = _naming_step(vectorizer)
    if first is not None:
        return lazy_feature_names(first)
    return _AllNames(vectorizer.get_feature_names_out())


def _uses(transformer, kind):
    """Return whether a transformer has the `get_feature_names_out` of a class."""
    method = getattr(transformer, "get_feature_names_out", None)
    return getattr(method, "__func__", None) is kind.get_feature_names_out


def _parts_of_union(vectorizer):
    """Return the prefix and the transformer of each part of a union.

    An empty list for what is not a union, or if the parts do not name their features.
    """
    if not _uses(vectorizer, FeatureUnion):
        return []
    is_prefixed = vectorizer.verbose_feature_names_out
    parts = [
        (f"{name}__" if is_prefixed else "", part)
        for name, part in vectorizer.transformer_list
        if part != "drop"
    ]
    are_named = all(hasattr(part, "get_feature_names_out") for _, part in parts)
    return parts if are_named else []


def _naming_step(vectorizer):
    """Return the step of a pipeline after which all steps keep the features.

    None if it is not the first one, or for what is not a pipeline.
    """
    if not _uses(vectorizer, Pipeline):
        return None
    steps = [step for _, step in vectorizer.steps if step not in (None, "passthrough")]
    keep_features = all(_uses(step, OneToOneFeatureMixin) for step in steps[1:])
    return steps[0] if steps and keep_features else None


class _AllNames:
    """The names of all features, in an array.

    Parameters
    ----------
    names : ndarray of shape (n_features,)
    """

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def take(self, indices):
        """Return the names of some features."""
        return [str(self.names[index]) for index in indices]


class _NamesOfUnion:
    """The names of the features of a `FeatureUnion`.

    Parameters
    ----------
    parts : list of (prefix, transformer)
    """

    def __init__(self, parts):
        self.prefixes = [prefix for prefix, _ in parts]
        self.names = [lazy_feature_names(part) for _, part in parts]
        self.starts = np.cumsum([0, *map(len, self.names)])

    def __len__(self):
        return int(self.starts[-1])

    def take(self, indices):
        """Return the names of some features."""
        taken = []
        parts = np.searchsorted(self.starts, indices, side="right") - 1
        for part, index in zip(parts.tolist(), indices, strict=True):
            names, start = self.names[part], self.starts[part]
            taken += [self.prefixes[part] + one for one in names.take([index - start])]
        return taken
