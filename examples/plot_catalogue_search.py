"""
Search by a model and by words together
=======================================

A classifier learns which labels people mean by a query; a search by words finds the
labels that have these words. `TextRetriever` does both where labels have texts, and
learns how to weigh them. This example compares the three on several kinds of queries.
"""

import matplotlib.pyplot as plt
import numpy as np

from skxmr import TextRetriever
from skxmr.datasets import load_places
from skxmr.metrics import recall_at_k

# %%
# The labels are the 10,000 most populous places; their main names are the label texts.
# The training texts are other names of them.
train, test = load_places(subset="train"), load_places(subset="test")
retriever = TextRetriever(random_state=0, n_jobs=2)
retriever.fit(train.data, train.target, label_texts=train.target_names)
print(f"{len(train.data):,} training texts, {len(train.target_names):,} labels")

# %%
# `fit` held out some of the training texts, to learn the weights of the features that
# rank the candidates of both searches.
for feature, weight in retriever.fusion_weights_.items():
    print(f"{feature:18} {weight:+7.2f}")

# %%
# Four kinds of queries, 1,000 of each: held-out names of at least two words as they
# are, with their first word at the end, and with two adjacent letters swapped; and the
# main names of places.
random = np.random.default_rng(0)


def shuffle_words(text):
    """Move the first word to the end."""
    first, *others = text.split()
    return " ".join([*others, first])


def swap_letters(text):
    """Swap two adjacent letters of the longest word, except for the first."""
    word = max(text.split(), key=len)
    if len(word) < 4:
        return text
    at = int(random.integers(1, len(word) - 1))
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return text.replace(word, swapped, 1)


rows = [row for row, text in enumerate(test.data) if len(text.split()) > 1][:1000]
texts, truth = [test.data[row] for row in rows], test.target[rows]
labels = random.choice(len(train.target_names), 1000, replace=False)
is_label = np.eye(len(train.target_names), dtype=np.float32)[labels]
kinds = {
    "as typed": (texts, truth),
    "other order": ([shuffle_words(text) for text in texts], truth),
    "typing error": ([swap_letters(text) for text in texts], truth),
    "main name": ([train.target_names[label] for label in labels], is_label),
}

# %%
# With ``fusion=None``, the same retriever ranks by its classifier alone; its
# `lexical_ranker_` ranks by words alone.


def by_model(texts):
    """Rank by the classifier alone."""
    return retriever.set_params(fusion=None).search_batch(texts, k=1)


def by_words(texts):
    """Rank by BM25 alone."""
    return retriever.lexical_ranker_.rank(texts, 1)


def by_both(texts):
    """Rank by the learned score."""
    return retriever.set_params(fusion="learned").search_batch(texts, k=1)


systems = {
    "classifier": (by_model, "#0072b2"),
    "words": (by_words, "#bbbbbb"),
    "both": (by_both, "#009e73"),
}
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
positions = np.arange(len(kinds))
for shift, (system, (rank, color)) in zip(
    (-0.27, 0.0, 0.27), systems.items(), strict=True
):
    found = [recall_at_k(truth, rank(texts), k=1) for texts, truth in kinds.values()]
    print(f"{system:12}", *(f"{recall:.3f}" for recall in found))
    bars = axes.barh(positions + shift, found, height=0.27, color=color, label=system)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
axes.set_yticks(positions, list(kinds))
axes.invert_yaxis()
axes.set_xlim(0, 1.1)
axes.set_xlabel("recall@1 (share of true places that come first)")
axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3, frameon=False)
plt.show()

# %%
# A typing error costs the classifier most: the search by words corrects words that no
# label has. For every kind, both together find at least as much as the better search.
#
# An explanation shows the features that sum to a score, and what each search
# contributes.
query = "Sankt Peterburg"
(column, name, score), *_ = retriever.search(query, k=1)
print(f"{query}: {name}, {train.country[column]} ({score:.2f})")
print(retriever.explain(query, column))

# %%
# Words that are in no text can be corrected.
for query in ("Barcelna", "Melborne", "new yrok"):
    print(f"{query}: did you mean {retriever.did_you_mean(query)!r}?")
