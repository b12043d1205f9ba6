"""Display of label trees as text or with matplotlib."""

from itertools import takewhile
from numbers import Integral
from typing import NamedTuple

from skxmr._base._plotting import axes_for, import_pyplot
from skxmr._inputs._by_label import Labels, check_label_names

# Maximum number of labels named on the line of a group whose labels are not shown.
N_SAMPLE_LABELS = 3
# Maximum length of a name in a plot, in characters.
MAX_NAME_LENGTH = 40
# Maximum length of the common prefix of a group, in characters.
MAX_STEM_LENGTH = 20

# Mid grey, visible on light and on dark backgrounds.
LINE_COLOR = "0.55"
GROUP_BOX = {"facecolor": "#e8eef7", "edgecolor": "#8aa4cc", "boxstyle": "round"}


class Line(NamedTuple):
    """One displayed node; the lines of a display are in pre-order."""

    text: str
    depth: int
    parent: int  # the line of the parent, -1 for the root
    is_last: bool  # among its siblings
    is_leaf: bool  # of the display
    node: "_Node | None"  # None for a count of omitted nodes


class _Node(NamedTuple):
    level: int
    number: int


def to_text(tree, label_names, max_depth, max_children):
    """Format with box-drawing characters; see `LabelTree.to_text`."""
    drawn = []
    stems = [""]  # the prefix of the children's lines, for each depth
    for line in _lines(tree, label_names, max_depth, max_children):
        if line.parent < 0:
            drawn.append(line.text)
            continue
        stem = stems[line.depth - 1]
        branch, continued = ("└── ", "    ") if line.is_last else ("├── ", "│   ")
        drawn.append(stem + branch + line.text)
        stems[line.depth :] = [stem + continued]
    return "\n".join(drawn)


def plot(tree, ax, label_names, max_depth, max_children):
    """Plot with matplotlib; see `LabelTree.plot`."""
    import_pyplot("LabelTree.plot")
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    lines = _lines(tree, label_names, max_depth, max_children)
    y = _heights(lines)
    depth = max(line.depth for line in lines)
    if ax is None:
        n_leaves = sum(line.is_leaf for line in lines)
        size = (2.5 + 1.8 * depth, max(1.5, 0.24 * n_leaves))
        ax = axes_for(None, "LabelTree.plot", size)
    elbows = [
        [(above.depth, y[line.parent]), (above.depth, height), (line.depth, height)]
        for line, height in zip(lines, y, strict=True)
        if line.parent >= 0
        for above in [lines[line.parent]]
    ]
    ax.add_collection(
        LineCollection(elbows, colors=LINE_COLOR, linewidths=1.0, zorder=1)
    )
    for line, height in zip(lines, y, strict=True):
        _write(ax, line, height)
    ax.set_xlim(-0.1, depth + 0.9)
    # The root is at the top of its column; add margins for the text.
    ax.set_ylim(max(y) + 0.7, min(y) - 0.7)
    ax.set_axis_off()
    return ax


def _write(ax, line, height):
    """Write the text of a node over the lines to its children."""
    text = line.text
    if len(text) > MAX_NAME_LENGTH:
        text = text[: MAX_NAME_LENGTH - 1] + "…"
    written = ax.annotate(
        text,
        (line.depth, height),
        xytext=(3 if line.is_leaf else 0, 0),
        textcoords="offset points",
        ha="left" if line.is_leaf else "center",
        va="center",
        fontsize=8,
        annotation_clip=False,
        parse_math=False,  # names may contain dollar signs
    )
    if not line.is_leaf:
        # An explicit background, whatever the style's is.
        written.set(bbox=GROUP_BOX, color="black")
    if line.node is not None:
        written.set_gid(f"node-{line.node.level}-{line.node.number}")


def _heights(lines):
    """Place leaves below each other and parents at the middle of their children."""
    heights = [0.0] * len(lines)
    first = [0.0] * len(lines)
    n_leaves = sum(line.is_leaf for line in lines)
    # In reverse order, children come before their parent, the last one first.
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line.is_leaf:
            n_leaves -= 1
            heights[position] = float(n_leaves)
        else:
            heights[position] = (first[position] + heights[position]) / 2
        if line.parent >= 0:
            first[line.parent] = heights[position]
            if line.is_last:
                heights[line.parent] = heights[position]
    return heights


def _lines(tree, label_names, max_depth, max_children):
    """List the nodes to display in pre-order, without chains of single children."""
    _check_limit(max_depth, 0, "max_depth")
    _check_limit(max_children, 1, "max_children")
    describe = _describer(tree, label_names)
    lines = []
    # For each pending entry: the node (None for a count of omitted nodes), ...
    stack = [(_end_of_chain(tree, _Node(0, 0)), 0, -1, True, 0)]
    while stack:
        node, depth, parent, is_last, n_left_out = stack.pop()
        if node is None:
            lines.append(
                Line(f"… {n_left_out:,} more", depth, parent, True, True, None)
            )
            continue
        is_cut = depth == max_depth
        is_leaf = is_cut or node.level == tree.depth
        text = describe(node, is_root=parent < 0, is_cut=is_cut)
        if not is_leaf:
            stack.extend(_children(tree, node, max_children, depth + 1, len(lines)))
        lines.append(Line(text, depth, parent, is_last, is_leaf, node))
    return lines


def _children(tree, node, max_children, depth, parent):
    """List the entries below a node, the last first, for the stack of `_lines`."""
    first, stop = tree.child_offsets[node.level][node.number :][:2].tolist()
    n_shown = stop - first
    # A line "1 more" would take as much space as the child itself.
    if max_children is not None and n_shown > int(max_children) + 1:
        n_shown = int(max_children)
    n_left_out = stop - first - n_shown
    if n_left_out:
        yield None, depth, parent, True, n_left_out
    for number in range(first + n_shown - 1, first - 1, -1):
        child = _end_of_chain(tree, _Node(node.level + 1, number))
        is_last = number == stop - 1
        yield child, depth, parent, is_last, 0


def _end_of_chain(tree, node):
    """Follow single children from a node to the end of the chain."""
    level, number = node
    while level < tree.depth:
        first, stop = tree.child_offsets[level][number : number + 2].tolist()
        if stop - first > 1:
            break
        level, number = level + 1, first
    return _Node(level, number)


def _describer(tree, label_names):
    """Return the function that describes a node."""
    names = tree.labels
    if label_names is not None:
        by_label = check_label_names(label_names, Labels(tree.n_labels))
        names = [by_label[label] for label in tree.labels.tolist()]
    ranges = [tree.leaf_ranges(level) for level in range(tree.depth + 1)]

    def name(leaf):
        return " ".join(str(names[leaf]).split())

    prefix = "label " if label_names is None else ""

    def describe(node, *, is_root, is_cut):
        if node.level == tree.depth and not is_root:
            return prefix + name(node.number)
        first, stop = ranges[node.level][node.number : node.number + 2].tolist()
        n_labels = stop - first
        title = "root" if is_root else str(node.number)
        if label_names is not None and not is_root:
            title += _stem([name(leaf) for leaf in range(first, stop)])
        text = f"{title} ({n_labels:,} label{'s' if n_labels > 1 else ''})"
        if is_cut or node.level == tree.depth:
            samples = [name(leaf) for leaf in range(first, stop)[:N_SAMPLE_LABELS]]
            samples += ["…"] if n_labels > len(samples) else []
            text += ": " + ", ".join(samples)
        return text

    return describe


def _stem(names):
    """Return the common prefix of a group's names, as its title shows it."""
    # The common prefix of the first and last name is that of all.
    pairs = zip(min(names), max(names), strict=False)
    shared = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    stem = "".join(shared[:MAX_STEM_LENGTH])
    return f" {stem}…" if stem else ""


def _check_limit(limit, lowest, name):
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, Integral):
        raise TypeError(f"{name}={limit!r} must be an integer, or None for all.")
    if limit < lowest:
        raise ValueError(f"{name}={limit} is too small; expected {lowest} or more.")
