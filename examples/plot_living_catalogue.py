"""
A catalogue that changes every day
==================================

Places come and go in a fitted `TextRetriever`, and people's new names for them are
learned, without fitting again. This example passes a week, and compares each day with a
retriever that is fitted to everything that is there.
"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse

from skxmr import TextRetriever
from skxmr.datasets import load_places

# %%
# The catalogue has 1,080 places at first; 60 come and 30 go on each of seven days. The
# training texts are other names of the places. A fifth of them is held out as queries;
# 70% of the others are known at first if their place is, and the rest become known on
# one of the days.
N_FIRST, N_DAYS, N_ADDED, N_REMOVED = 1_080, 7, 60, 30
random = np.random.default_rng(0)
places = load_places()
chosen = random.permutation(len(places.target_names))[: N_FIRST + N_DAYS * N_ADDED]
names = [places.target_names[place] for place in chosen]


def pairs(of_rows):
    """List the texts of some rows, and the numbers of their chosen places."""
    rows, labels = places.target[of_rows][:, chosen].tocoo().coords
    return [places.data[row] for row in of_rows[rows].tolist()], labels


def indicator(labels, n_labels):
    """Make an indicator of one label a row."""
    rows = np.arange(len(labels))
    ones = np.ones(len(labels), dtype=np.int8)
    return sparse.csr_array((ones, (rows, labels)), shape=(len(labels), n_labels))


is_held_out = random.random(len(places.data)) < 0.2
texts, labels = pairs(np.flatnonzero(~is_held_out))
asked, right = pairs(np.flatnonzero(is_held_out))
comes_on = np.maximum(0, (np.arange(len(names)) - N_FIRST) // N_ADDED + 1)
known_on = np.where(
    random.random(len(texts)) < 0.7, 0, random.integers(1, 8, len(texts))
)
known_on = np.maximum(known_on, comes_on[labels])
goes = random.permutation(N_FIRST)
print(f"{len(texts):,} training texts, {len(asked):,} queries")


# %%
# Four ways to pass a day: only the catalogue changes; the new names are learned too; a
# fit with a warm start keeps the tree and what is optimal already; everything is fitted
# again.


def take(rows):
    """Return some training texts and their labels."""
    return [texts[row] for row in rows.tolist()], labels[rows]


def fit(day, retriever):
    """Fit to what is known on a day, without the places that have gone."""
    gone = goes[: day * N_REMOVED]
    rows = np.flatnonzero((known_on <= day) & ~np.isin(labels, gone))
    n_labels = N_FIRST + day * N_ADDED
    some, of_some = take(rows)
    retriever.fit(some, indicator(of_some, n_labels), label_texts=names[:n_labels])
    return retriever


def start(**parameters):
    """Fit to what is known at first."""
    return fit(0, TextRetriever(random_state=0, n_jobs=2, **parameters))


def fit_again(day):
    """Fit anew."""
    return fit(day, TextRetriever(random_state=0, n_jobs=2)).remove_labels(
        goes[: day * N_REMOVED]
    )


def go_on(retriever, day):
    """Fit with a warm start, after the places of the day have gone."""
    retriever.remove_labels(goes[(day - 1) * N_REMOVED : day * N_REMOVED])
    fit(day, retriever)


def change(retriever, day):
    """Add and remove the places of a day."""
    first = N_FIRST + (day - 1) * N_ADDED
    retriever.add_labels(names[first : first + N_ADDED])
    retriever.remove_labels(goes[(day - 1) * N_REMOVED : day * N_REMOVED])


def learn(retriever, day):
    """Learn the names that become known on a day."""
    gone = goes[: day * N_REMOVED]
    rows = np.flatnonzero((known_on == day) & ~np.isin(labels, gone))
    some, of_some = take(rows)
    retriever.partial_fit(some, indicator(of_some, N_FIRST + day * N_ADDED))


def recall(retriever, day):
    """Return recall@1 of places from the start, and of those that came later."""
    is_there = (comes_on[right] <= day) & ~np.isin(right, goes[: day * N_REMOVED])
    rows = np.flatnonzero(is_there)
    columns, _ = retriever.search_batch([asked[row] for row in rows.tolist()], k=1)
    hits, is_new = columns[:, 0] == right[rows], comes_on[right[rows]] > 0
    return hits[~is_new].mean(), hits[is_new].mean() if is_new.any() else np.nan


ways = {
    "labels only": [start()],
    "and new names": [start()],
    "warm start": [start(warm_start=True)],
    "fitted again": [None],
}
found = {way: [] for way in ways}
seconds = dict.fromkeys(ways, 0.0)
for day in range(1, N_DAYS + 1):
    for way, holder in ways.items():
        began = process_time()
        if way == "fitted again":
            holder[0] = fit_again(day)
        elif way == "warm start":
            go_on(holder[0], day)
        else:
            change(holder[0], day)
        if way == "and new names":
            learn(holder[0], day)
        seconds[way] += process_time() - began
        found[way].append(recall(holder[0], day))
for way, values in found.items():
    old, new = values[-1]
    print(f"{way:14} day 7: old {old:.3f}, new {new:.3f}; {seconds[way]:5.1f} s CPU")

# %%
# New places are found by their main names at once; by other names, when these are
# learned. A warm start costs a sixth of the fits, and finds the new places as well. Of
# the places from the start, fits with new features and idf weights find a little more.
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
colors = {
    "labels only": "#bbbbbb",
    "and new names": "#0072b2",
    "warm start": "#d55e00",
    "fitted again": "#000000",
}
titles = "places from the start", "places that came later"
for part, (axis, title) in enumerate(zip(axes, titles, strict=True)):
    for way, values in found.items():
        style = "--" if way == "fitted again" else "-"
        days = np.arange(1, N_DAYS + 1)
        curve = [one[part] for one in values]
        axis.plot(days, curve, style, color=colors[way], label=way)
    axis.set_title(title)
    axis.set_xlabel("day")
axes[0].set_ylabel("recall@1 of held-out other names")
axes[0].legend(frameon=False)
plt.show()

# %%
# Whatever the way, what was removed is not found, and each place keeps its column.
(column, name, score), *_ = ways["and new names"][0].search(names[-1], k=1)
print(f"column {column} of {len(names)}: {name} ({score:.2f})")
