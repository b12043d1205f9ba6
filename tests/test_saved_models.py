"""What earlier versions saved loads, and gives the answers that it gave."""

import json

import numpy as np
import pytest
from saved_models import FOLDER, KINDS, answers, load


# Written with another version of scikit-learn, maybe.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("suffix", ["joblib", "skops", "pickle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_its_answers(kind, suffix):
    assert_right(kind, FOLDER / f"{kind}.{suffix}")


def assert_right(kind, path):
    found = answers(kind, load(path))
    right = json.loads((path.parent / "answers.json").read_text(encoding="utf-8"))[kind]
    assert len(found) == len(right) == 3
    for own, expected in zip(found, right, strict=True):
        assert [label for label, _ in own] == [label for label, _ in expected]
        np.testing.assert_allclose(
            [score for _, score in own], [score for _, score in expected], rtol=1e-6
        )
