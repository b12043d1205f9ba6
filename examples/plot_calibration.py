"""
Scores as probabilities
=======================

A ranking needs no probabilities; a decision does. Whoever shows a suggestion only where
it is right three times out of four, or adds up what clicks are worth, wants a score of
0.75 to mean just that. With logistic loss and the sigmoid, every node of the tree
estimates the probability that one of its labels is right, given that one of its
parent's is; the product along the path is the probability of the label.

How good are these estimates, on titles of books and their subjects, most of which have
a few titles only? And what can be done about it?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.isotonic import IsotonicRegression

from skxmr import Reranker, TextRetriever, XRLinearClassifier
from skxmr.datasets import load_subjects
from skxmr.metrics import (
    expected_calibration_error,
    precision_at_k,
    reliability_curve,
)

train, test = load_subjects(subset="train"), load_subjects(subset="test")
data, labels = train.data[:15_000], train.target[:15_000]
n_learnt = 4 * len(data) // 5  # the rest is for estimates of new titles
texts, target = data[:n_learnt], labels[:n_learnt]
more_texts, more_target = data[n_learnt:], labels[n_learnt:]
judged, truth = test.data[:3000], test.target[:3000]

# %%
# The default, squared hinge loss and the transform "l4-hinge", ranks well and promises
# nothing else. Logistic loss wants a weaker regularisation, and estimates
# probabilities.


def fit(**parameters):
    classifier = XRLinearClassifier(random_state=0, n_jobs=2, **parameters)
    return TextRetriever(classifier=classifier).fit(texts, target)


hinge = fit()
logistic = fit(loss="log_loss", score_transform="sigmoid", C=10.0)

# %%
# A title that was learnt from shares all its words with itself; a new one shares few
# with any. So estimates from the training titles are not those that new ones deserve.
# `Reranker` can put that right: it fits a last estimator to the scores that a ranker
# gives to titles that it has not seen, here to the first five labels of each. Isotonic
# regression keeps the order of scores.


def score(_, candidates):
    return candidates.scores[:, np.newaxis]


recalibrated = Reranker(
    logistic,
    IsotonicRegression(out_of_bounds="clip"),
    features=score,
    n_candidates=5,
    cv="prefit",
).fit(more_texts, more_target)

MODELS = {
    "squared hinge loss": hinge,
    "log loss": logistic,
    "log loss, isotonic": recalibrated,
}
rankings = {name: model.rank(judged, 5) for name, model in MODELS.items()}
errors = {}
for name, found in rankings.items():
    errors[name] = expected_calibration_error(truth, found, k=5)
    print(
        f"{name}: ECE@5 {errors[name]:.3f}, "
        f"ECE@1 {expected_calibration_error(truth, found, k=1):.3f}, "
        f"P@1 {precision_at_k(truth, found, k=1):.3f}"
    )

# %%
# A reliability diagram takes the first five labels of every title, puts them into bins
# by their score, and draws the share of right ones over the mean score. Probabilities
# keep to the diagonal. Below it a model promises too much; above, too little. The
# expected calibration error (ECE) is the mean distance to the diagonal, over all these
# pairs of a title and a label. Below are their numbers in each bin.
COLOURS = ["#D55E00", "#0072B2", "#009E73"]
MARKERS = ["^", "o", "s"]

figure, (diagram, counts) = plt.subplots(
    2, 1, figsize=(6.4, 7.2), sharex=True, height_ratios=(3, 1), layout="constrained"
)
diagram.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="probabilities")
for (name, found), colour, marker in zip(
    rankings.items(), COLOURS, MARKERS, strict=True
):
    shares, means, n_pairs = reliability_curve(truth, found, k=5)
    enough = n_pairs >= 20
    style = {"color": colour, "marker": marker}
    diagram.plot(means[enough], shares[enough], label=name, **style)
    counts.plot(means, n_pairs, **style)
diagram.set(
    title="Expected calibration error of five subjects a title:\n"
    + ", ".join(f"{name} {error:.3f}" for name, error in errors.items()),
    ylabel="share of right labels",
    ylim=(0, 1),
)
diagram.title.set_fontsize("medium")
diagram.legend(loc="upper left")
counts.set(xlabel="score of a label", ylabel="labels", yscale="log", xlim=(0, 1))
plt.show()

# %%
# Subjects are incomplete in this catalogue: whatever a cataloguer left out counts as
# wrong. And probabilities are those of titles like the ones that a model has seen.
# Where that changes, so does their meaning.
