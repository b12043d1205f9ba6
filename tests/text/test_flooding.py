"""Terms and rows chosen so that all meet in one slot of a hash table.

Whoever knows the key of a hash can choose them. The tests do so for a key that they
know, and count the probes: with a key of its own, a table needs few.
"""

import pickle

import numpy as np
import pytest
from scipy import sparse
from skxmr._cython._compaction import table_size
from skxmr._cython._workspace import Workspace
from twins import compress

from skxmr import CharNgramTfidf, WordNgramTfidf
from skxmr._cython import _vocabulary as vocabulary_kernel
from skxmr._search import _beam_search
from skxmr._training import _compaction
from skxmr.text import _vocabulary
from skxmr.text._vocabulary import GrowingVocabulary, Vocabulary

KNOWN = np.array([0x0123456789ABCDEF, 0xFEDCBA9876543211], dtype=np.uint64)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def fold(a, b):
    """The halves of 128-bit products, XORed."""
    a0, a1, b0, b1 = a & LOW, a >> HALF, b & LOW, b >> HALF
    low, left, right = a0 * b0, a1 * b0, a0 * b1
    carry = ((low >> HALF) + (left & LOW) + (right & LOW)) >> HALF
    return (a * b) ^ (a1 * b1 + (left >> HALF) + (right >> HALF) + carry)


def hash_words(words, key):
    """The twin of the kernels' hash, for words of eight letters."""
    seed, factor = key[0], key[1] | np.uint64(1)
    state = fold(words ^ seed, factor)
    return fold(state ^ np.uint64(8), factor)


@pytest.fixture(scope="module")
def chosen():
    """Words whose hashes by the known key end alike."""
    letters = np.random.default_rng(0).integers(97, 123, (1 << 21, 8), dtype=np.uint8)
    words = letters.view("<u8").astype(np.uint64).ravel()
    meet = hash_words(words, KNOWN) & np.uint64(0xFFFF) < 32
    return [row.tobytes().decode() for row in np.unique(letters[meet], axis=0)]


def count_probes(slots, hashes):
    """How many slots are looked at, all in all, to find each term once."""
    positions = np.flatnonzero(slots)
    numbers = (slots[positions] & LOW).astype(np.int64) - 1
    mask = np.uint64(len(slots) - 1)
    homes = hashes[numbers] & mask
    np.testing.assert_array_equal(hashes[numbers] >> HALF, slots[positions] >> HALF)
    return int(((positions.astype(np.uint64) - homes) & mask).sum()) + len(positions)


def as_numbers(words):
    return np.frombuffer("".join(words).encode(), "<u8").astype(np.uint64)


def grow(words, key=None):
    growing = GrowingVocabulary()
    if key is not None:
        growing.key = key
    zeros = np.zeros(len(words), dtype=np.int64)
    growing.add(Vocabulary.of(words), zeros, zeros)
    return growing


def test_chosen_words_meet_by_the_known_key_only(chosen):
    assert len(chosen) > 800
    numbers = as_numbers(chosen)
    met = grow(chosen, KNOWN)
    assert count_probes(met.slots, hash_words(numbers, KNOWN)) > 100 * len(chosen)
    for growing in (grow(chosen), grow(chosen)):
        hashes = hash_words(numbers, growing.key)
        assert count_probes(growing.slots, hashes) < 4 * len(chosen)


def test_keys_cannot_be_known():
    keys = [GrowingVocabulary().key.tolist() for _ in range(3)]
    assert len(np.unique(keys)) == 6
    # That of a vocabulary changes with every term, and with where each begins.
    keys = [
        Vocabulary.of(words).key.tolist()
        for words in (["ab", "c"], ["a", "bc"], ["ab", "d"], ["c", "ab"])
    ]
    assert len(np.unique(keys)) == 8


def test_vocabularies_of_chosen_words_need_few_probes(chosen):
    vocabulary = Vocabulary.of(chosen)
    hashes = hash_words(as_numbers(chosen), vocabulary.key)
    assert count_probes(vocabulary.slots, hashes) < 4 * len(chosen)


def test_equal_vocabularies_have_equal_tables(chosen):
    assert pickle.dumps(Vocabulary.of(chosen)) == pickle.dumps(Vocabulary.of(chosen))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", [WordNgramTfidf, CharNgramTfidf])
def test_no_result_depends_on_the_key(monkeypatch, chosen, kind, n_jobs):
    texts = [" ".join(chosen[i : i + 7]) for i in range(0, len(chosen), 5)]
    expected = kind(n_jobs=n_jobs)
    values = expected.fit_transform(texts)
    for bytes_of_key in (bytes(16), b"\xff" * 16, KNOWN.tobytes()):
        monkeypatch.setattr(
            _vocabulary.os, "urandom", lambda size, key=bytes_of_key: key
        )
        other = kind(n_jobs=n_jobs)
        assert (other.fit_transform(texts) != values).nnz == 0
        assert pickle.dumps(other._state.terms) == pickle.dumps(expected._state.terms)


def test_terms_saved_before_there_was_a_key_are_read(chosen):
    vocabulary = Vocabulary.of(chosen)
    old = Vocabulary.__new__(Vocabulary)
    state = vocabulary.__getstate__() | {"version": 1}
    del state["key"]
    state["slots"] = np.zeros(len(vocabulary.slots), dtype=np.uint64)
    old.__setstate__(state)
    assert old.version == vocabulary.version
    for one, other in zip(old.arrays(), vocabulary.arrays(), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_a_key_that_is_not_the_terms_is_refused(chosen):
    vocabulary = Vocabulary.of(chosen)
    vocabulary.key = KNOWN
    vocabulary.slots = np.zeros_like(vocabulary.slots)
    vocabulary_kernel.fill_slots(
        vocabulary.text, vocabulary.offsets, KNOWN, vocabulary.slots
    )
    with pytest.raises(
        ValueError, match=r"Vocabulary\.key is not the key of its terms"
    ):
        pickle.loads(pickle.dumps(vocabulary))
    with pytest.raises(ValueError, match="the key of a hash table has two numbers"):
        vocabulary_kernel.fill_slots(
            vocabulary.text, vocabulary.offsets, KNOWN[:1], vocabulary.slots
        )


# Sets of rows, by which compaction finds features that the same rows have


def mix(z):
    z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def longest_run(taken):
    """The most slots in a row that are taken, the table being a circle."""
    free = np.flatnonzero(~taken)
    return int(np.diff(free, append=free[0] + len(taken)).max()) - 1


def compacted_table(X):
    compactor = _compaction.make_compactor(
        X, Workspace(np.empty), n_rows=X.n_vectors, n_entries=int(X.offsets[-1])
    )
    compactor.compact(np.arange(X.n_vectors, dtype=np.int32), False)
    n_features = compactor.n_features
    table = np.asarray(compactor.table)[: table_size(n_features)] >= 0
    return table, compactor.sources[:n_features].copy()


def test_chosen_sets_of_rows_meet_by_the_known_key_only(monkeypatch):
    n_rows = 24
    sets = np.random.default_rng(1).random((1 << 19, n_rows)) < 0.5
    hashes = np.where(sets, mix(np.arange(n_rows, dtype=np.uint64)), 0).sum(axis=1)
    sets = sets[hashes.astype(np.uint64) & np.uint64(0xFFF) < 4]
    assert len(sets) > 300
    X = compress(sparse.csr_array(sets.T.astype(np.float32)))
    monkeypatch.setattr(_compaction, "_KEY", 0)
    met, sources = compacted_table(X)
    assert longest_run(met) > 300
    monkeypatch.undo()
    table, same_sources = compacted_table(X)
    assert longest_run(table) < 60
    np.testing.assert_array_equal(same_sources, sources)


def test_averages_do_not_depend_on_the_key_of_columns(monkeypatch):
    rng = np.random.default_rng(2)
    columns = [rng.permutation(400)[None, :300] for _ in range(3)]
    scores = [np.sort(-rng.random((1, 300)))[:, ::-1] for _ in range(3)]
    expected = _beam_search.average_trees(columns, scores, 50)
    # By this one, all columns meet.
    monkeypatch.setattr(_beam_search, "_HASH_FACTOR", 1)
    found = _beam_search.average_trees(columns, scores, 50)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
