"""Fixtures of the tests of input."""

import pytest
from small_problem import X, Y, make_classifier


@pytest.fixture(scope="module")
def fitted():
    return make_classifier().fit(X, Y)
