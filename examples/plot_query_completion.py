"""
Session-aware query completion
==============================

A cataloguer describes a book by several terms of a large vocabulary. `QueryCompleter`
completes each term while it is being typed, given the term that was chosen before:
after "astronomy", *st* is more likely to become "stars" than "statistics".

This example compares it with completion by counts, and compares three trees of its
classifier: k-means over the terms, a trie of their characters, and a hybrid of both,
whose upper levels are a trie.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from skxmr import QueryCompleter, TrieTreeHybrid, XRLinearClassifier
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.datasets import load_subjects
from skxmr.metrics import completion_ranks

# %%
# The titles of the bundled sample have a few terms each. Every two terms of a title
# make a pair of a previous and a next query. The pairs of some titles are held out for
# evaluation.
names = load_subjects().target_names


def pairs_of_terms(subset, n_titles):
    previous, following = [], []
    target = load_subjects(subset=subset).target
    for title in range(min(n_titles, target.shape[0])):
        terms = [names[column] for column in target[[title]].indices]
        for one in terms:
            for other in terms:
                if one != other:
                    previous.append(one)
                    following.append(other)
    return previous, following


train, test = pairs_of_terms("train", 15_000), pairs_of_terms("test", 2000)
known = set(train[1])
judged = [pair for pair in zip(*test, strict=True) if pair[1] in known][:1000]
print(f"{len(train[0]):,} pairs to learn from, {len(known):,} terms")

# %%
# Six completers. Those with a very large ``classifier_weight`` rank by the classifier
# alone, to compare the trees. The last one has the default parameters: it combines
# classifier, counts of pairs and popularity.


def by_tree(trie_depth):
    tree = TrieTreeHybrid(trie_depth=trie_depth)
    return QueryCompleter(
        XRLinearClassifier(tree, max_iter=1000), classifier_weight=1e6, random_state=0
    )


completers = {
    "popularity": PopularCompleter(),
    "pairs, then popularity": BigramCompleter(),
    "classifier, k-means tree": by_tree(0),
    "classifier, trie": by_tree(None),
    "classifier, hybrid tree": by_tree(3),
    "all together": QueryCompleter(random_state=0),
}
for name, completer in completers.items():
    start = time.perf_counter()
    completer.fit(*train)
    print(f"{name:26} fitted in {time.perf_counter() - start:4.1f} s")

# %%
# Each completer gets the first characters of the held-out terms. The mean reciprocal
# rank is 1 if the true term is always first, and 1/2 if it is always second.
lengths = [1, 2, 3, 4, 5, 6]
mean_ranks, latencies = {}, {}
truths = [following for _, following in judged]
for name, completer in completers.items():
    mean_ranks[name], times = [], []
    for length in lengths:
        suggestions = []
        for previous, following in judged:
            start = time.perf_counter()
            suggestions.append(completer.complete(following[:length], previous))
            times.append(time.perf_counter() - start)
        ranks = completion_ranks(truths, suggestions)
        found = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0)
        mean_ranks[name].append(found.mean())
    latencies[name] = 1e6 * np.array(times)

# %%
# The previous term helps most with short prefixes.
colors = ["#888888", "#000000", "#56b4e9", "#e69f00", "#009e73", "#d55e00"]
markers = ["o", "s", "^", "v", "D", "*"]
figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (name, values), color, marker in zip(
    mean_ranks.items(), colors, markers, strict=True
):
    axes.plot(lengths, values, color=color, marker=marker, label=name)
axes.set_xlabel("characters typed")
axes.set_ylabel("mean reciprocal rank @10")
axes.set_ylim(0, 1)
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
axes.set_title("Mean reciprocal rank by length of the prefix")
plt.show()

# %%
# All of them are faster than typing. A full trie is deep, so its search visits more
# levels.
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
middle = [np.median(times) for times in latencies.values()]
slow = [np.quantile(times, 0.9) for times in latencies.values()]
places = np.arange(len(latencies))
axes.barh(places, middle, color=colors)
axes.plot(slow, places, "k|", markersize=14, label="90th percentile")
axes.set_yticks(places, list(latencies))
axes.invert_yaxis()
axes.set_xlabel("microseconds per call (bar: median)")
axes.legend()
axes.set_title("Time of a single call, one thread")
plt.show()

# %%
# The hybrid tree of a few terms: grouped by their first two characters, and then by
# k-means on vectors of their character n-grams.
few = [
    "star",
    "stars",
    "statistics",
    "stamps",
    "sun",
    "summer",
    "moon",
    "monks",
    "music",
]
tree = TrieTreeHybrid(trie_depth=2, branching_factor=2, max_leaf_size=2, random_state=0)
tree.fit(label_names=few)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
tree.tree_.plot(ax=axes, label_names=few)
plt.show()

# %%
# Completions of one prefix after different previous terms.
completer = completers["all together"]
for previous in ("", "astronomy", "education"):
    suggested = ", ".join(name for name, _ in completer.complete("st", previous, k=4))
    print(f"{previous or 'nothing before':16} st… {suggested}")
