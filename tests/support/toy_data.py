"""Small data that several test modules share."""

import numpy as np
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.preprocessing import normalize


def make_multilabel(n_samples, n_labels=12):
    """Draw 20 features and an indicator matrix of two labels a row, on average.

    The rows of X are a CSR array of float32 with unit norm; Y is dense.
    """
    X, Y = make_multilabel_classification(
        n_samples, 20, n_classes=n_labels, n_labels=2, random_state=0
    )
    return sparse.csr_array(normalize(X), dtype=np.float32), Y
