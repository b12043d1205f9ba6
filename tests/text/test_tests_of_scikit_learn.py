"""scikit-learn's own tests of `TfidfVectorizer`, with `WordNgramTfidf` in its place.

They are those of the installed version. The module is run here, not imported, so that
other tests get the original class.
"""

import ast
import importlib.util
from pathlib import Path

import pytest
import sklearn.feature_extraction.text as original

from skxmr.text import WordNgramTfidf

# Tests that say nothing of how WordNgramTfidf should be.
LEFT_OUT = {
    "test_tfidf_vectorizer_setters": "reads the private attribute _tfidf",
    "test_tfidfvectorizer_export_idf": "reads the private attribute _tfidf",
    "test_vectorizer_stop_words_inconsistent": "deletes the private _stop_words_id",
    "test_stop_word_validation_custom_preprocessor": "calls a private method",
    "test_vectorizer_string_object_as_input": "the error has other words",
    "test_pickling_vectorizer": "sets analyzer, which is not a parameter here",
    "test_callable_analyzer_error": "sets analyzer",
    "test_callable_analyzer_change_behavior": "sets analyzer",
    "test_callable_analyzer_reraise_error": "sets analyzer",
    "test_unused_parameters_warn": "sets analyzer",
}

pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
]


def code_of_tests():
    """Return the code of the installed tests that use TfidfVectorizer."""
    spec = importlib.util.find_spec("sklearn.feature_extraction.tests.test_text")
    if spec is None:  # some distributions omit the tests
        pytest.skip("scikit-learn is installed without its tests", True)
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if is_needed(node)]
    return compile(tree, spec.origin, "exec")


def is_needed(node):
    if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
        return True
    is_concerned = any(
        isinstance(part, ast.Name) and part.id == "TfidfVectorizer"
        for part in ast.walk(node)
    )
    return is_concerned and node.name not in LEFT_OUT


before = original.TfidfVectorizer
original.TfidfVectorizer = WordNgramTfidf
try:
    exec(code_of_tests(), globals())
finally:
    original.TfidfVectorizer = before


def test_there_are_tests():
    names = [name for name in globals() if name.startswith("test_")]
    assert len(names) > 12, names
    assert original.TfidfVectorizer is not WordNgramTfidf
