"""
Calibration of scores
=====================

A ranking does not need probabilities, but decisions do: to show only suggestions that
are correct three times out of four, or to compute an expected value, a score of 0.75
must be a probability of 0.75. With logistic loss and the sigmoid transform, every node
of the tree estimates the probability that one of its labels is true, given that one of
its parent's labels is; the product along the path is the probability of the label.

This example measures how well these estimates are calibrated, on titles of books and
their subjects, most of which have only a few titles, and recalibrates them.
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
n_learnt = 4 * len(data) // 5  # the rest is for recalibration
texts, target = data[:n_learnt], labels[:n_learnt]
more_texts, more_target = data[n_learnt:], labels[n_learnt:]
judged, truth = test.data[:3000], test.target[:3000]

# %%
# The default, squared hinge loss with the transform "l4-hinge", gives a good ranking
# but no probabilities. Logistic loss estimates probabilities, and needs a weaker
# regularisation.


def fit(**parameters):
    classifier = XRLinearClassifier(random_state=0, n_jobs=2, **parameters)
    return TextRetriever(classifier=classifier).fit(texts, target)


hinge = fit()
logistic = fit(loss="log_loss", score_transform="sigmoid", C=10.0)

# %%
# Models fit their training titles better than new ones, so the scores of training
# titles cannot be used to calibrate those of new titles. `Reranker` fits a second
# estimator to the scores of titles that the ranker was not trained on, here to those of
# the first five labels of each. Isotonic regression preserves the order of the scores.


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
# A reliability diagram bins the first five labels of every title by score, and plots
# the share of true labels in each bin against the mean score. Calibrated probabilities
# are on the diagonal. Below it, scores are too high; above it, too low. The expected
# calibration error (ECE) is the mean distance to the diagonal over all pairs of a title
# and a label. The lower panel shows the number of pairs in each bin.
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
    title="Expected calibration error of five subjects per title:\n"
    + ", ".join(f"{name} {error:.3f}" for name, error in errors.items()),
    ylabel="share of true labels",
    ylim=(0, 1),
)
diagram.title.set_fontsize("medium")
diagram.legend(loc="upper left")
counts.set(xlabel="score of a label", ylabel="labels", yscale="log", xlim=(0, 1))
plt.show()

# %%
# The subjects of this catalogue are incomplete: a relevant subject that the cataloguer
# omitted counts as a negative. Probabilities are also calibrated only for titles like
# those of the training data; if the distribution changes, calibrate again.
