"""An estimator in the middle of a fit is asked, copied, set and fitted elsewhere."""

import copy
import os
import pickle
import sys
import threading
import time

import joblib
import pytest
from concurrent_cases import CLASSES, LINEAR, TEXTS
from sklearn.base import clone
from threads_together import TIMEOUT

from skxmr import TextRetriever, WordNgramTfidf

pytestmark = pytest.mark.usefixtures("restless")


class Pausing(WordNgramTfidf):
    """Waits in its fit until somebody has looked."""

    begun = threading.Event()
    go_on = threading.Event()

    def fit_transform(self, raw_documents, y=None):
        self.begun.set()
        assert self.go_on.wait(TIMEOUT)
        return super().fit_transform(raw_documents, y)


@pytest.fixture
def fitting():
    """Give a retriever whose lock another thread holds, in the middle of a fit."""
    retriever = TextRetriever(WordNgramTfidf(), LINEAR)
    retriever.fit(TEXTS[0], CLASSES[0])
    retriever.vectorizer = Pausing()
    Pausing.begun.clear()
    Pausing.go_on.clear()
    thread = threading.Thread(target=retriever.fit, args=(TEXTS[1], CLASSES[1]))
    thread.start()
    assert Pausing.begun.wait(TIMEOUT)
    yield retriever
    Pausing.go_on.set()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def twice(text):
    return text.search("red1 apple2", 8)


WAYS = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_is_being_fitted_answers_and_is_copied(way, fitting):
    before = fitting.search("red1 apple2", 8)
    assert {name[:3] for _, name, _ in before} == {"few"}
    copied = way(fitting)
    assert copied.search("red1 apple2", 8) == before
    copied.set_params(vectorizer=WordNgramTfidf())
    # Nobody waits for the lock of the original.
    copied.fit(TEXTS[1], CLASSES[1])
    assert copied.search("blue3", 1) != fitting.search("blue3", 1)


def test_what_is_being_fitted_is_cloned_and_sent_to_processes(fitting):
    assert not hasattr(clone(fitting), "classes_")
    assert "_locks" not in fitting.__getstate__()
    parallel = joblib.Parallel(n_jobs=1, backend="loky")
    (found,) = parallel([joblib.delayed(twice)(fitting)])
    assert found == fitting.search("red1 apple2", 8)


def test_parameters_set_during_a_fit_stay(fitting):
    fitting.set_params(label_text_weight=3.0, vectorizer=WordNgramTfidf(min_df=2))
    fitting.more = 1
    Pausing.go_on.set()
    while not str(fitting.classes_[0]).startswith("many"):
        time.sleep(0.01)
    assert fitting.label_text_weight == 3
    assert fitting.vectorizer.min_df == 2
    assert fitting.more == 1
    # The fit had begun with the earlier ones.
    assert isinstance(fitting.vectorizer_, Pausing)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_during_a_fit_can_fit(fitting):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.setswitchinterval(0.005)
            fitting.set_params(vectorizer=WordNgramTfidf())
            fitting.fit(TEXTS[1], CLASSES[1])
            status = 0
        finally:
            os._exit(status)
    until = time.monotonic() + TIMEOUT
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > until:
            os.kill(child, 9)
        time.sleep(0.05)
    assert status == 0
