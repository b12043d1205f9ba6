"""How good the answers are."""

from benchmarks.quality import hits, n_positives, ndcg, precision, recall

N_ASKED = 100
RECALLS = (1, 10, N_ASKED)
PRECISIONS = (1, 3, 5)
NDCG = 10
NAMES = (
    *(f"R@{k}" for k in RECALLS),
    *(f"P@{k}" for k in PRECISIONS),
    f"nDCG@{NDCG}",
)


def evaluate(columns, Y_test):
    """Means over the rows, in percent.

    Parameters
    ----------
    columns : int array of shape (n_rows, 100)
        Best first, -1 where nothing was found.
    Y_test : csr_array of shape (n_rows, n_labels)

    Returns
    -------
    dict of str to float
    """
    found, positives = hits(columns, Y_test), n_positives(Y_test)
    rows = {f"R@{k}": recall(found, positives, k) for k in RECALLS}
    rows |= {f"P@{k}": precision(found, k) for k in PRECISIONS}
    rows[f"nDCG@{NDCG}"] = ndcg(found, positives, NDCG)
    return {name: 100.0 * float(values.mean()) for name, values in rows.items()}
