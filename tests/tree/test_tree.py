"""LabelTree against definitions written out node by node."""

import copy
import pickle
import sys

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context
from skops import io as skops_io

from skxmr.tree import LabelTree


@st.composite
def trees(draw, max_depth=4):
    """Any tree: random numbers of children, random order of the labels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    child_offsets = []
    n_nodes = 1
    for _ in range(draw(st.integers(1, max_depth))):
        n_children = rng.integers(1, draw(st.integers(2, 5)), n_nodes)
        child_offsets.append(np.concatenate(([0], np.cumsum(n_children))))
        n_nodes = int(child_offsets[-1][-1])
    return LabelTree(child_offsets, rng.permutation(n_nodes))


@st.composite
def targets(draw, n_labels):
    """Sparse targets with empty rows, explicit zeros and unsorted duplicates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, nnz = draw(st.integers(0, 6)), draw(st.integers(0, 30))
    nnz = nnz if n_samples else 0
    cells = rng.integers(0, max(n_samples, 1), nnz), rng.integers(0, n_labels, nnz)
    data = rng.choice([0.0, 0.25, 1.0, 3.0], nnz)
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int64, np.bool_]))
    Y = sparse.coo_array((data.astype(dtype), cells), shape=(n_samples, n_labels))
    kind = draw(st.sampled_from(["csr", "csc", "coo", "matrix", "duplicates"]))
    if kind == "matrix":
        return sparse.csr_matrix(Y)
    if kind == "duplicates":
        order = np.argsort(cells[0], kind="stable")
        indptr = np.searchsorted(cells[0][order], np.arange(n_samples + 1))
        parts = data.astype(dtype)[order], cells[1][order], indptr
        return sparse.csr_array(parts, shape=Y.shape)
    return Y.asformat(kind)


def labels_below(tree, level, node):
    """Walk down to the labels, one node at a time."""
    if level == tree.depth:
        return [int(tree.labels[node])]
    offsets = tree.child_offsets[level]
    children = range(offsets[node], offsets[node + 1])
    return [x for child in children for x in labels_below(tree, level + 1, child)]


def all_nodes(tree):
    return [
        (level, node)
        for level, size in enumerate(tree.level_sizes)
        for node in range(size)
    ]


@pytest.fixture
def tree():
    return LabelTree([[0, 2], [0, 1, 3], [0, 2, 3, 4]], [3, 0, 2, 1])


@given(trees())
def test_structure_is_consistent(tree):
    assert tree.depth == len(tree.child_offsets)
    assert tree.n_nodes == len(all_nodes(tree))
    assert tree.n_labels == tree.level_sizes[-1]
    for level, node in all_nodes(tree):
        parent = tree.parents(level)[node]
        if level == 0:
            assert parent == -1
        else:
            first, stop = tree.child_offsets[level - 1][parent : parent + 2]
            assert first <= node < stop
            assert tree.n_children(level - 1)[parent] == stop - first
        first, stop = tree.leaf_ranges(level)[node : node + 2]
        assert tree.labels[first:stop].tolist() == labels_below(tree, level, node)


@given(st.data())
def test_roll_up_is_the_maximum_over_the_labels_below(data):
    tree = data.draw(trees())
    Y = data.draw(targets(tree.n_labels))
    before = copy.deepcopy(Y)
    rolled = tree.roll_up(Y)
    dense = Y.toarray()
    assert len(rolled) == tree.depth
    for level, Y_level in enumerate(rolled, start=1):
        expected = np.column_stack(
            [
                dense[:, labels_below(tree, level, node)].max(axis=1)
                for node in range(tree.level_sizes[level])
            ]
        )
        assert_array_equal(Y_level.toarray(), expected)
        assert isinstance(Y_level, sparse.csr_array)
        assert Y_level.dtype == (np.bool_ if Y.dtype == np.bool_ else np.float32)
        assert Y_level.has_canonical_format
        assert Y_level.nnz == np.count_nonzero(expected)
        assert Y_level.indices.dtype == Y_level.indptr.dtype == np.int32
    assert_array_equal(Y.toarray(), before.toarray())
    assert_array_equal(Y.data, before.data)


def test_roll_up_shares_nothing_with_its_input(tree):
    Y = sparse.csr_array(np.eye(4, dtype=np.float32))
    for Y_level in tree.roll_up(Y):
        for part in ("data", "indices", "indptr"):
            assert not np.shares_memory(getattr(Y_level, part), getattr(Y, part))


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        (sparse.csr_array((2, 5)), r"shape \(2, 5\).*4 labels"),
        (sparse.csr_array([[0, 0, -1.0, 0]]), "negative"),
        (sparse.csr_array([[0, 0, np.nan, 0]]), "NaN"),
    ],
)
def test_roll_up_refuses_bad_targets(tree, Y, message):
    with pytest.raises(ValueError, match=message):
        tree.roll_up(Y)


@given(trees(), st.randoms(use_true_random=False))
def test_from_parents_finds_the_tree_behind_any_numbering(tree, random):
    """Number the nodes at random; the tree must be the same but for sibling order."""
    nodes = all_nodes(tree)
    numbers = list(range(len(nodes)))
    random.shuffle(numbers)
    number_of = dict(zip(nodes, numbers, strict=True))
    parents = np.empty(len(nodes), dtype=int)
    for (level, node), number in number_of.items():
        above = (level - 1, int(tree.parents(level)[node]))
        parents[number] = number_of.get(above, -1)
    built = LabelTree.from_parents(parents)

    is_label = [number not in parents for number in range(len(nodes))]
    names = np.cumsum(is_label) - 1
    expected = {
        frozenset(
            int(names[number_of[tree.depth, leaf]])
            for leaf in range(*tree.leaf_ranges(level)[node : node + 2])
        )
        for level, node in nodes
    }
    found = {frozenset(labels_below(built, level, x)) for level, x in all_nodes(built)}
    assert found == expected
    assert built.level_sizes == tree.level_sizes
    for level in range(built.depth):
        # Siblings stand in the order of their numbers: labels show it.
        if level == built.depth - 1:
            for node in range(built.level_sizes[level]):
                below = labels_below(built, level, node)
                assert below == sorted(below)


def test_from_parents_pads_what_ends_early():
    #    0
    #  / | \
    # 1  2  5
    # |     |\
    # 3     4 6
    #       |
    #       7
    tree = LabelTree.from_parents([-1, 0, 0, 1, 5, 0, 5, 4])
    assert tree.level_sizes == (1, 3, 4, 4)
    # The labels are the nodes 2, 3, 6 and 7.
    assert tree.labels.tolist() == [1, 0, 3, 2]
    assert tree.n_children(1).tolist() == [1, 1, 2]
    assert tree.n_children(2).tolist() == [1, 1, 1, 1]


def test_from_parents_of_a_root_alone_is_one_label():
    assert LabelTree.from_parents([-1]) == LabelTree([[0, 1]], [0])


@pytest.mark.parametrize(
    ("parents", "error", "message"),
    [
        ([], ValueError, "0 roots"),
        ([1, 0], ValueError, "0 roots"),
        ([-1, 0, -1], ValueError, "2 roots"),
        ([-1, 0, 3, 2], ValueError, "cycle: 2 of its 4 nodes"),
        ([-1, 1], ValueError, "cycle: 1 of its 2"),
        ([-1, 0, 3], ValueError, "node 2 the parent 3; expected -1 to 2"),
        ([-1, -2], ValueError, "node 1 the parent -2"),
        ([-1.0, 0.0], TypeError, "parents has the dtype float64"),
        (["a"], TypeError, "parents has the dtype"),
        ([[-1, 0]], ValueError, r"parents has the shape \(1, 2\)"),
        (-1, ValueError, r"parents has the shape \(\)"),
    ],
)
def test_from_parents_refuses(parents, error, message):
    with pytest.raises(error, match=message):
        LabelTree.from_parents(parents)


@given(trees())
def test_cluster_chain_goes_there_and_back(tree):
    chain = tree.to_cluster_chain()
    assert [C.shape for C in chain] == [
        (below, above)
        for above, below in zip(tree.level_sizes, tree.level_sizes[1:], strict=False)
    ]
    ranked = tree.to_cluster_chain()[-1].toarray()
    built = LabelTree.from_cluster_chain(chain)
    assert built.level_sizes == tree.level_sizes
    for mine, given_ in zip(built.child_offsets, tree.child_offsets, strict=True):
        assert_array_equal(mine, given_)
    assert_array_equal(built.to_cluster_chain()[-1].toarray(), ranked)
    leaves = tree.depth - 1
    for node in range(tree.level_sizes[leaves]):
        below = labels_below(tree, leaves, node)
        assert labels_below(built, leaves, node) == sorted(below)
        assert np.flatnonzero(ranked[:, node]).tolist() == sorted(below)


@given(trees(), st.integers(0, 2**32 - 1))
def test_cluster_chain_of_scattered_children(tree, seed):
    """Shuffle the nodes of every inner level: the groups of labels stay the same."""
    rng = np.random.default_rng(seed)
    chain = [sparse.csr_array(C) for C in tree.to_cluster_chain()]
    for level in range(len(chain) - 1):
        order = rng.permutation(chain[level].shape[0])
        chain[level] = chain[level][order]
        chain[level + 1] = chain[level + 1][:, order]
    built = LabelTree.from_cluster_chain(chain)
    assert built.level_sizes == tree.level_sizes
    for level in range(1, tree.depth):
        size = tree.level_sizes[level]
        expected = {frozenset(labels_below(tree, level, x)) for x in range(size)}
        found = {frozenset(labels_below(built, level, x)) for x in range(size)}
        assert found == expected


def test_cluster_chain_keeps_the_configured_interface(tree):
    assert isinstance(tree.to_cluster_chain()[0], sparse.csc_matrix)
    assert tree.to_cluster_chain()[0].dtype == np.float32


def test_cluster_chain_of_arrays_where_configured(tree):
    try:
        context = config_context(sparse_interface="sparray")
    except TypeError:
        pytest.skip("this scikit-learn has no sparse_interface")
    with context:
        assert isinstance(tree.to_cluster_chain()[0], sparse.csc_array)


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        ([], ValueError, "chain is empty"),
        ([np.ones((2, 1))], TypeError, r"chain\[0\] is ndarray"),
        ([sparse.csr_array(np.eye(2))], ValueError, r"chain\[0\] has 2 columns"),
        ([sparse.csr_array([[1], [0]])], ValueError, r"chain\[0\] has 0 .* row 1"),
        (
            [sparse.csr_array([[1], [1]]), sparse.csr_array([[1, 1], [0, 1]])],
            ValueError,
            r"chain\[1\] has 2 entries in row 0",
        ),
        (
            [sparse.csr_array([[1], [1]]), sparse.csr_array([[1, 0], [1, 0]])],
            ValueError,
            r"chain\[1\] has no entry in column 1",
        ),
        ([sparse.csr_array((0, 1))], ValueError, "no entry in column 0"),
    ],
)
def test_cluster_chain_refuses(chain, error, message):
    with pytest.raises(error, match=message):
        LabelTree.from_cluster_chain(chain)


@pytest.mark.parametrize(
    ("child_offsets", "labels", "error", "message"),
    [
        ([], [0], ValueError, "child_offsets is empty"),
        ([[0, 1]], [], ValueError, "labels is empty"),
        ([[0, 2]], [0, 2], ValueError, "labels runs from 0 to 2"),
        ([[0, 2]], [-1, 0], ValueError, "labels runs from -1"),
        ([[0, 3]], [0, 2, 2], ValueError, "2 more than once and 1 not at all"),
        ([[0, 2]], [0.0, 1.0], TypeError, "labels has the dtype float64"),
        ([[0, 2]], [[0, 1]], ValueError, r"labels has the shape \(1, 2\)"),
        ([[0.0, 2.0]], [0, 1], TypeError, r"child_offsets\[0\] has the dtype"),
        ([[0, 1, 2]], [0, 1], ValueError, r"child_offsets\[0\] has 3 entries"),
        ([[1, 2]], [0, 1], ValueError, r"child_offsets\[0\] starts at 1"),
        ([[0, 0]], [0], ValueError, r"child_offsets\[0\] goes from 0 to 0 at node 0"),
        ([[0, 2], [0, 2, 1]], [0], ValueError, "from 2 to 1 at node 1"),
        ([[0, 2], [0, 1]], [0], ValueError, r"child_offsets\[1\] has 2 entries"),
        ([[0, 3]], [0, 1], ValueError, r"ends at 3; expected .* 2"),
    ],
)
def test_construction_refuses(child_offsets, labels, error, message):
    with pytest.raises(error, match=message):
        LabelTree(child_offsets, labels)


def test_construction_converts_dtypes_and_copies_only_then():
    offsets, labels = np.array([0, 3]), np.array([2, 0, 1], dtype=np.int32)
    tree = LabelTree([offsets], labels)
    assert np.shares_memory(tree.child_offsets[0], offsets)
    assert np.shares_memory(tree.labels, labels)
    wide = LabelTree([offsets.astype(np.uint16)], labels.astype(np.uint64))
    assert wide.child_offsets[0].dtype == np.int64
    assert wide.labels.dtype == np.int32
    assert wide == tree


@pytest.mark.parametrize("method", ["parents", "n_children", "leaf_ranges"])
@pytest.mark.parametrize("level", [-1, 4])
def test_levels_out_of_range(tree, method, level):
    with pytest.raises(ValueError, match=f"level={level} is out of range"):
        getattr(tree, method)(level)


def test_labels_have_no_children(tree):
    with pytest.raises(ValueError, match="expected 0 to 2"):
        tree.n_children(3)


def test_equality(tree):
    assert tree == copy.deepcopy(tree)
    assert tree != LabelTree(tree.child_offsets, [0, 1, 2, 3])
    assert tree != LabelTree([[0, 4]], tree.labels)
    assert tree != "tree"
    with pytest.raises(TypeError, match="unhashable"):
        hash(tree)


def test_persistence(tree, tmp_path):
    assert pickle.loads(pickle.dumps(tree)) == tree
    path = tmp_path / "tree.joblib"
    joblib.dump(tree, path)
    mapped = joblib.load(path, mmap_mode="r")
    assert mapped == tree
    assert isinstance(mapped.labels, np.memmap)
    assert not mapped.labels.flags.writeable
    # What comes from a file can be taken apart and built again, without a copy.
    again = LabelTree(mapped.child_offsets, mapped.labels)
    assert np.shares_memory(again.labels, mapped.labels)
    Y = sparse.csr_array(np.eye(4))
    for one, other in zip(again.roll_up(Y), tree.roll_up(Y), strict=True):
        assert_array_equal(one.toarray(), other.toarray())
    assert LabelTree.from_cluster_chain(mapped.to_cluster_chain()).n_labels == 4
    dumped = skops_io.dumps(tree)
    unknown = skops_io.get_untrusted_types(data=dumped)
    assert unknown == ["skxmr.tree._label_tree.LabelTree"]
    assert skops_io.loads(dumped, trusted=unknown) == tree


def test_text():
    parents = [-1, 0, 0, 1, 1, 0, 5, 6, 2, 2, 2, 2, 8, 8, 8]
    tree = LabelTree.from_parents(parents)
    names = ["ant", "bee\nbuzz", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis"]
    assert tree.to_text(names).splitlines() == [
        "root (9 labels)",
        "├── 0 (2 labels)",
        "│   ├── ant",
        "│   └── bee buzz",
        "├── 1 (6 labels)",
        "│   ├── 2 (3 labels)",
        "│   │   ├── gnu",
        "│   │   ├── hen",
        "│   │   └── ibis",
        "│   ├── dog",
        "│   ├── eel",
        "│   └── fox",
        "└── cat",
    ]
    assert tree.to_text(max_depth=1, max_children=1).splitlines() == [
        "root (9 labels)",
        "├── 0 (2 labels): 0, 1",
        "└── … 2 more",
    ]
    assert tree.to_text(max_depth=0) == "root (9 labels): 0, 1, 6, …"
    # Where one would be left out, it is shown: the line is taken anyway.
    assert tree.to_text(max_children=2, max_depth=1).count("more") == 0
    assert tree.to_text().splitlines()[-1] == "└── label 2"
    assert LabelTree.from_parents([-1]).to_text(["x"]) == "root (1 label): x"


@given(trees())
def test_whole_text_has_every_label_and_no_chain(tree):
    lines = tree.to_text(max_children=None).splitlines()
    branching = sum(
        int((tree.n_children(level) > 1).sum()) for level in range(tree.depth)
    )
    assert len(lines) == branching + tree.n_labels
    drawn = [line.split()[-1] for line in lines if "label " in line]
    if tree.n_labels > 1:
        assert sorted(map(int, drawn)) == list(range(tree.n_labels))


def test_text_of_a_tree_deeper_than_the_stack():
    depth = sys.getrecursionlimit() + 10
    # Below each inner node, which is even, one label and the next inner node.
    parents = [-1, *(2 * (node // 2) for node in range(2 * depth))]
    tree = LabelTree.from_parents(parents)
    assert tree.depth == depth
    lines = tree.to_text().splitlines()
    assert len(lines) == depth + tree.n_labels
    assert lines[-1].count("│") + lines[-1].count("    ") == depth - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_names": ["a"]}, "label_names has 1 names; expected 4, one for"),
        ({"max_depth": -1}, "max_depth=-1"),
        ({"max_children": 0}, "max_children=0"),
    ],
)
@pytest.mark.parametrize("method", ["to_text", "plot"])
def test_drawings_refuse(tree, method, options, message):
    pytest.importorskip("matplotlib").use("Agg")
    with pytest.raises(ValueError, match=message):
        getattr(tree, method)(**options)


def test_plot(tree):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ax = tree.plot(label_names=["$ant", "bee", "cat" * 20, "dog"])
    texts = {text.get_text(): text.xy for text in ax.texts}
    cut = ("cat" * 20)[:39] + "…"
    # The chain above "cat" and "bee" is one group; "ant" and "dog" are another.
    assert set(texts) == {
        "root (4 labels)", "0 (2 labels)", "1 (2 labels)", "$ant", "bee", cut, "dog",
    }  # fmt: skip
    assert [texts[name][1] for name in ("dog", "$ant", cut, "bee")] == [0, 1, 2, 3]
    assert texts["0 (2 labels)"][1] == 0.5
    assert texts["root (4 labels)"] == (0, 1.5)
    gids = {text.get_text(): text.get_gid() for text in ax.texts}
    assert gids["root (4 labels)"] == "node-0-0"
    leaves = tree.labels.tolist()
    assert gids["$ant"] == f"node-{tree.depth}-{leaves.index(0)}"
    ax.figure.canvas.draw()
    assert tree.plot(ax=ax) is ax
    plt.close(ax.figure)


def test_a_group_shows_what_its_names_begin_with():
    tree = LabelTree.from_parents([-1, 0, 0, 1, 1, 2, 2])
    names = ["steam engines", "steam ships", "cats", "dogs"]
    lines = tree.to_text(names).splitlines()
    assert [lines[1], lines[4]] == ["├── 0 steam … (2 labels)", "└── 1 (2 labels)"]
    long = ["x" * 30 + "a", "x" * 30 + "b", "cats", "dogs"]
    assert tree.to_text(long).splitlines()[1] == f"├── 0 {'x' * 20}… (2 labels)"
    assert "…" not in tree.to_text()


def test_plot_says_how_to_get_matplotlib(tree, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install skxmr\[plot\]"):
        tree.plot()


@pytest.mark.parametrize(
    "starts",
    [[[1, 2]], [[0, 2, 2]], [[0, 2], [0, 1, 3]], [[0, 9]], [[]], [[2, 0]]],
    ids=str,
)
def test_starts_that_are_no_tree(starts):
    with pytest.raises(ValueError, match=r"starts|labels"):
        LabelTree.from_starts(starts, [0, 1, 2, 3])
