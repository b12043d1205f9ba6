"""A neural model of two towers in PyTorch: texts and labels as bags of n-grams.

After the DSSM that Chang et al. (arXiv 2106.12657) compare with: both towers share one
embedding of each n-gram, and a label is near a text where their cosine is large.
"""

from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy.sparse as sp
import torch
from benchworker import run
from torch import nn
from torch.nn.functional import cross_entropy, normalize

ASKED_AT_ONCE = 256
DEFAULTS = {
    "size": 128,
    "epochs": 10,
    # So that a large problem does not take half an hour: it gets fewer epochs.
    "most_steps": 800,
    "rate": 3e-3,
    "batch": 1024,
    "negatives": 1024,
    "scale": 20.0,
    "identity": False,
    "dropout": 0.0,
}


class Bags:
    """Rows of a sparse matrix as what `EmbeddingBag` reads."""

    def __init__(self, X):
        X = sp.csr_matrix(X)
        self.indptr = X.indptr.astype(np.int64)
        self.indices = torch.from_numpy(X.indices.astype(np.int64))
        self.values = torch.from_numpy(X.data.astype(np.float32))

    def __len__(self):
        return len(self.indptr) - 1

    def take(self, rows):
        """N-grams, where each row's begin, and their weights."""
        starts = self.indptr[rows]
        lengths = self.indptr[rows + 1] - starts
        offsets = np.cumsum(lengths) - lengths
        places = np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())
        return self.indices[places], torch.from_numpy(offsets), self.values[places]


class Towers(nn.Module):
    """Vectors of texts; and of labels, by their texts and by what they are."""

    def __init__(self, n_grams, n_labels, settings):
        super().__init__()
        size = settings["size"]
        self.grams = nn.EmbeddingBag(n_grams, size, mode="sum")
        nn.init.normal_(self.grams.weight, std=size**-0.5)
        self.identity = None
        if settings["identity"]:
            self.identity = nn.Embedding(n_labels, size)
            nn.init.normal_(self.identity.weight, std=0.1 * size**-0.5)
        self.dropout = nn.Dropout(settings["dropout"])

    def texts(self, grams, offsets, weights):
        bags = self.grams(grams, offsets, per_sample_weights=self.dropout(weights))
        return normalize(bags, dim=1)

    def labels(self, columns, bags):
        """Of some columns; the labels' texts are None where there are none."""
        vectors = 0.0
        if bags is not None:
            grams, offsets, weights = bags.take(columns)
            vectors = self.grams(grams, offsets, per_sample_weights=weights)
        if self.identity is not None:
            vectors = vectors + self.identity(torch.from_numpy(columns))
        return normalize(vectors, dim=1)


class TwoTowers:
    """Trained by a sampled softmax, with the labels of its batch among the sample.

    Adam with a rate that rises and then falls to zero. The matrices are those that all
    systems read: n-grams with their TF-IDF weights, which weigh the embeddings. The
    last rows may be the labels' own texts, which go into the labels' tower.
    """

    version = torch.__version__

    def __init__(self, settings, threads, seed):
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        self.n_label_rows = settings["label_rows"]
        self.settings = DEFAULTS | settings.get("neural", {})
        if not self.n_label_rows:
            self.settings["identity"] = True
        self.rng = np.random.default_rng(seed)

    def prepare(self, X, Y):
        n_rows = X.shape[0] - self.n_label_rows
        self.bags = Bags(X[:n_rows])
        self.label_bags = Bags(X[n_rows:]) if self.n_label_rows else None
        self.Y = sp.csr_matrix(Y[:n_rows])
        self.n_grams, self.n_labels = X.shape[1], Y.shape[1]

    def fit(self):
        start = perf_counter()
        pairs = self.Y.tocoo()
        rows, columns = pairs.row, pairs.col.astype(np.int64)
        counts = np.bincount(columns, minlength=self.n_labels)
        # How likely a batch has a label, as one of its rows' or as one of the sample.
        batch, n_sampled = self.settings["batch"], self.settings["negatives"]
        self.chances = counts / len(rows) * batch + n_sampled / self.n_labels
        self.towers = Towers(self.n_grams, self.n_labels, self.settings)
        n_steps = min(
            self.settings["epochs"] * -(-len(rows) // batch),
            self.settings["most_steps"],
        )
        # On all weights, for most of them change in every step anyway.
        adam = torch.optim.Adam(
            self.towers.parameters(), self.settings["rate"], fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            adam, self.settings["rate"], n_steps, cycle_momentum=False
        )
        for chosen in islice(self.batches(len(rows)), n_steps):
            loss = self.loss(rows[chosen], columns[chosen])
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        self.facts = {"epochs": n_steps * batch / len(rows)}
        self.towers.eval()
        with torch.inference_mode():
            self.vectors = torch.cat(
                [
                    self.towers.labels(part, self.label_bags)
                    for part in np.array_split(np.arange(self.n_labels), 32)
                ]
            )
        return None, perf_counter() - start

    def batches(self, n_pairs):
        """Numbers of pairs, epoch after epoch in another order."""
        batch = self.settings["batch"]
        while True:
            order = self.rng.permutation(n_pairs)
            for first in range(0, n_pairs, batch):
                yield order[first : first + batch]

    def loss(self, rows, columns):
        """Softmax over the labels of the batch and some others, drawn alike."""
        drawn = self.rng.integers(self.n_labels, size=self.settings["negatives"])
        candidates, places = np.unique(
            np.concatenate([columns, drawn]), return_inverse=True
        )
        texts = self.towers.texts(*self.bags.take(rows))
        labels = self.towers.labels(candidates, self.label_bags)
        corrections = torch.from_numpy(np.log(self.chances[candidates])).float()
        logits = self.settings["scale"] * (texts @ labels.T) - corrections
        targets = torch.from_numpy(places[: len(rows)])
        # The other labels of a row are no negatives of it.
        others = torch.from_numpy(self.Y[rows][:, candidates].toarray() > 0)
        others[torch.arange(len(rows)), targets] = False
        return cross_entropy(logits.masked_fill(others, -torch.inf), targets)

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        kept = {"grams": self.towers.grams.weight.data, "vectors": self.vectors}
        torch.save(kept, Path(folder, "model.pt"))

    def load(self, folder, layout):
        del layout
        kept = torch.load(Path(folder, "model.pt"))
        self.grams, self.vectors = kept["grams"], kept["vectors"]

    def queries(self, X):
        return Bags(X)

    @torch.inference_mode()
    def predict(self, queries, k, threads):
        """Exact: the cosine of every label."""
        torch.set_num_threads(threads)
        rows = np.arange(len(queries))
        parts = [
            self.best(queries, rows[first : first + ASKED_AT_ONCE], k)
            for first in range(0, len(rows), ASKED_AT_ONCE)
        ]
        return torch.cat(parts)

    def best(self, queries, rows, k):
        grams, offsets, weights = queries.take(rows)
        # The cosine's order does not depend on the text's length.
        texts = nn.functional.embedding_bag(
            grams, self.grams, offsets, mode="sum", per_sample_weights=weights
        )
        return (texts @ self.vectors.T).topk(k, dim=1).indices

    def columns(self, predicted, k):
        del k
        return predicted.numpy()

    @torch.inference_mode()
    def one_by_one(self, X, k):
        torch.set_num_threads(1)
        queries = Bags(X)
        rows = np.arange(len(queries))

        def call(row):
            return self.best(queries, rows[row : row + 1], k)

        return call


if __name__ == "__main__":
    run(TwoTowers)
