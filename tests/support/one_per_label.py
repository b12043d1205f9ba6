"""One item per label, in any container, and what reads it."""

from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator

from skxmr import (
    KMeansTree,
    LabelTexts,
    TextRetriever,
    XRLinearClassifier,
)

TEXTS = ["red apple", "smart phone", "green car", "apple tree"]
CLASSES = ["fruit", "phone", "car", "fruit"]
BY_CLASS = {"phone": "phones to talk", "car": "cars to drive", "fruit": "fruit to eat"}
IN_ORDER = [BY_CLASS[name] for name in sorted(BY_CLASS)]
# The same labels as columns, in another order than that of the classes.
COLUMNS = ["phone", "fruit", "car"]
Y = np.array([[name == column for column in COLUMNS] for name in CLASSES], dtype=int)
FRAME = pd.DataFrame(Y, columns=COLUMNS)
BY_NUMBER = {2: "cars to drive", 0: "phones to talk", 1: "fruit to eat"}
IN_COLUMNS = [BY_CLASS[name] for name in COLUMNS]

BY_POSITION = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "objects": lambda items: np.array(items, dtype=object),
    "Series": pd.Series,
    "Series of string": lambda items: pd.Series(items, dtype="string"),
    "Series of Arrow": lambda items: pd.Series(items, dtype="string[pyarrow]"),
    "rest of a Series": lambda items: pd.Series(["x", "y", *items])[2:],
    "Index": pd.Index,
    "polars": pl.Series,
    "Arrow": pa.array,
    "values of a dict": lambda items: dict(enumerate(items)).values(),
    "keys of a dict": lambda items: dict.fromkeys(items).keys(),
}
BY_LABEL = {
    "dict": dict,
    "reversed": lambda items: dict(reversed(items.items())),
    "OrderedDict": OrderedDict,
    "proxy": MappingProxyType,
    "Series": pd.Series,
    "Series of string": lambda items: pd.Series(items, dtype="string"),
    "Series of Arrow": lambda items: pd.Series(items, dtype="string[pyarrow]"),
    "categories": lambda items: pd.Series(
        list(items.values()), index=pd.CategoricalIndex(list(items))
    ),
    "LabelTexts": LabelTexts,
    "LabelTexts of a Series": lambda items: LabelTexts(pd.Series(items)),
}
by_position = pytest.mark.parametrize("make", BY_POSITION.values(), ids=BY_POSITION)
by_label = pytest.mark.parametrize("make", BY_LABEL.values(), ids=BY_LABEL)

# Read by position, where a sequence is, and by nothing where labels have names.
OTHER_INDEX = {
    "numbers": [7, 8, 9],
    "strings": ["x", "y", "z"],
    "repeated": [1, 1, 1],
    "reversed": [2, 1, 0],
    "reversed range": range(2, -1, -1),
}


class Recorder(BaseEstimator):
    """An indexer that keeps what it is given."""

    seen: tuple

    def fit(self, Z, y=None, *, label_names=None):
        type(self).seen = Z, label_names
        self.tree_ = KMeansTree(2, 1, random_state=0).fit(Z).tree_
        return self


def names_given(y, label_names, **parameters):
    X = np.eye(4)[: len(CLASSES)]
    XRLinearClassifier(Recorder(), **parameters).fit(X, y, label_names=label_names)
    return list(Recorder.seen[1])


def texts_given(y, label_texts):
    retriever = TextRetriever().fit(TEXTS, y, label_texts=label_texts)
    found = {label: name for label, name, _ in retriever.search(TEXTS[0], k=3)}
    assert [found[label] for label in retriever.classes_] == retriever.label_texts_
    return retriever.label_texts_


readers = pytest.mark.parametrize("read", [names_given, texts_given])
