"""Calls of encoders: functions or transformers from texts to dense vectors."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError

from skxmr._inputs._label_fields import is_blank
from skxmr._inputs._validation import check_is_fitted

__all__ = ["Encoder"]

_TEXTS_OF_CALL = 256
_LEAST_SQUARE = 1e-200


class Encoder(NamedTuple):
    """An encoder of the user, and the parameter that it was given as.

    Parameters
    ----------
    encode : callable or transformer
        Takes a list of texts; a transformer by its method ``transform``.
    name : str
        For messages.
    """

    encode: Any
    name: str

    def check_fitted(self):
        """Raise NotFittedError if this is a transformer that is not fitted.

        `clone` forgets what an estimator has learned, unless it is frozen.
        """
        if not (hasattr(self.encode, "transform") and hasattr(self.encode, "fit")):
            return
        try:
            check_is_fitted(self.encode)
        except NotFittedError:
            raise NotFittedError(
                f"{self.name} is a {type(self.encode).__name__} that is not fitted. It "
                f"is used as it is: fit it before, and pass it as "
                f"FrozenEstimator({self.name}), which clone and cross-validation keep "
                f"fitted."
            ) from None

    def remembering(self):
        """Return an encoder that encodes each list of texts once, and keeps the result.

        For a change that may be repeated.
        """
        return self._replace(encode=_Remembering(self.encode))

    def in_batches(self, texts, length=None):
        """Encode many texts, some at a time.

        Parameters
        ----------
        texts : list of str
        length : int, default=None
            As of `of`.

        Yields
        ------
        ndarray of shape (n_of_batch, length), float32
            As of `of`.
        """
        for first in range(0, len(texts), _TEXTS_OF_CALL):
            vectors = self.of(texts[first : first + _TEXTS_OF_CALL], length)
            length = vectors.shape[1]
            yield vectors

    def of(self, texts, length=None):
        """Encode texts in one call, without those that are blank.

        Parameters
        ----------
        texts : list of str
            Not all blank if `length` is None.
        length : int, default=None
            The expected number of entries of a vector; None for any.

        Returns
        -------
        ndarray of shape (n_texts, length), float32
            Of unit length, or zero; zero for blank texts.

        Raises
        ------
        ValueError
            If the encoder returns anything but a dense array of finite numbers with one
            row for each text, of the given length.
        """
        rows = [row for row, text in enumerate(texts) if not is_blank(text)]
        if not rows:
            return np.zeros((len(texts), length or 0), dtype=np.float32)
        call = getattr(self.encode, "transform", self.encode)
        vectors = self._as_numbers(call([texts[row] for row in rows]))
        self._check(vectors, len(rows), length)
        if len(rows) == len(texts):
            return _of_unit_length(vectors)
        units = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        units[rows] = _of_unit_length(vectors)
        return units

    def _check(self, vectors, n_texts, length):
        """Raise ValueError unless there is a finite vector for each text."""
        if vectors.ndim != 2 or vectors.shape[0] != n_texts or not vectors.shape[1]:
            self._refuse(
                f"an array of shape {vectors.shape} for {n_texts} texts", "(n_texts, d)"
            )
        if length is not None and vectors.shape[1] != length:
            self._refuse(
                f"vectors of length {vectors.shape[1]}", f"(n_texts, {length})"
            )
        if not np.isfinite(vectors).all():
            self._refuse("NaN or infinity", "(n_texts, d) of finite numbers")

    def _as_numbers(self, result):
        """Convert the result of a call to an array of float64."""
        if sparse.issparse(result):
            self._refuse(f"a {type(result).__name__}", "(n_texts, d)")
        vectors = np.asarray(result)
        if vectors.dtype.kind not in "fiub":
            self._refuse(f"an array of dtype {vectors.dtype}", "(n_texts, d)")
        return vectors.astype(np.float64)

    def _refuse(self, got, expected):
        raise ValueError(
            f"{self.name} returned {got}; expected a dense array of shape {expected}."
        )


class _Remembering:
    """An encoder with the results of all calls so far."""

    def __init__(self, encode):
        self.encode = encode
        self.known: dict = {}

    def __call__(self, texts):
        key = tuple(texts)
        if key not in self.known:
            call = getattr(self.encode, "transform", self.encode)
            self.known[key] = call(texts)
        return self.known[key]


def _of_unit_length(vectors):
    squares = np.einsum("ij,ij->i", vectors, vectors)
    is_safe = (squares > _LEAST_SQUARE) & (squares < 1 / _LEAST_SQUARE)
    if not is_safe.all():
        # Divided by the largest entry: squares must not overflow.
        rows = vectors[~is_safe]
        largest = np.abs(rows).max(axis=1, keepdims=True)
        rows = rows / np.where(largest > 0, largest, 1)
        vectors[~is_safe] = rows
        of_rows = np.einsum("ij,ij->i", rows, rows)
        squares[~is_safe] = np.where(of_rows > 0, of_rows, 1)
    vectors *= (1 / np.sqrt(squares))[:, np.newaxis]
    return vectors.astype(np.float32)
