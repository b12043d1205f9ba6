"""What was asked before: each session a string, or several, the newest last."""

from collections.abc import Iterable

from skxmr.folding import fold_text

__all__ = ["check_sessions", "read_session"]


def read_session(previous, name="previous"):
    """Fold what was asked before a query.

    Parameters
    ----------
    previous : str, list or tuple of str, or None
        The last input, or the last few, newest last.
    name : str
        What to call it in messages.

    Returns
    -------
    tuple of str
        Newest last; what is blank is left out.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if isinstance(previous, str):
        folded = fold_text(previous)
        return (folded,) if folded else ()
    if previous is None:
        return ()
    if not isinstance(previous, (list, tuple)):
        raise TypeError(
            f"{name} must be a str, or a list or tuple of str, newest last; "
            f"got {previous!r:.50} of type {type(previous).__name__}."
        )
    for place, text in enumerate(previous):
        if not isinstance(text, str):
            raise TypeError(
                f"{name}[{place}] must be a str; "
                f"got {text!r:.50} of type {type(text).__name__}."
            )
    return tuple(filter(None, map(fold_text, previous)))


def check_sessions(previous, n_queries, beside="queries"):
    """Fold what was asked before each of many queries.

    Parameters
    ----------
    previous : iterable of (str, list or tuple of str, or None), or None
        None where nothing is known of any.
    n_queries : int
        How many there have to be.
    beside : str
        What there are as many of, for the message.

    Returns
    -------
    list of tuple of str

    Raises
    ------
    TypeError
        If one is of another type.
    ValueError
        If `previous` is one string or no iterable, or has another length.
    """
    if previous is None:
        return [()] * n_queries
    if isinstance(previous, (str, bytes)) or not isinstance(previous, Iterable):
        raise ValueError(
            f"previous must be an iterable with a session for each of {beside}; got "
            f"a single {type(previous).__name__}."
        )
    previous = list(previous)
    if len(previous) != n_queries:
        raise ValueError(
            f"previous has {len(previous)} sessions and {beside} has {n_queries} "
            f"items; expected as many of one as of the other."
        )
    folded: dict[str, tuple] = {}
    return [
        folded.get(one) or folded.setdefault(one, read_session(one, f"previous[{i}]"))
        if isinstance(one, str)
        else read_session(one, f"previous[{i}]")
        for i, one in enumerate(previous)
    ]
