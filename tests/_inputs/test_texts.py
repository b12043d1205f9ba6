"""Invalid texts are refused with a clear message, and valid ones work."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError
from small_problem import (
    CLASSES,
    TEXTS,
    assert_refused,
)

from skxmr import KMeansTree, TextRetriever

RETRIEVER = {
    "one text": (("a text", CLASSES[:4]), {}, ValueError, "texts must be an iterable"),
    "numbers": (
        ([1, 2], ["a", "b"]),
        {},
        TypeError,
        r"texts\[0\] must be a str; got 1",
    ),
    "bytes": (([b"a"], ["a"]), {}, TypeError, r"texts\[0\] must be a str; got b'a'"),
    "other length": (
        (TEXTS, ["a"]),
        {},
        ValueError,
        r"inconsistent numbers of samples",
    ),
    "no y": ((TEXTS, None), {}, ValueError, "y to be passed, but the target y is None"),
    "empty": (([], []), {}, ValueError, "empty vocabulary"),
    "no words": ((["", " "], ["a", "b"]), {}, ValueError, "empty vocabulary"),
    "names as string": (
        (TEXTS, list("abcd")),
        {"label_texts": "abcd"},
        ValueError,
        "label_texts must be an iterable of str",
    ),
    "names of numbers": (
        (TEXTS, list("abcd")),
        {"label_texts": [1, 2, 3, 4]},
        TypeError,
        r"label_texts\[0\] must be a str",
    ),
    "too few names": (
        (TEXTS, list("abcd")),
        {"label_texts": ["a"]},
        ValueError,
        "label_texts has 1 texts; expected 4, one for each label of y",
    ),
}


@pytest.mark.parametrize(
    ("data", "arguments", "error", "message"), RETRIEVER.values(), ids=RETRIEVER
)
def test_bad_texts(data, arguments, error, message):
    retriever = TextRetriever()
    assert_refused(lambda: retriever.fit(*data, **arguments), error, message)
    assert not retriever.__sklearn_is_fitted__()
    retriever.fit(TEXTS, list("abcd"))
    before = dict(vars(retriever))
    assert_refused(lambda: retriever.fit(*data, **arguments), error, message)
    assert all(vars(retriever)[name] is before[name] for name in before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vectorizer": 3}, "The 'vectorizer' parameter of TextRetriever must be"),
        ({"vectorizer": KMeansTree()}, "implementing 'fit' and 'transform'"),
        (
            {"classifier": "linear"},
            "The 'classifier' parameter of TextRetriever must be",
        ),
        (
            {"classifier": LogisticRegression()},
            "implementing 'fit' and 'rank'",
        ),
    ],
)
def test_bad_stages(parameters, message):
    assert_refused(
        lambda: TextRetriever(**parameters).fit(TEXTS, list("abcd")),
        InvalidParameterError,
        message,
    )
