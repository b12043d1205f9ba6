"""
Find places by any spelling of their names
==========================================

A place has many names: in other languages, in other scripts, and misspelt. From names
of known places, `TextRetriever` learns the n-grams that indicate each place, and how
much a similar spelling counts, so that it finds places by spellings that are not in the
training data.
"""

import time
import unicodedata

import matplotlib.pyplot as plt
import numpy as np

from skxmr import NeighborRanker, TextRetriever
from skxmr.datasets import load_places
from skxmr.metrics import recall_at_k

# %%
# The bundled sample has names of the 10,000 most populous places. Each row is a name;
# the target is a sparse indicator of its place or places.
train, test = load_places(subset="train"), load_places(subset="test")
print(f"{len(train.data):,} names to learn from, {len(train.target_names):,} places")

# %%
# The features of its classifier are words, word pairs and character trigrams. The main
# name of each place is an additional training row; it is also searched by words, as are
# the training names, and compared with the query. One score ranks the candidates of
# both searches.
retriever = TextRetriever(random_state=0, n_jobs=2)
start = time.perf_counter()
retriever.fit(train.data, train.target, label_texts=train.target_names)
print(f"fitted in {time.perf_counter() - start:.1f} s")

for text in ("Sankt Peterburg", "Barselona", "Нью-Йорк", "Florenz", "Λονδινο"):
    for column, name, score in retriever.search(text, k=1):
        print(f"{text:16} {name}, {train.country[column]}  (score {score:.2f})")

# %%
# The map shows all places and the best three for some misspelt names. Larger dots have
# higher scores: a name of several places finds all of them.
queries = ["Córdova", "Hyderabaad", "Valensia", "Birmingam"]
colors = ["#d55e00", "#0072b2", "#009e73"]
figure, grid = plt.subplots(2, 2, figsize=(9, 4.7), layout="constrained")
for axes, query in zip(grid.flat, queries, strict=True):
    axes.scatter(train.longitude, train.latitude, s=0.3, color="#aaaaaa")
    found = retriever.search(query, k=3)
    best_score = found[0][2]
    for rank, (column, name, score) in enumerate(found):
        axes.scatter(
            train.longitude[column],
            train.latitude[column],
            s=15 + 150 * score / best_score,
            color=colors[rank],
            alpha=0.7,
        )
        text = f"{rank + 1}. {name}, {train.country[column]}"
        axes.text(-175, -18 - 15 * rank, text, color=colors[rank], fontsize=9)
    axes.set_title(f"“{query}”", fontsize=11)
    axes.set_xlim(-180, 180)
    axes.set_ylim(-60, 80)
    axes.set_aspect("equal")
    axes.set_xticks([-180, -90, 0, 90, 180])
    axes.set_yticks([-45, 0, 45])
for axes in grid[1]:
    axes.set_xlabel("longitude in degrees")
for axes in grid[:, 0]:
    axes.set_ylabel("latitude in degrees")
plt.show()

# %%
# How often is the true place among the first ten? That depends on the script: a Korean
# name shares no characters with its Latin form, and few names in the sample are Korean.
# The baseline is the nearest neighbours with the same features, which need no training.


def script_of(name):
    """First word of the Unicode name of the first letter, e.g. "CYRILLIC" or "CJK"."""
    letters = [character for character in name if character.isalpha()]
    return unicodedata.name(letters[0]).split()[0] if letters else "NONE"


neighbors = NeighborRanker().fit(
    retriever.vectorizer_.transform(train.data), train.target
)
rankings = {
    "TextRetriever": retriever.search_batch(test.data, k=10),
    "nearest names": neighbors.rank(retriever.vectorizer_.transform(test.data), 10),
}
scripts = np.array([script_of(name) for name in test.data])
names, counts = np.unique(scripts, return_counts=True)
shown = names[np.argsort(-counts)][:8]
places = np.arange(len(shown))

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
for shift, (system, (columns, scores)), color in zip(
    (-0.2, 0.2), rankings.items(), ("#009e73", "#bbbbbb"), strict=True
):
    found = []
    for script in shown:
        rows = np.flatnonzero(scripts == script)
        ranking = columns[rows], scores[rows]
        found.append(recall_at_k(test.target[rows], ranking, k=10))
    bars = axes.barh(places + shift, found, height=0.4, color=color, label=system)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
title = {script: script.title() for script in shown} | {"CJK": "Chinese"}
labels = [f"{title[s]} ({(scripts == s).sum():,} names)" for s in shown]
axes.set_yticks(places, labels)
axes.invert_yaxis()
axes.set_xlim(0, 0.7)
axes.set_xlabel("recall@10 (share of true places among the first ten)")
axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2, frameon=False)
plt.show()

# %%
# The time of a call for a single name, from the string to ten places.
start = time.perf_counter()
for name in test.data[:500]:
    retriever.search(name, k=10)
print(f"{1e6 * (time.perf_counter() - start) / 500:.0f} µs per name, one at a time")
