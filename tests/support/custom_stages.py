"""Custom matchers and rankers, in a module that workers can import."""

from pathlib import Path

from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression


class LoggedLogistic(LogisticRegression):
    """Notes every fit in a file, which counts those of all threads and processes."""

    def __init__(self, C=1.0, log=None):
        self.log = log
        super().__init__(C=C)

    def fit(self, X, y, sample_weight=None):
        if self.log is not None:
            with Path(self.log).open("a", encoding="utf-8") as file:
                file.write(f"{X.shape[0]}\n")
        return super().fit(X, y, sample_weight)


class Told(BaseEstimator):
    """Gives the scores that it is told, by the method that it is told."""

    def __init__(self, scores=None, method="predict_proba"):
        self.scores = scores
        self.method = method

    def fit(self, X, y):
        self.seen_X_, self.seen_y_ = X, y
        return self

    def __getattr__(self, name):
        if name.startswith("_") or name != self.__dict__.get("method"):
            raise AttributeError(name)
        return lambda X: self.scores


class NearestRow(BaseEstimator):
    """A matcher whose scores are sparse: the nodes of the nearest training row."""

    def fit(self, X, M):
        self.rows_ = sparse.csr_array(X)
        self.nodes_ = sparse.csr_array(M)
        return self

    def predict_proba(self, X):
        similarity = (sparse.csr_array(X) @ self.rows_.T).toarray()
        return self.nodes_[similarity.argmax(axis=1)] * 0.9
