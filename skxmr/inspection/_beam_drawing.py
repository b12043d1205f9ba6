"""Where the nodes of a beam search are drawn, and how."""

from typing import NamedTuple

import numpy as np

__all__ = ["draw_beam"]

# In inches: of a level, and of the line of a node. In characters: of its text.
LEVEL_WIDTH, LINE_HEIGHT = 2.9, 0.25
MOST_CHARACTERS = 32
# The share of a level's width that its texts take; the rest is for lines.
TEXT_SHARE = 0.82

# The boxes have a background of their own, whatever the style's is.
KEPT = {"facecolor": "#e8eef7", "edgecolor": "#8aa4cc", "boxstyle": "round,pad=0.25"}
FOUND = {"facecolor": "#fdeedd", "edgecolor": "#d08a3c", "boxstyle": "round,pad=0.25"}
LINE = {"color": "#8aa4cc", "linewidth": 1.2, "zorder": 1}
FAINT_LINE = {"color": "0.75", "linewidth": 0.8, "zorder": 0}
FAINT = "0.5"


class Place(NamedTuple):
    """A node that is drawn, or a count of those that are not."""

    node: int  # its position in the level; -1 for a count
    parent: int  # the position of its parent in the level above; -1 for a count
    text: str
    is_kept: bool


def draw_beam(levels, names, query, max_kept, max_dropped):
    """Lay a search out.

    Parameters
    ----------
    levels : list of BeamLevel
    names : list of list of str
    query : str or None
    max_kept, max_dropped : int

    Returns
    -------
    size : (width, height)
        Of the figure, in inches.
    draw : callable
        ``draw(ax)`` draws the search and returns the texts of each level.
    """
    columns, above = [], [0]
    for level, texts in zip(levels, names, strict=True):
        column = _column(level, texts, above, max_kept, max_dropped)
        columns.append(column)
        above = [place.node for place in column if place.is_kept]
    most = max(len(column) for column in columns)
    size = LEVEL_WIDTH * (len(levels) + 0.55), LINE_HEIGHT * (most + 3.5)

    def draw(ax):
        texts = _draw_nodes(ax, columns, query, most)
        _write_headings(ax, levels)
        ax.set_xlim(-0.02, len(levels) + TEXT_SHARE + 0.1)
        ax.set_ylim(most + 0.2, -2.2)
        ax.set_axis_off()
        return texts

    return size, draw


def _column(level, texts, above, max_kept, max_dropped):
    """List the nodes of a level to draw, children of one parent together.

    Parents come in the order of the level above, so that no lines cross.
    """
    shown = np.isin(level.parents, above)
    kept = np.flatnonzero(level.is_kept & shown)[:max_kept]
    dropped = np.flatnonzero(~level.is_kept & shown)[:max_dropped]
    order = {parent: place for place, parent in enumerate(above)}
    nodes = sorted(
        [*kept.tolist(), *dropped.tolist()],
        key=lambda node: (order[int(level.parents[node])], node),
    )
    places = [
        Place(
            node, int(level.parents[node]), _text(level, texts, node), node in set(kept)
        )
        for node in nodes
    ]
    n_kept, n_scored = int(level.is_kept.sum()), len(level.nodes)
    left_out = (
        (n_kept - len(kept), "kept"),
        (n_scored - n_kept - len(dropped), "dropped"),
    )
    counts = [f"{n:,} more {what}" for n, what in left_out if n]
    return [*places, *(Place(-1, -1, text, False) for text in counts)]


def _text(level, texts, node):
    """Write the score of a node, its name, and how many labels are below it."""
    score = level.scores[node]
    start = f"{score:.3f}  " if score >= 0.001 else f"{score:.0e}  "
    n_labels = int(level.n_labels[node])
    end = f" ({n_labels:,})" if n_labels > 1 else ""
    return start + _cut(texts[node], MOST_CHARACTERS - len(start + end)) + end


def _cut(text, most):
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _draw_nodes(ax, columns, query, most):
    """Draw the root and the nodes of all levels, with lines to their parents."""
    middle = (most - 1) / 2
    _write(ax, 0, middle, "root" if query is None else _cut(query, 20), KEPT)
    heights, texts = {0: middle}, []
    stub = 0.45  # the root takes less of its column
    for level, column in enumerate(columns, 1):
        box = FOUND if level == len(columns) else KEPT
        own, written = {}, []
        top = (most - len(column)) / 2
        for line, place in enumerate(column):
            y = top + line
            style = LINE if place.is_kept else FAINT_LINE
            if place.parent >= 0:
                x = [level - 1, level - 1 + stub, level]
                parent = heights[place.parent]
                ax.plot(x, [parent, parent, y], **style)
            written.append(
                _write(ax, level, y, place.text, box if place.is_kept else None)
            )
            if place.is_kept:
                own[place.node] = y
        heights, stub = own, TEXT_SHARE
        texts.append(written)
    return texts


def _write(ax, x, y, text, box):
    return ax.annotate(
        text,
        (x, y),
        xytext=(4, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=8,
        color="black" if box else FAINT,
        bbox=box,
        annotation_clip=False,
        parse_math=False,  # names may contain dollar signs
    )


def _write_headings(ax, levels):
    for number, level in enumerate(levels, 1):
        is_last = number == len(levels)
        title = "labels" if is_last else f"level {number}"
        what = "found" if is_last else "kept"
        ax.annotate(
            f"{title}: {len(level.nodes):,} scored,\n{level.is_kept.sum():,} {what}",
            (number, -1.3),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold",
            annotation_clip=False,
        )
