"""What release 0.1 saved loads, and gives the answers that it gave."""

import json

import numpy as np
import pytest
from saved_models import FOLDER, KINDS, answers, load

EXPECTED = json.loads((FOLDER / "answers.json").read_text())


# Written with another version of scikit-learn, maybe.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("suffix", ["joblib", "skops", "pickle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_its_answers(kind, suffix):
    found = answers(kind, load(FOLDER / f"{kind}.{suffix}"))
    assert len(found) == len(EXPECTED[kind]) == 3
    for own, expected in zip(found, EXPECTED[kind], strict=True):
        assert [label for label, _ in own] == [label for label, _ in expected]
        np.testing.assert_allclose(
            [score for _, score in own], [score for _, score in expected], rtol=1e-6
        )
