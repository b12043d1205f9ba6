"""The settings that defaults are compared with."""

from dataclasses import dataclass, field, replace

from skxmr import KMeansTree, TrieTreeHybrid, XRLinearClassifier

DEFAULT = "defaults"
FIELD = "field"
# Of `TextRetriever` by default.
LABEL_TEXT_WEIGHT = 8.0


@dataclass(frozen=True)
class Settings:
    """Parameters of the classifier, of its tree and of labels' texts.

    All others have their default values.
    """

    classifier: dict = field(default_factory=dict)
    tree: dict = field(default_factory=dict)
    label_text_weight: float | None = None

    def with_changes(self, label_text_weight=None, tree=None, **classifier):
        """Return a copy with some parameters replaced."""
        return replace(
            self,
            classifier=self.classifier | classifier,
            tree=self.tree | (tree or {}),
            label_text_weight=label_text_weight or self.label_text_weight,
        )

    def text_weight(self):
        """Return the weight of the labels' texts."""
        if self.label_text_weight is None:
            return LABEL_TEXT_WEIGHT
        return self.label_text_weight

    def make_classifier(self, *, is_completing, seed, n_jobs):
        """Make the estimator, with a tree for the kind of task."""
        tree = (TrieTreeHybrid if is_completing else KMeansTree)(**self.tree)
        given = {"max_iter": 1000} if is_completing else {}
        return XRLinearClassifier(
            tree, random_state=seed, n_jobs=n_jobs, **given, **self.classifier
        )


DEFAULTS = Settings()
# What PECOS and others have: narrow levels, C=1, l3-hinge, pruning by magnitude.
OF_THE_FIELD = Settings(
    {
        "C": 1.0,
        "score_transform": "l3-hinge",
        "threshold": 0.1,
        "threshold_unit": "absolute",
        "prior_weight": 0.0,
    },
    {"branching_factor": 16, "max_leaf_size": 100},
    1.0,
)
change = DEFAULTS.with_changes
SETTINGS = {
    FIELD: OF_THE_FIELD,
    DEFAULT: DEFAULTS,
    "C=1": change(C=1.0),
    "C=0.5": change(C=0.5),
    "C=0.25": change(C=0.25),
    "branching_factor=16": change(tree={"branching_factor": 16}),
    "max_leaf_size=50": change(tree={"max_leaf_size": 50}),
    "max_leaf_size=400": change(tree={"max_leaf_size": 400}),
    "score_transform=l3-hinge": change(score_transform="l3-hinge"),
    "label_text_weight=1": change(label_text_weight=1.0),
    "label_text_weight=4": change(label_text_weight=4.0),
    "label_text_weight=16": change(label_text_weight=16.0),
    "prior_weight=0": change(prior_weight=0.0),
    "prior_weight=2": change(prior_weight=2.0),
    "threshold=0.05": change(threshold=0.05),
    "threshold=0.15": change(threshold=0.15),
    "threshold=0.2": change(threshold=0.2),
    "threshold_unit=absolute, 0.1": change(threshold=0.1, threshold_unit="absolute"),
    "tol=0.3": change(tol=0.3),
    "beam_width=20": change(beam_width=20),
    "n_trees=3": change(n_trees=3),
    "n_trees=3, narrow": change(n_trees=3, beam_width=4, max_candidates=20),
}
# Much slower: shown as an upper bound, but not counted as the best setting.
BEYOND = ("beam_width=20", "n_trees=3", "n_trees=3, narrow")
