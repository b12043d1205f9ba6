"""
Grid search with cached training
================================

Training does not depend on parameters of prediction such as ``beam_width`` and
``threshold``. With ``memory`` set, `XRLinearClassifier` caches trained weights in a
folder, so that `GridSearchCV` trains once per fold, whatever the size of the grid.
"""

import tempfile
import time
import warnings

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skxmr import KMeansTree, PruningWarning, WordNgramTfidf, XRLinearClassifier
from skxmr.datasets import load_subjects
from skxmr.metrics import recall_at_k_scorer

# %%
# The data are titles of books and their subjects. With `KFold`, `GridSearchCV` accepts
# a sparse target.
titles, subjects = load_subjects(return_X_y=True)
titles, subjects = titles[:10_000], subjects[:10_000]

# %%
# Each training builds one tree. To count trainings, count the fits of the indexer.


class CountedTree(KMeansTree):
    """`KMeansTree` that counts its fits."""

    grown = 0

    def fit(self, Z, y=None, *, label_names=None):
        CountedTree.grown += 1
        return super().fit(Z, y, label_names=label_names)


widths = [1, 2, 5, 10, 20, 50]
thresholds = [0.02, 0.05, 0.1, 0.2, 0.4]


def search_with(memory):
    pipeline = make_pipeline(
        WordNgramTfidf(ngram_range=(1, 2)),
        XRLinearClassifier(
            CountedTree(max_leaf_size=50), memory=memory, n_jobs=2, random_state=0
        ),
    )
    grid = {
        "xrlinearclassifier__beam_width": widths,
        "xrlinearclassifier__threshold": thresholds,
    }
    scorer = recall_at_k_scorer(10)
    cv = KFold(3, shuffle=True, random_state=0)
    return GridSearchCV(pipeline, grid, scoring=scorer, cv=cv, refit=True)


# %%
# Thirty candidates on three folds are ninety fits, plus one refit of the best candidate
# on all titles. The largest threshold is too large on purpose; its warnings are
# ignored.
warnings.simplefilter("ignore", PruningWarning)
with tempfile.TemporaryDirectory() as folder:
    search = search_with(folder)
    start = time.perf_counter()
    search.fit(titles, subjects)
    seconds = time.perf_counter() - start
n_fits = 3 * len(widths) * len(thresholds) + 1
print(f"{n_fits} fits, {CountedTree.grown} trainings, {seconds:.1f} s")
print(search.best_params_)

# %%
# Mean test scores of the grid: a beam of twenty is as good as one of fifty, and a
# threshold of 0.2 loses next to nothing.
scores = search.cv_results_["mean_test_score"].reshape(len(widths), len(thresholds))
figure, axes = plt.subplots(figsize=(6.5, 4.4), layout="constrained")
image = axes.imshow(scores, cmap="cividis", aspect="auto", origin="lower")
middle = (scores.min() + scores.max()) / 2
for row, of_width in enumerate(scores):
    for column, score in enumerate(of_width):
        color = "white" if score < middle else "black"
        axes.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
best = divmod(search.best_index_, len(thresholds))
axes.plot(best[1], best[0], "s", ms=34, mfc="none", mec="#d55e00", mew=2.5)
axes.set_xticks(range(len(thresholds)), thresholds)
axes.set_yticks(range(len(widths)), widths)
axes.set_xlabel("threshold (weights below it are dropped)")
axes.set_ylabel("beam width (nodes per level)")
axes.set_title(f"{n_fits} fits, {CountedTree.grown} trainings (square: best)")
figure.colorbar(image, label="recall@10, mean of three folds")
plt.show()
