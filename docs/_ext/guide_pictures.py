"""The pictures of the user guide: each function draws one from a small fitted model."""

from functools import cache

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy import sparse

from skxmr import (
    KMeansTree,
    PrefixWeightedCharTfidf,
    TextRetriever,
    TrieTreeHybrid,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects

# Okabe and Ito's blue, orange and green, which colour-blind readers can distinguish,
# and the colours of text and background on light and dark pages.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
THEMES = {
    "light": {"ink": "#14181e", "paper": "white"},
    "dark": {"ink": "#e6e9ee", "paper": "#14181e"},
}
# Inches: the widest figure whose text is readable on a phone.
WIDTH = 4.8

STRINGS = ["a", "ab", "abc", "abd", "abfgh", "abfgi", "bcde", "bcdf"]

QUERY = "songs for trumpet and jazz orchestra"
TERMS = [
    "jazz", "trumpet", "saxophone", "clarinet", "country music", "banjo",
    "algebra", "probability calculation", "econometrics", "physics",
    "electromagnetism", "galaxies", "Buddhism", "Islam", "Judaism", "church history",
    "Popes", "symphonies",
]  # fmt: skip


def save(name: str, theme: str, path) -> None:
    """Draw a picture as SVG, for light or dark pages."""
    drawing = globals().get(name)
    if name not in PICTURES or not callable(drawing):
        raise ValueError(f"There is no picture {name!r}; there are {PICTURES}.")
    ink, paper = THEMES[theme]["ink"], THEMES[theme]["paper"]
    style = {
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.facecolor": paper,
        "figure.facecolor": paper,
        "xtick.color": ink,
        "ytick.color": ink,
        "font.size": 9.0,
        "axes.titlesize": 9.0,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": name,  # the same file from every build
    }
    with mpl.rc_context(style):
        figure = drawing()
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)


# Trees
# -----


def _draw_tree(tree, names, height) -> Figure:
    figure, ax = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    tree.plot(ax, names)
    return figure


def kmeans_tree() -> Figure:
    """Draw eight strings, grouped by k-means on their first characters."""
    Z = PrefixWeightedCharTfidf().fit_transform(STRINGS)
    indexer = KMeansTree(branching_factor=2, max_leaf_size=2, random_state=0)
    return _draw_tree(indexer.fit(Z).tree_, STRINGS, 2.4)


def full_trie() -> Figure:
    """Draw the same strings in a trie."""
    indexer = TrieTreeHybrid(trie_depth=None)
    return _draw_tree(indexer.fit(label_names=STRINGS).tree_, STRINGS, 2.4)


def hybrid_tree() -> Figure:
    """Draw one level of a trie, and k-means below it."""
    indexer = TrieTreeHybrid(
        trie_depth=1, branching_factor=2, max_leaf_size=2, random_state=0
    )
    return _draw_tree(indexer.fit(label_names=STRINGS).tree_, STRINGS, 2.4)


# Beam search
# -----------


@cache
def beam_model() -> TextRetriever:
    """Fit titles of eighteen subjects with a tree of three levels."""
    subjects = load_subjects()
    place = {name: i for i, name in enumerate(subjects.target_names)}
    Y = sparse.csc_array(subjects.target)[:, [place[term] for term in TERMS]].tocsr()
    rows = np.flatnonzero(Y.sum(axis=1))
    indexer = KMeansTree(branching_factor=3, max_leaf_size=2, random_state=0)
    classifier = XRLinearClassifier(indexer, beam_width=2, random_state=0)
    retriever = TextRetriever(classifier=classifier, fusion=None)
    texts = [subjects.data[row] for row in rows]
    return retriever.fit(texts, Y[rows], label_texts=TERMS)


def node_scores(retriever: TextRetriever, text: str) -> list[np.ndarray]:
    """Return the path scores of the nodes of each level, starting from the root."""
    tree = retriever.classifier_.trees_[0]
    scores = [np.ones(1)] + [np.empty(size) for size in tree.level_sizes[1:]]
    for leaf, label in enumerate(tree.labels.tolist()):
        node = leaf
        path = retriever.explain(text, label).path
        for level in range(tree.depth, 0, -1):
            scores[level][node] = path[level - 1].path_score
            node = int(tree.parents(level)[node])
    return scores


def walk(retriever: TextRetriever, text: str, width: int) -> list:
    """Beam search: return the scored and the kept nodes of each level."""
    tree = retriever.classifier_.trees_[0]
    scores = node_scores(retriever, text)
    steps = [([0], [0])]
    for level in range(1, tree.depth + 1):
        offsets = tree.child_offsets[level - 1]
        _, kept = steps[-1]
        scored = [n for p in kept for n in range(offsets[p], offsets[p + 1])]
        best = sorted(scored, key=lambda node, level=level: -scores[level][node])
        # All scored labels may be in the result.
        steps.append((scored, best[: width if level < tree.depth else len(best)]))
    return steps


def beam_search() -> Figure:
    """Draw one panel per level of a search with beam width 2."""
    retriever = beam_model()
    tree = retriever.classifier_.trees_[0]
    scores = node_scores(retriever, QUERY)
    steps = walk(retriever, QUERY, 2)
    figure, axes = plt.subplots(
        tree.depth, 1, figsize=(WIDTH, 3.4 * tree.depth), layout="constrained"
    )
    for last, ax in enumerate(axes, start=1):
        tree.plot(ax, TERMS)
        ax.set_title(f"{last}. {_STEPS[min(last, 2 + (last == tree.depth))]}")
        for text in ax.texts:
            _, level, node = text.get_gid().split("-")
            _show_state(text, int(level), int(node), steps[: last + 1], scores)
    return figure


_STEPS = {
    1: "Score the children of the root; keep two.",
    2: "Score the children of these two; keep two.",
    3: "Score the labels of these two.",
}


def _show_state(text, level, node, steps, scores) -> None:
    """Colour a node as kept, as scored only, or as not scored."""
    if level == 0:
        text.set_text("root")
        return
    is_leaf = level == len(scores) - 1
    scored, kept = steps[level] if level < len(steps) else ([], [])
    name = f"{text.get_text()} " if is_leaf else ""
    if node not in scored:
        text.set(text=name or "?", alpha=0.65)
        return
    text.set_text(f"{name}{scores[level][node]:.3f}")
    if node in kept:
        box = {"facecolor": BLUE, "edgecolor": BLUE}
        text.set(color="white", fontweight="bold")
    else:
        box = {"facecolor": ORANGE, "edgecolor": ORANGE}
        text.set(color="black")
    text.set_bbox(box | {"boxstyle": "round,pad=0.15"})


# Scores
# ------


def score_transforms() -> Figure:
    """Draw the score as a function of the margin, for each transform."""
    figure, ax = plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    margins = np.linspace(-2, 2, 201)
    violations = np.maximum(0, 1 - margins)
    for power, color, dashes in [(1, GREEN, ":"), (2, ORANGE, "--"), (3, BLUE, "-")]:
        scores = np.exp(-(violations**power))
        ax.plot(margins, scores, color=color, ls=dashes, label=f"l{power}-hinge")
    ax.plot(margins, 1 / (1 + np.exp(-margins)), color="0.55", ls="-.", label="sigmoid")
    ax.set(xlabel="margin", ylabel="score", xlim=(-2, 2), ylim=(0, 1.03))
    ax.legend(frameon=False)
    return figure


PICTURES = (
    "kmeans_tree",
    "full_trie",
    "hybrid_tree",
    "beam_search",
    "score_transforms",
)
