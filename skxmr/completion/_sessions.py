"""Sessions: the previous query of a query, or several, the newest last."""

from collections.abc import Iterable

import numpy as np

from skxmr._inputs._columns import as_list, session_texts

__all__ = ["check_sessions", "read_session"]


def read_session(previous, normalize, name="previous"):
    """Normalise the session of a query.

    Parameters
    ----------
    previous : str, iterable of str, or a missing value
        The previous query, or several, the newest last: a list, a tuple, an array and
        so on.
    normalize : callable
        Maps a text to its normalised form.
    name : str
        Name of the argument, for messages.

    Returns
    -------
    tuple of str
        Newest last, without blank and missing queries.

    Raises
    ------
    TypeError
        If `previous` has any other type.
    """
    if isinstance(previous, str):
        normalized = normalize(previous)
        return (normalized,) if normalized else ()
    return tuple(filter(None, map(normalize, session_texts(previous, name))))


def check_sessions(previous, n_queries, normalize, beside="queries"):
    """Normalise the sessions of many queries.

    Parameters
    ----------
    previous : iterable of (str, iterable of str, or a missing value), or None
        None if no previous queries are known. Each row of a 2-D array is a session.
    n_queries : int
        The required length.
    normalize : callable
        Maps a text to its normalised form.
    beside : str
        Name of the argument whose length is required, for messages.

    Returns
    -------
    list of tuple of str

    Raises
    ------
    TypeError
        If a session has another type.
    ValueError
        If `previous` is a single string or not an iterable, or has another length.
    """
    if previous is None:
        return [()] * n_queries
    if isinstance(previous, (str, bytes)) or not isinstance(previous, Iterable):
        raise ValueError(
            f"previous must be an iterable with a session for each of {beside}; got "
            f"a single {type(previous).__name__}."
        )
    # Each session may be an array, and so may the sequence of them.
    is_matrix = isinstance(previous, np.ndarray) and previous.ndim == 2
    expected = f"an iterable with a session for each of {beside}"
    previous = list(previous) if is_matrix else as_list(previous, "previous", expected)
    if len(previous) != n_queries:
        raise ValueError(
            f"previous has {len(previous)} sessions and {beside} has {n_queries} "
            f"items; expected the same number."
        )
    known: dict[str, tuple] = {}
    sessions = []
    for i, one in enumerate(previous):
        session = known.get(one) if isinstance(one, str) else None
        if session is None:
            session = read_session(one, normalize, f"previous[{i}]")
            if isinstance(one, str):
                known[one] = session
        sessions.append(session)
    return sessions
