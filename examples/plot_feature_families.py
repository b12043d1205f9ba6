"""
Comparison of text features
===========================

Texts are converted to features before training. Words alone give the smallest model.
Pairs of adjacent words distinguish "house music" from "music house", and character
n-grams match misspelt and inflected words. Which features help depends on the texts:
this example compares them on names of places and titles of books.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_union

from skxmr import CharNgramTfidf, TextRetriever, WordNgramTfidf, XRLinearClassifier
from skxmr.datasets import load_places, load_subjects
from skxmr.metrics import recall_at_k

WORDS = r"(?u)\b\w+\b"
families = {
    "words": WordNgramTfidf(token_pattern=WORDS),
    "words, pairs": WordNgramTfidf(ngram_range=(1, 2), token_pattern=WORDS),
    "words, characters": make_union(
        WordNgramTfidf(token_pattern=WORDS), CharNgramTfidf(ngram_range=(3, 3))
    ),
    "words, pairs, characters": make_union(
        WordNgramTfidf(ngram_range=(1, 2), token_pattern=WORDS),
        CharNgramTfidf(ngram_range=(3, 3)),
    ),
}
data = {"names of places": load_places, "titles of books": load_subjects}

# %%
# The classifier is the same for all; only the features differ. The last ones are the
# defaults of `TextRetriever`.


def measure(vectorizer, train, test):
    """Recall@10, seconds to fit, megabytes, microseconds per text."""
    classifier = XRLinearClassifier(random_state=0, n_jobs=2)
    retriever = TextRetriever(vectorizer, classifier, fusion=None)
    start = time.perf_counter()
    retriever.fit(train.data, train.target, label_texts=train.target_names)
    fitted = time.perf_counter()
    ranking = retriever.search_batch(test.data, k=10)
    ranked = time.perf_counter()
    return (
        recall_at_k(test.target, ranking, k=10),
        fitted - start,
        retriever.classifier_.nbytes_ / 1e6,
        1e6 * (ranked - fitted) / len(test.data),
    )


measured = {}
for texts, load in data.items():
    train, test = load(subset="train"), load(subset="test")
    measured[texts] = np.array(
        [measure(vectorizer, train, test) for vectorizer in families.values()]
    )
    print(f"{texts}: {len(train.data):,} training texts")
    for name, (recall, seconds, size, micro) in zip(
        families, measured[texts], strict=True
    ):
        print(
            f"  {name:25} recall@10 {recall:.3f}, fit {seconds:4.1f} s, "
            f"{size:4.1f} MB, {micro:4.1f} µs per text"
        )

# %%
# Names are short and have many spellings: most are not found without character n-grams.
# Titles are longer, and their words are sufficient for most of them.
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
colors = ["#bbbbbb", "#56b4e9", "#e69f00", "#009e73"]
places = np.arange(len(families))
for axes, (texts, values) in zip(panels, measured.items(), strict=True):
    bars = axes.barh(places, values[:, 0], color=colors, edgecolor="#444444")
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.set_xlim(0, 1.25 * values[:, 0].max())
    axes.set_xlabel("recall@10")
    axes.set_title(texts)
panels[0].set_yticks(places, families)
panels[0].invert_yaxis()
plt.show()

# %%
# The cost of the features.
figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained", sharey=True)
titles = [
    "seconds to fit",
    "model size in megabytes",
    "microseconds per text, in a batch",
]
for axes, title, column in zip(panels, titles, (1, 2, 3), strict=True):
    for shift, (texts, values), color in zip(
        (-0.2, 0.2), measured.items(), ("#0072b2", "#e69f00"), strict=True
    ):
        axes.barh(places + shift, values[:, column], 0.4, color=color, label=texts)
    axes.set_xlabel(title)
panels[0].set_yticks(places, families)
panels[0].invert_yaxis()
figure.legend(
    *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2
)
plt.show()
