"""
Effect of beam width and pruning threshold
==========================================

Two parameters trade quality for time and size without training again. ``beam_width`` is
the number of nodes that the search follows at each level. ``threshold`` prunes small
weights of the model. The studies follow those of Chang et al., `Extreme Multi-label
Learning for Semantic Matching in Product Search <https://arxiv.org/abs/2106.12657>`_
(KDD 2021), on names of places.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

from skxmr import KMeansTree, PruningWarning, TextRetriever, XRLinearClassifier
from skxmr.datasets import load_places
from skxmr.metrics import recall_at_k

# %%
# Train one model and keep nearly all of its weights. The leaves are small, so that the
# beam width has an effect.
train, test = load_places(subset="train"), load_places(subset="test")
classifier = XRLinearClassifier(
    KMeansTree(branching_factor=8, max_leaf_size=20),
    threshold=0.01,
    n_jobs=2,
    random_state=0,
)
retriever = TextRetriever(classifier=classifier, fusion=None)
retriever.fit(train.data, train.target, label_texts=train.target_names)
model = retriever.classifier_
X = retriever.vectorizer_.transform(test.data)
print(f"levels of the tree: {model.trees_[0].level_sizes}")


def measure(model):
    """Recall@10, and CPU time per query in microseconds (the best of three)."""
    model.set_params(n_jobs=1)
    times = []
    for _ in range(3):
        start = time.process_time()
        ranking = model.rank(X, k=10)
        times.append(time.process_time() - start)
    return recall_at_k(test.target, ranking, k=10), 1e6 * min(times) / X.shape[0]


# %%
# A wider beam has a higher recall, up to a point, and a higher cost.
pruned = model.prune(0.1)
widths = [1, 2, 3, 5, 10, 20, 50]
by_width = []
for width in widths:
    pruned.set_params(beam_width=width)
    by_width.append(measure(pruned))
pruned.set_params(beam_width=10)

blue, green, orange = "#0072b2", "#009e73", "#d55e00"


def draw(axes, x, y, *, color, ylabel):
    axes.plot(x, y, color=color, marker="o")
    axes.set_ylabel(ylabel)
    axes.set_ylim(0, 1.1 * max(y))
    axes.grid(alpha=0.3)


figure, pair = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
recalls, times = zip(*by_width, strict=True)
draw(pair[0], widths, recalls, color=blue, ylabel="recall@10")
draw(pair[1], widths, times, color=orange, ylabel="microseconds per query")
for axes in pair:
    axes.set_xscale("log")
    axes.set_xticks(widths, widths)
    axes.minorticks_off()
    axes.set_xlabel("beam width (nodes per level)")
figure.suptitle("Threshold 0.1: a beam of ten is wide enough")
plt.show()

# %%
# Small weights are numerous and contribute little. Dropping more of them makes the
# model smaller and the search faster; above some threshold, recall falls. With the
# largest ones, ``prune`` warns.
warnings.simplefilter("ignore", PruningWarning)
thresholds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]
by_threshold, sizes = [], []
for threshold in thresholds:
    pruned = model.prune(threshold)
    by_threshold.append(measure(pruned))
    sizes.append(pruned.nbytes_ / 1e6)
    print(f"threshold {threshold:4}: {pruned.n_weights_:9,} weights")

figure, triple = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
recalls, times = zip(*by_threshold, strict=True)
draw(triple[0], thresholds, recalls, color=blue, ylabel="recall@10")
draw(triple[1], thresholds, sizes, color=green, ylabel="model size in megabytes")
draw(triple[2], thresholds, times, color=orange, ylabel="microseconds per query")
for axes in triple:
    axes.set_xscale("log")
    axes.set_xticks(thresholds, thresholds, fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("threshold (share of the largest weight)")
figure.suptitle("Beam of ten: most weights can be dropped")
plt.show()

# %%
# Both parameters together: recall against time. The best combinations are at the upper
# left.
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
colors = ["#000000", "#0072b2", "#009e73", "#e69f00", "#d55e00"]
markers = ["o", "s", "^", "D", "v"]
for threshold, color, marker in zip(
    (0.01, 0.05, 0.1, 0.2, 0.5), colors, markers, strict=True
):
    pruned = model.prune(threshold)
    points = []
    for width in widths:
        pruned.set_params(beam_width=width)
        points.append(measure(pruned))
    recalls, times = np.transpose(points)
    axes.plot(times, recalls, color=color, marker=marker, label=f"{threshold:g}")
axes.set_xlabel("microseconds per query, one thread")
axes.set_xlim(left=0)
axes.set_ylabel("recall@10")
axes.grid(alpha=0.3)
axes.legend(title="threshold", loc="lower right")
axes.set_title("Beam widths from 1 to 50 along each line")
plt.show()
