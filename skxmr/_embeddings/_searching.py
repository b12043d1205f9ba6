"""Search by the embeddings of texts, and the embeddings themselves."""

from typing import NamedTuple, Self

import numpy as np

from skxmr._embeddings._encoding import Encoder
from skxmr._embeddings._label_embeddings import LabelEmbeddings

__all__ = ["EmbeddingSearch"]


class EmbeddingSearch(NamedTuple):
    """An encoder of texts, and the labels that it is to find.

    Parameters
    ----------
    encoder : Encoder
    embeddings : LabelEmbeddings
    exact : bool, default=False
        Whether to compare a text with all labels, however many there are.
    """

    encoder: Encoder
    embeddings: LabelEmbeddings
    exact: bool = False

    @classmethod
    def of_labels(cls, texts, encoder, encoder_labels, verbose=0) -> Self | None:
        """Encode the texts of labels.

        Parameters
        ----------
        texts : list of str
            Of each label; blank for none.
        encoder : callable or transformer
            Of the texts of searches.
        encoder_labels : callable, transformer or None
            Of the texts of labels; None for the same.
        verbose : int, default=0
            Whether to print the progress.

        Returns
        -------
        EmbeddingSearch or None
            None if all texts are blank.

        Raises
        ------
        NotFittedError
            If one is a transformer that is not fitted.
        ValueError
            If the one of labels returns anything but finite vectors of one length.
        """
        of_texts = of_labels = Encoder(encoder, "encoder")
        of_texts.check_fitted()
        if encoder_labels is not None:
            of_labels = Encoder(encoder_labels, "encoder_labels")
            of_labels.check_fitted()
        embeddings = LabelEmbeddings.encode(texts, of_labels, verbose)
        if embeddings is None:
            return None
        return cls(of_texts, embeddings)

    def encode(self, texts):
        """Encode texts.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        ndarray of shape (n_texts, length), float32
        """
        length = self.embeddings.length
        encoded = list(self.encoder.in_batches(texts, length))
        if len(encoded) == 1:
            return encoded[0]
        return np.concatenate([*encoded, np.zeros((0, length), dtype=np.float32)])

    def find(self, vectors, k, factors=None, scale=1.0, n_jobs=None):
        """Find the labels most like texts, as of `LabelEmbeddings.find`."""
        return self.embeddings.find(vectors, k, factors, scale, n_jobs, self.exact)
