"""
A tree of one's own
===================

The search reaches labels by a tree. `KMeansTree` grows one from what is known of the
labels, but often there is a hierarchy at hand: countries of places, shelves of a
library, departments of a shop. An indexer of one's own is an estimator whose ``fit``
sets ``tree_``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_union

from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    LabelTree,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_places
from skxmr.metrics import recall_at_k

# %%
# The 4,000 most populous places of the sample, and their names.
train, test = load_places(subset="train"), load_places(subset="test")
largest = np.sort(np.argsort(-train.population)[:4000])
vectorizer = make_union(
    WordNgramTfidf(ngram_range=(1, 2)), CharNgramTfidf(ngram_range=(3, 3))
)


def names_of_largest(part, transform):
    """Features and target of the names that mean one of them."""
    target = part.target.tocsc()[:, largest].tocsr()
    rows = np.flatnonzero(np.diff(target.indptr))
    return transform([part.data[row] for row in rows]), target[rows]


X, Y = names_of_largest(train, vectorizer.fit_transform)
X_test, Y_test = names_of_largest(test, vectorizer.transform)
country = train.country[largest]
print(f"{X.shape[0]:,} names, {Y.shape[1]:,} places in {len(set(country))} countries")

# %%
# `LabelTree.from_parents` makes a tree from the parent of every node. Here the labels
# are the nodes 0, 1, …, then come their groups, and the last one is the root.


def tree_of_groups(group_of_label):
    """Two levels: groups below the root, labels below them."""
    groups, numbers = np.unique(group_of_label, return_inverse=True)
    n_labels = len(numbers)
    root = n_labels + len(groups)
    parents = np.concatenate([n_labels + numbers, np.full(len(groups), root), [-1]])
    return LabelTree.from_parents(parents)


class GroupIndexer(BaseEstimator):
    """Groups that are known before."""

    def __init__(self, groups):
        self.groups = groups

    def fit(self, Z, y=None, *, label_names=None):
        self.tree_ = tree_of_groups(self.groups)
        return self


class WardIndexer(BaseEstimator):
    """Groups by scikit-learn's agglomerative clustering of the labels' vectors.

    Z has a row for each label, here the mean of its names' features.
    """

    def __init__(self, n_clusters=100, n_components=50, random_state=None):
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, Z, y=None, *, label_names=None):
        svd = TruncatedSVD(self.n_components, random_state=self.random_state)
        clustering = AgglomerativeClustering(self.n_clusters, linkage="ward")
        self.tree_ = tree_of_groups(clustering.fit_predict(svd.fit_transform(Z)))
        return self


# %%
# Five trees, of two levels each: as many groups by k-means, by Ward's method, by
# country, by the first letter of the main name, and by lot.
rng = np.random.default_rng(0)
first_letter = np.array([name[0].casefold() for name in train.target_names[largest]])
indexers = {
    "k-means": KMeansTree(branching_factor=100, max_leaf_size=40),
    "Ward's clustering": WardIndexer(random_state=0),
    "country": GroupIndexer(country),
    "first letter": GroupIndexer(first_letter),
    "by lot": GroupIndexer(rng.integers(100, size=len(largest))),
}
widths = [1, 2, 5, 10, 20]
recalls = {}
for name, indexer in indexers.items():
    model = XRLinearClassifier(indexer, n_jobs=2, random_state=0).fit(X, Y)
    sizes = model.trees_[0].level_sizes
    print(f"{name:18} {sizes[1]:4} groups, {model.n_weights_:,} weights")
    found = []
    for width in widths:
        model.set_params(beam_width=width)
        found.append(recall_at_k(Y_test, model.rank(X_test, k=10), k=10))
    recalls[name] = found

# %%
# A good tree puts together what is found by the same pieces of names, so that few
# groups must be looked into. The places of a country share languages; those of a first
# letter share spellings. Even a wide beam does not make up for a bad tree, for the
# models of the groups are a part of each score.
colors = ["#009e73", "#0072b2", "#e69f00", "#cc79a7", "#000000"]
markers = ["o", "s", "^", "D", "v"]
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for (name, found), color, marker in zip(recalls.items(), colors, markers, strict=True):
    axes.plot(widths, found, color=color, marker=marker, label=name)
axes.set_xscale("log")
axes.set_xticks(widths, widths)
axes.minorticks_off()
axes.set_xlabel("beam width (groups looked into)")
axes.set_ylabel("recall@10")
axes.grid(alpha=0.3)
axes.legend(title="groups by")
axes.set_title("The same model along five trees")
plt.show()

# %%
# Trees can be drawn: here the places of four countries that have few large ones.
few = np.flatnonzero(np.isin(country, ["DK", "IE", "NO", "PT"]))
names = train.target_names[largest][few].tolist()
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
tree_of_groups(country[few]).plot(ax=axes, label_names=names)
plt.show()
