"""Subsets of labels that rankings are restricted to."""

__all__ = ["LabelSubset", "resolve_subset"]


class LabelSubset:
    """A subset of the labels of a fitted estimator, for restricted searches.

    Made by the method ``subset`` of an estimator, and can only be used with that
    estimator. It is immutable, and many threads can use it.

    Parameters
    ----------
    owner : tuple
        Objects that the estimator holds until it is fitted again.
    mask : ndarray of shape (n_labels,), bool, default=None
        Which labels are allowed, where estimators need that.
    bits : tuple of ndarray of uint64, default=()
        For each tree of a classifier, which nodes lead to an allowed label.
    members : tuple, default=()
        For each of several estimators whose rankings are combined, its own `allowed`.

    See Also
    --------
    skxmr.XRLinearClassifier.subset : Makes a subset.
    skxmr.TextRetriever.subset : Makes a subset.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "black tea", "rye bread"]
    >>> retriever = TextRetriever().fit(texts, ["green", "black", "rye"])
    >>> drinks = retriever.subset(allowed=["black", "green"])
    >>> [label for label, _, _ in retriever.search("green bread", allowed=drinks)]
    ['green', 'black']
    """

    def __init__(self, owner, mask=None, bits=(), members=()):
        self.mask = mask
        self.bits = bits
        self.members = members
        self._owner = tuple(owner)

    def check_owner(self, owner):
        """Raise ValueError unless an estimator made this subset.

        Parameters
        ----------
        owner : sequence
            What the estimator holds.
        """
        same = len(owner) == len(self._owner) and all(
            one is other for one, other in zip(owner, self._owner, strict=True)
        )
        if not same:
            raise ValueError(
                "The subset of labels was made by another estimator, or before this "
                "one was fitted again; make it anew."
            )


def resolve_subset(make, allowed, excluded, unknown):
    """Return the subset that the arguments of a search describe; None for all labels.

    Parameters
    ----------
    make : callable
        The method `subset` of the estimator.
    allowed : LabelSubset, iterable of labels or None
    excluded : iterable of labels or None
    unknown : {"raise", "ignore"}

    Returns
    -------
    LabelSubset or None

    Raises
    ------
    ValueError
        If labels are excluded from a subset that is made already.
    """
    if allowed is None and excluded is None:
        return None
    if not isinstance(allowed, LabelSubset):
        # A custom estimator may not have the argument.
        how = {} if unknown == "raise" else {"unknown": unknown}
        return make(allowed, excluded, **how)
    if excluded is not None:
        raise ValueError(
            "excluded cannot be combined with a LabelSubset; pass both sets of labels "
            "to the method subset."
        )
    return allowed
