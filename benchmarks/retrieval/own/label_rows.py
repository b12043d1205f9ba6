"""Rows of training that are the labels' own texts."""

FIELD_SEPARATOR = "\t"


def split_label_rows(X, n_label_rows):
    """The training texts, and the fields of each label, which the last rows hold.

    Labels of one field have a string each, not a list.
    """
    n_rows = len(X) - n_label_rows
    fields = [row.split(FIELD_SEPARATOR) for row in X[n_rows:]]
    if all(len(row) == 1 for row in fields):
        fields = [text for (text,) in fields]
    return X[:n_rows].tolist(), fields or None


def joined(fields):
    """The text of each label, as `TextRetriever` gives it to an encoder."""
    return [
        one if isinstance(one, str) else " ".join(filter(None, one)) for one in fields
    ]
