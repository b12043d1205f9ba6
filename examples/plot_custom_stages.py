"""
Custom stages: a neural matcher and boosted reranking
=====================================================

`XRLinearClassifier` has stages: a matcher finds groups of labels, and a ranker scores
the labels of these groups. Both can be replaced by other estimators. Here a neural
network is the matcher. As an alternative, gradient boosting reranks the best
candidates with features of a text and a label together.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import skxmr
from skxmr import KMeansTree, Reranker, WordNgramTfidf, XRLinearClassifier
from skxmr.datasets import load_subjects
from skxmr.metrics import ndcg_at_k, precision_at_k, recall_at_k
from skxmr.rankers._candidates import CandidateFeatures

# %%
# The data are titles of books with the 600 most frequent subjects, so that each subject
# has enough titles to learn from.
train, test = load_subjects(subset="train"), load_subjects(subset="test")
frequency = np.bincount(train.target.indices, minlength=train.target.shape[1])
often = np.sort(np.argsort(-frequency, kind="stable")[:600])


def those_with(data):
    """Titles that have one of these subjects, and their target."""
    target = data.target.tocsc()[:, often].tocsr()
    rows = np.flatnonzero(np.diff(target.indptr))
    return [data.data[row] for row in rows], target[rows]


titles, Y = those_with(train)
titles_test, Y_test = those_with(test)
print(f"{Y.shape[0]:,} titles, {Y.shape[1]} subjects")
words = WordNgramTfidf(min_df=2)


# %%
# The baseline has linear models along a tree of two levels.
def classifier(**stages):
    tree = KMeansTree(branching_factor=32, max_leaf_size=32)
    return XRLinearClassifier(tree, random_state=0, n_jobs=2, **stages)


linear = make_pipeline(words, classifier())

# %%
# **A custom matcher** is any multilabel classifier: here a small network. It learns
# which groups of the tree have a subject of the title; within the groups, linear models
# score the labels as before.
network = MLPClassifier(
    hidden_layer_sizes=(64,), batch_size=256, max_iter=5, random_state=0
)
neural = make_pipeline(words, classifier(matcher=network))


# %%
# **Reranking.** `Reranker` takes thirty candidates from the linear model and reorders
# them by gradient boosting, which is trained on candidates that were found out of fold.
# We add one feature to the default ones: the share of the words of the subject's name
# that occur in the title.
class WithNames(CandidateFeatures):
    """The default features, and the share of the name's words in the title."""

    def __init__(self, names=None):
        self.names = names

    def transform(self, X, candidates):
        usual = super().transform(X, candidates)
        of_titles = (X > 0).astype(np.float64)[candidates.rows]
        of_names = (self.names > 0).astype(np.float64)[candidates.columns]
        shared = np.asarray(of_titles.multiply(of_names).sum(axis=1)).ravel()
        length = np.asarray(of_names.sum(axis=1)).ravel()
        return np.column_stack([usual, shared / np.maximum(length, 1)])


names = WordNgramTfidf(min_df=2).fit(titles).transform(train.target_names[often])
boosted = make_pipeline(
    words,
    Reranker(
        classifier(),
        HistGradientBoostingClassifier(max_iter=60, random_state=0),
        features=WithNames(names),
        n_candidates=30,
        cv=3,
        random_state=0,
    ),
)

# %%
# Compare all three.
models = {
    "linear": linear,
    "neural matcher": neural,
    "linear, reranked": boosted,
}
measures = {
    "precision@1": lambda ranking: precision_at_k(Y_test, ranking, k=1),
    "nDCG@5": lambda ranking: ndcg_at_k(Y_test, ranking, k=5),
    "recall@10": lambda ranking: recall_at_k(Y_test, ranking, k=10),
}
found, seconds = {}, {}
for name, model in models.items():
    start = time.perf_counter()
    with warnings.catch_warnings():
        # The network stops after five epochs, before it converges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(titles, Y)
    seconds[name] = time.perf_counter() - start
    ranking = skxmr.rank(model, titles_test, k=10)
    found[name] = [measure(ranking) for measure in measures.values()]
    shown = ", ".join(
        f"{measure} {value:.3f}"
        for measure, value in zip(measures, found[name], strict=True)
    )
    print(f"{name:18} fitted in {seconds[name]:4.1f} s: {shown}")

# %%
# On these data, the network is not a better matcher than the linear models, while
# reranking improves the result.
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
places = np.arange(len(measures))
colors = ["#bbbbbb", "#56b4e9", "#009e73"]
for shift, (name, values), color in zip(
    (-0.27, 0, 0.27), found.items(), colors, strict=True
):
    bars = axes.bar(places + shift, values, 0.27, color=color, label=name)
    axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)
axes.set_xticks(places, list(measures))
axes.set_ylabel(f"mean of {len(titles_test):,} titles")
axes.set_ylim(0, 1.2 * max(max(values) for values in found.values()))
axes.legend(ncols=3, loc="upper left", frameon=False)
plt.show()
