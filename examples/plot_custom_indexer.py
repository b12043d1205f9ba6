"""
Custom indexers
===============

A search reaches labels along a tree. `KMeansTree` builds one from the label vectors,
but often there is a known hierarchy: countries of places, shelves of a library,
departments of a shop. A custom indexer is an estimator whose ``fit`` sets ``tree_``.
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
    """Features and targets of the names of these places."""
    target = part.target.tocsc()[:, largest].tocsr()
    rows = np.flatnonzero(np.diff(target.indptr))
    return transform([part.data[row] for row in rows]), target[rows]


X, Y = names_of_largest(train, vectorizer.fit_transform)
X_test, Y_test = names_of_largest(test, vectorizer.transform)
country = train.country[largest]
print(f"{X.shape[0]:,} names, {Y.shape[1]:,} places in {len(set(country))} countries")

# %%
# `LabelTree.from_parents` makes a tree from the parent of every node. Here the labels
# are the nodes 0, 1, …, followed by their groups; the last node is the root.


def tree_of_groups(group_of_label):
    """Make a tree of two levels: groups below the root, labels below the groups."""
    groups, numbers = np.unique(group_of_label, return_inverse=True)
    n_labels = len(numbers)
    root = n_labels + len(groups)
    parents = np.concatenate([n_labels + numbers, np.full(len(groups), root), [-1]])
    return LabelTree.from_parents(parents)


class GroupIndexer(BaseEstimator):
    """Group labels by given groups."""

    def __init__(self, groups):
        self.groups = groups

    def fit(self, Z, y=None, *, label_names=None):
        self.tree_ = tree_of_groups(self.groups)
        return self


class WardIndexer(BaseEstimator):
    """Group labels by agglomerative clustering of their vectors.

    Z has one row per label, here its PIFA vector.
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
# Five trees of two levels, with groups by k-means, by Ward's method, by country, by the
# first letter of the main name, and at random.
rng = np.random.default_rng(0)
first_letter = np.array([name[0].casefold() for name in train.target_names[largest]])
indexers = {
    "k-means": KMeansTree(branching_factor=100, max_leaf_size=40),
    "Ward's clustering": WardIndexer(random_state=0),
    "country": GroupIndexer(country),
    "first letter": GroupIndexer(first_letter),
    "random": GroupIndexer(rng.integers(100, size=len(largest))),
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
# A good tree groups labels that share features, so that a search needs few groups. The
# places of a country share languages; those with the same first letter share spellings.
# A wide beam does not compensate for a bad tree, since the scores of the groups are
# factors of each label's score.
colors = ["#009e73", "#0072b2", "#e69f00", "#cc79a7", "#000000"]
markers = ["o", "s", "^", "D", "v"]
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for (name, found), color, marker in zip(recalls.items(), colors, markers, strict=True):
    axes.plot(widths, found, color=color, marker=marker, label=name)
axes.set_xscale("log")
axes.set_xticks(widths, widths)
axes.minorticks_off()
axes.set_xlabel("beam width (groups searched)")
axes.set_ylabel("recall@10")
axes.grid(alpha=0.3)
axes.legend(title="groups by")
axes.set_title("The same classifier with five trees")
plt.show()

# %%
# Trees can be plotted: here the places of four countries with few large places.
few = np.flatnonzero(np.isin(country, ["DK", "IE", "NO", "PT"]))
names = train.target_names[largest][few].tolist()
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
tree_of_groups(country[few]).plot(ax=axes, label_names=names)
plt.show()
