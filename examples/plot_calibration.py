"""
Scores as probabilities
=======================

A ranking needs no probabilities; a decision does. Whoever shows a suggestion only where
it is right three times out of four, or adds up what clicks are worth, wants a score of
0.75 to mean just that. With logistic loss and the sigmoid, every node of the tree
estimates the probability that one of its labels is right, given that one of its
parent's is; the product along the path is the probability of the label.

Here it is compared with the default, squared hinge loss and the transform "l3-hinge",
which ranks as well but promises nothing of the sort, on titles of books and their
subjects. And small weights are dropped, to see what that does.
"""

import matplotlib.pyplot as plt
import numpy as np

from skxmr import TextRetriever, XRLinearClassifier
from skxmr.datasets import load_subjects
from skxmr.metrics import (
    expected_calibration_error,
    precision_at_k,
    reliability_curve,
)

train, test = load_subjects(subset="train"), load_subjects(subset="test")
texts, target = train.data[:15_000], train.target[:15_000]
judged, truth = test.data[:3000], test.target[:3000]

# %%
# Three models, which differ in loss, transform and pruning. A weaker regularisation
# than the default suits logistic loss.
LOGISTIC = {"loss": "log_loss", "score_transform": "sigmoid", "C": 10.0}
MODELS = {
    "log loss, all weights": LOGISTIC | {"threshold": 0.0},
    "log loss, weights below 0.3 dropped": LOGISTIC | {"threshold": 0.3},
    "squared hinge loss (default)": {},
}

rankings = {}
for name, parameters in MODELS.items():
    classifier = XRLinearClassifier(random_state=0, n_jobs=2, **parameters)
    retriever = TextRetriever(classifier=classifier).fit(texts, target)
    rankings[name] = retriever.search_batch(judged, k=5)
    print(
        f"{name}: ECE@5 {expected_calibration_error(truth, rankings[name], k=5):.3f}, "
        f"ECE@1 {expected_calibration_error(truth, rankings[name], k=1):.3f}, "
        f"P@1 {precision_at_k(truth, rankings[name], k=1):.3f}, "
        f"{retriever.classifier_.n_weights_:,} weights"
    )

# %%
# A reliability diagram takes the first five labels of every title, puts them into bins
# by their score, and draws the share of right ones over the mean score. Probabilities
# keep to the diagonal. Below it a model promises too much; above, too little. The
# expected calibration error (ECE) is the mean distance to the diagonal, over all pairs
# of a title and a label; below are the numbers of such pairs in each bin.
COLOURS = ["#0072B2", "#56B4E9", "#D55E00"]
MARKERS = ["o", "s", "^"]

figure, (diagram, counts) = plt.subplots(
    2, 1, figsize=(6.4, 7.2), sharex=True, height_ratios=(3, 1), layout="constrained"
)
diagram.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="probabilities")
for (name, found), colour, marker in zip(
    rankings.items(), COLOURS, MARKERS, strict=True
):
    shares, means, n_pairs = reliability_curve(truth, found, k=5)
    error = expected_calibration_error(truth, found, k=5)
    label = f"{name}: ECE@5 = {error:.3f}"
    enough = n_pairs >= 30
    diagram.plot(
        means[enough], shares[enough], color=colour, marker=marker, label=label
    )
    counts.plot(means, n_pairs, color=colour, marker=marker)
errors = [expected_calibration_error(truth, found, k=5) for found in rankings.values()]
diagram.set(
    title=f"Subjects of titles: expected calibration error {errors[0]:.3f} with log "
    f"loss,\n{errors[-1]:.3f} with squared hinge loss",
    ylabel="share of right labels",
    ylim=(0, 1),
)
diagram.legend(loc="upper left")
counts.set(xlabel="score of a label", ylabel="labels", yscale="log", xlim=(0, 1))
plt.show()

# %%
# Each subject has at most some hundred titles in this catalogue, so that labels are
# incomplete: whatever a cataloguer left out counts as wrong. And probabilities are
# those of titles like the training ones. Where that changes, so does their meaning.
all_pairs = expected_calibration_error(
    truth, rankings["squared hinge loss (default)"], k=None
)
print(f"Over all pairs of a title and a label, most of them 0, ECE is {all_pairs:.5f}.")
print(f"{np.mean(truth.sum(axis=1)):.1f} subjects a title")
