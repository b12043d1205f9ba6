"""Layouts of earlier versions become those of this one, bit by bit, or are refused."""

import pickle

import joblib
import numpy as np
import pytest
from skxmr._cython._search import ROWS_OF_MARK
from twins import assert_same_layout, levels_from_dense, random_levels

from skxmr.feature_weights import FeatureWeights
from skxmr.layout import SearchLayout
from skxmr.tree import LabelTree

N_FEATURES = 40


def lay_out(sizes, share=0.3, **options):
    """Lay out random weights of a tree whose nodes have so many children."""
    tree = LabelTree(
        [np.cumsum([0, *level]) for level in sizes], labels=np.arange(sum(sizes[-1]))
    )
    rng = np.random.default_rng(0)
    levels = random_levels(tree, rng, 1 / 8, N_FEATURES)
    for weights, _ in levels:
        weights[rng.random(weights.shape) >= share] = 0
    return SearchLayout.from_levels(
        tree, levels_from_dense(tree, levels), N_FEATURES, **options
    )


def as_version_3(layout, **changes):
    """Make of a layout what version 3 of it was."""
    new = layout.by_feature
    blocks = new.blocks.copy()
    blocks[:, :, 1] &= 2**32 - 1
    lengths = new.run_lengths.astype(np.int64) + 1
    old = object.__new__(FeatureWeights)
    vars(old).update(vars(new), blocks=blocks, children=new.children)
    vars(old).update(weights=new.weights)
    del old.entries, old.weight_precision
    starts = np.cumsum(lengths) - lengths
    old.run_marks = starts[::ROWS_OF_MARK].astype(np.uint32)
    for name, change in changes.items():
        vars(old)[name] = change(vars(old)[name])
    state = vars(layout) | {"version": 3, "held_by_feature": old}
    result = object.__new__(SearchLayout)
    vars(result).update(state)
    return result


LAYOUTS = {
    "few": lambda: lay_out([[3], [5, 1, 20]]),
    "blocks": lambda: lay_out([[70], [2] * 70]),
    "listed": lambda: lay_out([[300], [2] * 300], share=0.01),
    "wide": lambda: lay_out([[2], [300, 3]]),
    "half": lambda: lay_out([[9], [4] * 9], weight_precision="float16"),
    "wide half": lambda: lay_out([[300]], weight_precision="float16"),
    "nothing": lambda: lay_out([[3], [2] * 3], share=0),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_version_3_becomes_the_newest(name):
    layout = LAYOUTS[name]()
    loaded = pickle.loads(pickle.dumps(as_version_3(layout)))
    assert_same_layout(loaded, layout)


def test_version_3_may_be_mapped(tmp_path):
    layout = lay_out([[100], [50] * 100], share=0.9)
    joblib.dump(as_version_3(layout), tmp_path / "layout")
    assert_same_layout(joblib.load(tmp_path / "layout", mmap_mode="r"), layout)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("children", lambda a: a[:-1], "children has the shape"),
        ("children", lambda a: a[::-1].copy(), "entries does not fit"),
        ("weights", lambda a: a.astype(np.float64), "dtype float64"),
        ("weights", lambda a: a * np.float32(np.inf), "NaN or infinite"),
        ("run_lengths", lambda a: a ^ 1, "does not add up"),
        ("run_lengths", lambda a: a.astype(np.int64), "dtype int64"),
        ("blocks", lambda a: a + np.uint64(10**9), "rows beyond the last"),
        ("blocks", lambda a: a[:, :, 0], "lacks, or is of another kind"),
        ("run_marks", lambda a: a + np.uint32(1), "run_marks does not fit"),
        ("run_marks", lambda _: None, "lacks, or is of another kind"),
    ],
)
def test_a_damaged_version_3_is_refused(name, change, message):
    kind = "listed" if name == "run_marks" else "blocks"
    old = pickle.dumps(as_version_3(LAYOUTS[kind](), **{name: change}))
    with pytest.raises(ValueError, match=message):
        pickle.loads(old)
