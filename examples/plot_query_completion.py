"""
Completing a query by what was asked before
===========================================

A cataloguer describes a book by terms of a large vocabulary, one after the other. While
the next one is being typed, `QueryCompleter` suggests how it goes on, and knows which
term was chosen before: after "astronomy", *st* is more likely to become "stars" than
"statistics".

Here it is compared with what can be counted alone, and its classifier is tried along
three trees: k-means over the terms, a trie of their characters, and the hybrid, whose
top is a trie with k-means below.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from skxmr import QueryCompleter, TrieTreeHybrid, XRLinearClassifier
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.datasets import load_subjects
from skxmr.metrics import completion_ranks

# %%
# The sample of titles that ships with the package has a few terms each. Every two terms
# of one title make a pair: one that was chosen, and the next. The pairs of some titles
# are kept to judge by.
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
# Six ways to complete. With so large a `classifier_weight`, nothing but the classifier
# counts: that shows what the tree is worth. The last one is as it comes: classifier,
# counts of pairs and popularity together.


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
# Now each types the first characters of the pairs that were kept. The mean reciprocal
# rank is 1 where the right term always comes first, and 1/2 where it is second.
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
# The previous term is worth most where little has been typed.
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
axes.set_title("How early the right term is suggested")
plt.show()

# %%
# All of them answer before the next key is pressed. A full trie is deep, so that its
# search takes more steps.
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
middle = [np.median(times) for times in latencies.values()]
slow = [np.quantile(times, 0.9) for times in latencies.values()]
places = np.arange(len(latencies))
axes.barh(places, middle, color=colors)
axes.plot(slow, places, "k|", markersize=14, label="9 of 10 are faster")
axes.set_yticks(places, list(latencies))
axes.invert_yaxis()
axes.set_xlabel("microseconds a call (bar: median)")
axes.legend()
axes.set_title("Time of a single call, one thread")
plt.show()

# %%
# What the hybrid looks like: a few terms, by their first two characters and then by
# k-means on the vectors of their characters.
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
# And some answers, by what was chosen before.
completer = completers["all together"]
for previous in ("", "astronomy", "education"):
    suggested = ", ".join(name for name, _ in completer.complete("st", previous, k=4))
    print(f"{previous or 'nothing before':16} st… {suggested}")
