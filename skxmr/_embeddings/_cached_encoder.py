"""An encoder that keeps its last results."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from numbers import Integral
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["CachedEncoder"]


class CachedEncoder:
    """A function of texts that keeps its last results, for two uses of one encoder.

    As the `encoder` of a `TextRetriever` whose vectorizer has the same embeddings as
    features, it encodes the text of a search once. All copies are the same object, so
    that it can be a part of estimators that are cloned: neither results nor the model
    behind the function are copied.

    Parameters
    ----------
    encode : callable or transformer
        Turns a list of n texts into a dense array of shape (n, d); a transformer by its
        method ``transform``. It is called with texts whose vectors are not kept, each
        once.
    max_texts : int or None, default=10_000
        The number of texts whose vectors are kept, those that were used last. None
        keeps all.

    See Also
    --------
    skxmr.TextRetriever : Searches by embeddings, words and a trained classifier.

    Notes
    -----
    Any number of threads can call it. It is pickled with its function, without results.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.retrieval import CachedEncoder
    >>> encode = CachedEncoder(lambda texts: np.array([[len(t), 1.0] for t in texts]))
    >>> encode(["tea", "coffee", "tea"])
    array([[3., 1.],
           [6., 1.],
           [3., 1.]])
    """

    def __init__(self, encode: Callable | Any, max_texts: int | None = 10_000) -> None:
        if not (callable(encode) or hasattr(encode, "transform")):
            raise TypeError(
                f"encode must be a function of texts or a transformer; got a "
                f"{type(encode).__name__}."
            )
        is_number = isinstance(max_texts, Integral) and not isinstance(max_texts, bool)
        if max_texts is not None and not (is_number and max_texts > 0):
            raise ValueError(
                f"max_texts={max_texts!r} must be a positive integer or None."
            )
        self.encode = encode
        self.max_texts = max_texts
        self._known: OrderedDict = OrderedDict()
        self._lock = Lock()

    def __call__(self, texts: Iterable[str]) -> NDArray:
        """Return the vectors of texts.

        Parameters
        ----------
        texts : iterable of str of length n

        Returns
        -------
        ndarray of shape (n, d)
            Of the dtype of the function's results.

        Raises
        ------
        ValueError
            If the function does not return a dense array with one row for each text.
        """
        texts = list(texts)
        if not texts:
            return self._call(texts)
        with self._lock:
            known: dict[str, Any] = {text: self._known.get(text) for text in texts}
        missing = [text for text, vector in known.items() if vector is None]
        if missing:
            # Copied: a row would keep the whole array in memory.
            vectors = map(np.array, self._call(missing))
            known.update(zip(missing, vectors, strict=True))
        with self._lock:
            self._keep(known)
        return np.stack([known[text] for text in texts])

    def _call(self, texts):
        """Call the function; check the shape of what it returns."""
        found = getattr(self.encode, "transform", self.encode)(texts)
        vectors = np.asarray(found)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(
                f"encode returned a {type(found).__name__} of shape {np.shape(found)} "
                f"for {len(texts)} texts; expected a dense array of shape (n_texts, d)."
            )
        return vectors

    def _keep(self, vectors):
        """Make some texts those that were used last, and forget the first ones."""
        for text, vector in vectors.items():
            self._known[text] = vector
            self._known.move_to_end(text)
        if self.max_texts is not None:
            while len(self._known) > self.max_texts:
                self._known.popitem(last=False)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict) -> Self:
        return self

    def __sklearn_clone__(self) -> Self:
        return self

    def __reduce__(self) -> tuple:
        return type(self), (self.encode, self.max_texts)
