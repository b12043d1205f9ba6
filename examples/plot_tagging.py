"""
From lists of names to tags
===========================

A tagger gets documents whose tags are lists of names, and has to decide which tags a
new document gets: which labels come first, how sure each one is, and where to stop.
This example goes from names to the decision, with a picture of each step, on titles of
books and articles and their subjects.
"""

from collections import Counter
from itertools import chain

import matplotlib.pyplot as plt
from sklearn.pipeline import make_pipeline

from skxmr import (
    LabelThresholdCV,
    NeighborRanker,
    SparseCalibrator,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects
from skxmr.inspection import BeamSearchDisplay
from skxmr.metrics import (
    MetricAtKDisplay,
    MicroPrecisionRecallDisplay,
    RecallByFrequencyDisplay,
    ReliabilityDisplay,
)

# %%
# Each title has a list of subjects. Such lists are a target as they are; the names
# become the ``classes_`` of the model.
# sphinx_gallery_thumbnail_number = 2  # noqa: ERA001
train, test = load_subjects(subset="train"), load_subjects(subset="test")


def names_of(target):
    """The names of each row of an indicator, as a file of documents has them."""
    return [[str(test.target_names[one]) for one in row.indices] for row in target]


titles, subjects = train.data[:12_000], names_of(train.target[:12_000])
new_titles, new_subjects = test.data[:3000], names_of(test.target[:3000])
for title, names in zip(titles[:3], subjects[:3], strict=True):
    print(f"{title}\n    {', '.join(names)}")

# %%
# How good is the ranking?
# ------------------------
# Nearest neighbours are what any model has to beat: they give a title the subjects of
# the most similar ones. Both models see the same features.
tagger = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0, n_jobs=2))
neighbors = make_pipeline(WordNgramTfidf(), NeighborRanker())
models = {"label tree": tagger, "nearest neighbours": neighbors}
for model in models.values():
    model.fit(titles, subjects)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
counts = Counter(chain.from_iterable(subjects))
for name, model in models.items():
    ranked = {"estimator": model, "X": new_titles, "y": new_subjects, "name": name}
    MetricAtKDisplay.from_estimator(**ranked, k=10, ax=left)
    RecallByFrequencyDisplay.from_estimator(**ranked, k=10, counts=counts, ax=right)
figure.suptitle("Recall depends on how many training titles a subject has")
plt.show()

# %%
# Subjects without a training title cannot be found by either. Many titles have one,
# which bounds the recall of all of them.

# %%
# How sure is it?
# ---------------
# The scores of a tree order labels, and are no probabilities. ``SparseCalibrator``
# learns the share of true labels for each score, on titles that the model was not
# fitted to. The order of the labels stays the same.
calibrated = SparseCalibrator(tagger, cv=0.2, random_state=0).fit(titles, subjects)

figure, axes = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
for name, model in {"label tree": tagger, "calibrated": calibrated}.items():
    ReliabilityDisplay.from_estimator(
        model, new_titles, new_subjects, k=5, name=name, ax=axes, min_pairs=20
    )
axes.set_title("Five subjects of each title")
plt.show()

# %%
# Where to stop?
# --------------
# ``predict`` takes the labels with a score of at least 0.5, which are few.
# ``LabelThresholdCV`` takes the threshold with the best F1 on held-out titles. Both are
# points on the curve of precision and recall over thresholds.
tuned = LabelThresholdCV(
    SparseCalibrator(tagger, cv=0.2, random_state=0),
    scoring="f1_micro",
    thresholds="global",
    cv=0.2,
    random_state=0,
).fit(titles, subjects)
chosen = tuned.best_threshold_

figure, axes = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
MicroPrecisionRecallDisplay.from_estimator(
    calibrated,
    new_titles,
    new_subjects,
    name="calibrated",
    mark_thresholds=[0.5, chosen],
    ax=axes,
)
axes.set_title("A threshold of 0.5 finds few subjects")
plt.show()


# %%
# What comes out for new titles is a sparse indicator, whose columns are ``classes_``.
def tags_of(model):
    found = model.predict(new_titles)
    return [model.classes_[row.indices].tolist() for row in found]


def micro_f1(found):
    pairs = list(zip(found, new_subjects, strict=True))
    n_hits = sum(len(set(one) & set(true)) for one, true in pairs)
    return 2 * n_hits / sum(len(one) + len(true) for one, true in pairs)


for name, model in {"threshold 0.5": calibrated, "tuned threshold": tuned}.items():
    found = tags_of(model)
    n_tags = sum(map(len, found)) / len(found)
    print(f"{name}: {n_tags:.2f} tags a title, micro F1 {micro_f1(found):.3f}")

# %%
# One title
# ---------
# The search for a title walks down the label tree and keeps the best groups of labels
# of each level. A subject whose group is dropped cannot be found, however well it would
# fit.
found = tags_of(tuned)
n_hits = [
    len(set(one) & set(true)) for one, true in zip(found, new_subjects, strict=True)
]
row = n_hits.index(max(n_hits))
print(new_titles[row])
print(f"    found: {', '.join(found[row])}")
print(f"    given: {', '.join(new_subjects[row])}")
BeamSearchDisplay.from_estimator(tagger, new_titles[row], k=5, max_kept=8)
plt.show()
