"""Counts of texts, from which a lexical index is built."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skxmr._inputs._label_fields import LabelFields
from skxmr._lexical._building import CountedTexts, Indexing

FIELDS = LabelFields([("green tea", "leaves"), ("rye bread",), ("", "tea-pot")], 2)
TEXTS = ["sencha tea", "a loaf of rye", "sencha", "pot 10mm", "", "gyokuro"]
Y = sparse.csr_array(np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 2, 0]])
COUNTERS = {"word": ["word"], "char": ["char"], "both": ["char", "word"]}


def arrays_of(counted, Y, indexing):
    terms, index = counted.build_index(Y, indexing)
    vocabularies = [counter._fitted().terms for counter in counted.counters]
    arrays = [array for one in vocabularies for array in one.arrays()]
    words = terms.word_expansion
    arrays += [] if words is None else [words.counts]
    return arrays + [one for one in vars(index).values() if np.ndim(one)]


@pytest.mark.parametrize("analyzers", COUNTERS.values(), ids=COUNTERS)
@pytest.mark.parametrize("kept", [[0, 1, 3, 4], [0, 1, 2, 3, 4, 5], [4], []])
def test_counts_without_some_texts(analyzers, kept):
    """They are those of the other texts: no term is left that only those have."""
    indexing = Indexing(analyzers, None, 1.2, 0.75, None)
    is_kept = np.isin(np.arange(len(TEXTS)), kept)
    taken = CountedTexts.of(FIELDS, TEXTS, 3, indexing).take(is_kept)
    texts = [TEXTS[row] for row in kept]
    counted = CountedTexts.of(FIELDS, texts, 3, indexing)
    found = arrays_of(taken, Y[kept], indexing)
    expected = arrays_of(counted, Y[kept], indexing)
    assert len(found) == len(expected) > 8
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_counts_without_any_term():
    """Terms stay if none occurs any more: an index has at least one."""
    indexing = Indexing(["word"], None, 1.2, 0.75, None)
    counted = CountedTexts.of(None, ["tea", "tea pot"], 1, indexing)
    taken = counted.take(np.zeros(2, dtype=bool))
    assert len(taken.counters[0]._fitted().terms) == 2
    assert taken.counts[0].shape == (0, 2)
