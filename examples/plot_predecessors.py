"""
Lexical, neural and tree-based retrieval
========================================

Common alternatives to models such as `XRLinearClassifier` find texts by shared words,
or by the vectors of a neural network. This example compares the three on one query, and
then on all test queries. It follows a figure of Chang et al., `Extreme Multi-label
Learning for Semantic Matching in Product Search <https://arxiv.org/abs/2106.12657>`_.

The neural model is small and written in NumPy: it shows how such models work, not how
good the largest ones are. ``python -m benchmarks.retrieval`` has one in PyTorch.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse
from scipy.special import softmax
from sklearn.pipeline import make_pipeline

from skxmr import NeighborRanker, TextRetriever, WordNgramTfidf
from skxmr.datasets import load_subjects
from skxmr.metrics import recall_at_k

# %%
# The data are titles of books and articles, with subjects assigned by librarians.
train, test = load_subjects(subset="train"), load_subjects(subset="test")

# %%
# **Lexical.** The subjects of the ten titles with the most similar TF-IDF vectors.
lexical = make_pipeline(WordNgramTfidf(), NeighborRanker(n_neighbors=10))

# %%
# **Neural.** Every word and every subject has an embedding. The embedding of a title is
# the weighted sum of those of its words, and the scores of the subjects are its dot
# products with theirs. The embeddings minimise the cross entropy of a softmax over all
# subjects, by Adagrad.


class TwoTowers:
    """Embeddings of titles and of subjects, in NumPy."""

    def __init__(self, size=64, n_epochs=2, rate=0.2, batch=1024):
        self.size, self.n_epochs = size, n_epochs
        self.rate, self.batch = rate, batch
        self.words = WordNgramTfidf()

    def fit(self, texts, Y, label_texts):
        X = self.words.fit_transform([*texts, *label_texts])
        rows, columns = sparse.vstack([Y, sparse.eye(Y.shape[1])]).nonzero()
        rng = np.random.default_rng(0)
        shape = X.shape[1], self.size
        self.of_words = rng.normal(0, 0.3, shape).astype(np.float32)
        self.of_subjects = np.zeros((Y.shape[1], self.size), dtype=np.float32)
        squares = [np.full_like(v, 1e-3) for v in (self.of_words, self.of_subjects)]
        for _ in range(self.n_epochs):
            order = rng.permutation(len(rows))
            for start in range(0, len(order), self.batch):
                pairs = order[start : start + self.batch]
                slopes = self.slopes(X[rows[pairs]], columns[pairs])
                for place, vectors in enumerate((self.of_words, self.of_subjects)):
                    squares[place] += slopes[place] ** 2
                    step = slopes[place] / np.sqrt(squares[place])
                    np.subtract(vectors, self.rate * step, out=vectors)
        return self

    def slopes(self, X, columns):
        """Gradients of a batch's cross entropy for the words and the subjects."""
        titles = X @ self.of_words
        errors = softmax(titles @ self.of_subjects.T, axis=1)
        errors[np.arange(len(columns)), columns] -= 1
        return X.T @ (errors @ self.of_subjects), errors.T @ titles

    def rank(self, texts, k):
        scores = self.words.transform(texts) @ self.of_words @ self.of_subjects.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return best, np.take_along_axis(scores, best, axis=1)


# %%
# **A tree of linear models**: `TextRetriever`.
tree = TextRetriever(fusion=None, random_state=0, n_jobs=2)
neural = TwoTowers()
names = train.target_names


def timed(fit, *arguments, **options):
    start = time.perf_counter()
    fit(*arguments, **options)
    return time.perf_counter() - start


seconds = {
    "lexical: TF-IDF neighbours": timed(lexical.fit, train.data, train.target),
    "neural: two small towers": timed(neural.fit, train.data, train.target, names),
    "tree: TextRetriever": timed(tree.fit, train.data, train.target, label_texts=names),
}
rankings = {
    "lexical: TF-IDF neighbours": lexical[-1].rank(
        lexical[0].transform(test.data), k=10
    ),
    "neural: two small towers": neural.rank(test.data, k=10),
    "tree: TextRetriever": tree.search_batch(test.data, k=10),
}

# %%
# One query: a title with many subjects.
row = next(
    row
    for row, title in enumerate(test.data)
    if title.startswith("From a tree to a stand in Finnish boreal forests")
)
truth = set(test.target[[row]].indices.tolist())
print(test.data[row])
print("its subjects:", "; ".join(names[column] for column in sorted(truth)))

# %%
# The first ten of each. Subjects of the title are green with a tick, others red with a
# cross.
green, red = "#00785a", "#c0392b"
figure, axes = plt.subplots(figsize=(9.5, 4.6), layout="constrained")
axes.set_axis_off()
axes.set_xlim(0, 3)
axes.set_ylim(10.6, -1.2)
for place, (system, (columns, _)) in enumerate(rankings.items()):
    n_right = len(truth & set(columns[row].tolist()))
    axes.text(place, -0.8, system, weight="bold", fontsize=11)
    axes.text(place, -0.15, f"{n_right} of the first ten are true", fontsize=10)
    for rank, column in enumerate(columns[row], start=1):
        right = column in truth
        mark, color = ("\N{CHECK MARK}", green) if right else ("\N{BALLOT X}", red)
        axes.text(place, rank, mark, color=color, fontsize=12, va="center")
        axes.text(
            place + 0.07,
            rank,
            f"{rank}. {names[column]}",
            color=color,
            weight="bold" if right else "normal",
            fontsize=10,
            va="center",
        )
axes.set_title(f"“{test.data[row]}”", fontsize=10, wrap=True)
plt.show()

# %%
# The results for all test queries.
figure, panels = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
recalls = [recall_at_k(test.target, ranking, k=10) for ranking in rankings.values()]
colors = ["#bbbbbb", "#56b4e9", "#009e73"]
places = np.arange(3)
for axes, values, label, form in (
    (panels[0], recalls, f"recall@10 of {len(test.data):,} titles", "%.3f"),
    (panels[1], list(seconds.values()), "seconds to fit, texts included", "%.1f"),
):
    bars = axes.barh(places, values, color=colors, edgecolor="#444444")
    axes.bar_label(bars, fmt=form, padding=3)
    axes.set_xlim(0, 1.2 * max(values))
    axes.set_xlabel(label)
panels[0].set_yticks(places, list(rankings))
panels[0].invert_yaxis()
plt.show()
