"""Draw a real search along a label tree, for the landing page.

Run as a script, it writes the picture into the current folder.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from skxmr import KMeansTree, TextRetriever, XRLinearClassifier
from skxmr.datasets import load_subjects

TEXT = "stars and planets"
BEAM_WIDTH = 3
N_FOUND = 5

# Distinguishable for colour-blind readers, and readable on the background.
THEMES = {
    "light": {
        "ink": "#1c2024",
        "faint": "#b9c0c8",
        "seen": "#6b7a89",
        "beam": "#c2500a",
    },
    "dark": {
        "ink": "#e8eaed",
        "faint": "#4a525b",
        "seen": "#98a4b0",
        "beam": "#ff9d4d",
    },
}


@dataclass(frozen=True)
class Search:
    """The nodes that a search visited, and its result."""

    offsets: list  # of each level: the offsets of the children of its nodes
    beams: list  # of each level: the nodes in the beam
    found: list  # (node of the last level above the labels, name, score), best first


def search(text=TEXT):
    """Fit a small retriever and record its search for a text."""
    train = load_subjects(subset="train")
    classifier = XRLinearClassifier(
        KMeansTree(branching_factor=8, max_leaf_size=100),
        beam_width=BEAM_WIDTH,
        random_state=0,
    )
    retriever = TextRetriever(classifier=classifier, fusion=None)
    retriever.fit(train.data, train.target, label_texts=train.target_names)
    tree = retriever.classifier_.trees_[0]

    def score(level, node):
        # The path to any label below the node has the score of the node.
        label = tree.labels[tree.leaf_ranges(level)[node]]
        return retriever.explain(text, int(label)).path[level - 1].path_score

    beams = [np.array([0])]
    for level in range(1, tree.depth):
        nodes = children(tree.child_offsets[level - 1], beams[-1])
        order = np.argsort([-score(level, node) for node in nodes], kind="stable")
        beams.append(nodes[order[:BEAM_WIDTH]])
    leaf_of = np.empty(tree.n_labels, dtype=np.int64)
    leaf_of[tree.labels] = np.arange(tree.n_labels)
    ends = tree.leaf_ranges(tree.depth - 1)
    found = [
        (int(np.searchsorted(ends, leaf_of[column], side="right")) - 1, name, value)
        for column, name, value in retriever.search(text, k=N_FOUND)
    ]
    return Search([np.asarray(one) for one in tree.child_offsets], beams, found)


def children(offsets, nodes):
    """Return the children of some nodes of a level."""
    return np.concatenate([np.arange(offsets[n], offsets[n + 1]) for n in nodes])


def draw(found: Search, theme: str) -> Figure:
    """Draw the search from left to right: root, groups, labels."""
    colors = THEMES[theme]
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.add_subplot()
    heights = [np.array([0.5])]
    for offsets in found.offsets[:-1]:
        n_nodes = int(offsets[-1])
        heights.append(1 - (np.arange(n_nodes) + 0.5) / n_nodes)
    _draw_groups(axes, found, heights, colors)
    _draw_labels(axes, found, heights, colors)
    _write_headings(axes, found, colors)
    axes.set_xlim(-0.1, 4.2)
    axes.set_ylim(-0.03, 1.24)
    axes.set_axis_off()
    return figure


def _draw_groups(axes, found, heights, colors):
    for level, offsets in enumerate(found.offsets[:-1]):
        followed = found.beams[level + 1]
        scored = set(children(offsets, found.beams[level]).tolist())
        for parent in range(len(offsets) - 1):
            for node in range(offsets[parent], offsets[parent + 1]):
                style = {"color": colors["faint"], "linewidth": 0.6, "zorder": 1}
                if node in followed:
                    style = {"color": colors["beam"], "linewidth": 2.2, "zorder": 3}
                elif node in scored:
                    style = {"color": colors["seen"], "linewidth": 0.8, "zorder": 2}
                ends = heights[level][parent], heights[level + 1][node]
                axes.plot([level, level + 1], ends, solid_capstyle="round", **style)
                size = 60 / (level + 1) ** (0.5 if node in followed else 2)
                axes.scatter(level + 1, ends[1], s=size, color=style["color"], zorder=4)
    axes.scatter(0, 0.5, s=90, color=colors["beam"], zorder=4)


def _draw_labels(axes, found, heights, colors):
    level = len(heights) - 1
    places = np.linspace(0.93, 0.07, len(found.found))
    for place, (node, name, score) in zip(places, found.found, strict=True):
        start = level, heights[level][node]
        axes.annotate(
            "",
            (level + 0.93, place),
            start,
            zorder=2,
            arrowprops={"arrowstyle": "->", "color": colors["beam"], "linewidth": 1.2},
        )
        axes.text(
            level + 1,
            place,
            name,
            color=colors["ink"],
            va="bottom",
            fontsize=13,
            parse_math=False,
        )
        axes.barh(
            place - 0.035,
            score,
            height=0.035,
            left=level + 1.01,
            color=colors["beam"],
        )
        axes.text(
            level + 1.05 + score,
            place - 0.035,
            f"{score:.2f}",
            va="center",
            color=colors["ink"],
            fontsize=11,
        )


def _write_headings(axes, found, colors):
    texts = ["“" + textwrap.fill(TEXT, 14) + "”"]
    for level, offsets in enumerate(found.offsets):
        n_scored = len(children(offsets, found.beams[level]))
        kind = "labels" if level == len(found.offsets) - 1 else "groups"
        n_nodes = int(offsets[-1])
        whole = f"{n_scored}" if n_scored == n_nodes else f"{n_scored} of {n_nodes:,}"
        texts.append(f"{whole}\n{kind} scored")
    for x, text in enumerate(texts):
        axes.text(
            x,
            1.06,
            text,
            color=colors["ink"],
            fontsize=12,
            va="bottom",
            ha="left" if x in (0, len(texts) - 1) else "center",
        )


def write(folder: Path) -> None:
    """Write the picture for light and dark pages, and as a thumbnail."""
    found = search()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"svg.fonttype": "path", "svg.hashsalt": "skxmr"}
    with mpl.rc_context(settings):
        for theme in THEMES:
            figure = draw(found, theme)
            metadata = {"Date": None}
            target = folder / f"search-{theme}.svg"
            figure.savefig(target, transparent=True, metadata=metadata)
    draw(found, "light").savefig(folder / "search.png", dpi=100)


if __name__ == "__main__":
    write(Path.cwd())
