"""Updates by many threads: none is lost, and a fit beside them is whole."""

import joblib
import pytest
from concurrent_cases import TEXTS, fit_completer
from sklearn.base import clone
from threads_together import run_together

from skxmr import QueryCompleter
from skxmr.persistence import check_arrays

pytestmark = pytest.mark.usefixtures("restless")

N_FITS = 20


def test_updates_from_many_threads_are_all_counted():
    completer = QueryCompleter(classifier_weight=0).fit(["tea"], ["toast"])

    def update():
        for _ in range(25):
            completer.update(["tea"], ["toast"])

    run_together(*[update] * 4)
    assert completer.counts_.tolist() == [101]
    followed = completer.compact().transitions_.counts.to_csr()
    assert followed.sum() == pytest.approx(101)


@pytest.mark.parametrize("run", range(N_FITS))
def test_a_fit_beside_updates_is_whole(run, tmp_path):
    completer = QueryCompleter(classifier_weight=0)
    fit_completer(completer, run % 2)
    alone = [fit_completer(clone(completer), i) for i in (0, 1)]

    def fit():
        for i in (0, 1, run % 2):
            fit_completer(completer, i)

    def update():
        for i in (0, 1, 0, 1):
            completer.update(TEXTS[i][:9], TEXTS[i][3:12])

    run_together(fit, update, update)
    # What was updated after the last fit is there, and nothing of before it.
    counts = dict(zip(completer.queries_, completer.counts_, strict=True))
    fitted = alone[run % 2]
    for query, count in zip(fitted.queries_, fitted.counts_, strict=True):
        assert 0 <= counts.pop(query) - count <= 4 * 2
    updated = {*TEXTS[0][3:12], *TEXTS[1][3:12]}
    assert counts.keys() <= {query.lower() for query in updated}
    assert all(1 <= count <= 4 * 2 for count in counts.values())
    check_arrays(completer)
    joblib.dump(completer, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    assert loaded.complete("", "", 99) == completer.complete("", "", 99)
