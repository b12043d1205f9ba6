"""Draws a label tree for humans, as text or with matplotlib."""


def to_text(tree, label_names, max_depth, max_children):
    raise NotImplementedError


def plot(tree, ax, label_names, max_depth, max_children):
    raise NotImplementedError
