import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skxmr._cython._tfidf import scale

from skxmr._cython import _counting, _vocabulary
from skxmr.text._counting import Cutting, Rows
from skxmr.text._vocabulary import GrowingVocabulary, Vocabulary, grown

pytestmark = pytest.mark.kernels

KEY = np.array([3, 5], dtype=np.uint64)

# Few letters and long, so that terms begin alike; zeros and surrogates among them.
alike = st.text(st.sampled_from("a\0bé\ud800\U00010400"), max_size=40)
strings = st.lists(st.one_of(alike, st.text(max_size=9)), max_size=40, unique=True)


def found(terms, words):
    """Look words up with the kernel: the number of each, or -1."""
    cutting = Cutting(
        units="words",
        ngram_range=(1, 1),
        shortest=1,
        lowercase=False,
        normaliser=None,
        stop_words=None,
    )
    rows = cutting.count(words, terms)
    starts = np.concatenate([[0], rows.ends[:-1]])
    return [
        rows.indices[start] if start < end else -1
        for start, end in zip(starts, rows.ends, strict=True)
    ]


@settings(deadline=None)
@given(strings)
def test_terms_keep_their_strings(strings):
    terms = Vocabulary.of(strings)
    assert len(terms) == len(strings)
    assert terms.to_list() == strings
    assert [terms[i] for i in range(len(terms))] == strings
    assert terms.numbers() == {string: i for i, string in enumerate(strings)}
    assert pickle.loads(pickle.dumps(terms)).to_list() == strings


def test_terms_of_a_newer_version_are_refused():
    terms = Vocabulary.of(["a"])
    terms.version += 1
    with pytest.raises(ValueError, match=r"layout version 3.*Upgrade skxmr"):
        pickle.loads(pickle.dumps(terms))


def test_a_term_must_be_a_string():
    with pytest.raises(TypeError, match="must be a str; got 3"):
        Vocabulary.of(["a", 3])


def test_all_terms_are_found_and_no_others():
    words = [f"w{i}" for i in range(5000)]
    terms = Vocabulary.of(words[::2])
    assert len(terms.slots) >= 2 * len(terms)
    expected = [i // 2 if i % 2 == 0 else -1 for i in range(len(words))]
    assert found(terms, words) == expected


@settings(deadline=None)
@given(strings, st.data())
def test_sort_is_that_of_python(strings, data):
    terms = GrowingVocabulary()
    zeros = np.zeros(len(strings), dtype=np.int64)
    numbers = terms.add(Vocabulary.of(strings), zeros, zeros)
    assert numbers.tolist() == list(range(len(strings)))
    chosen = data.draw(
        st.lists(st.sampled_from(range(len(strings))), unique=True)
        if strings
        else st.just([])
    )
    order = terms.sort(np.array(chosen, dtype=np.int64))
    assert order.tolist() == sorted(chosen, key=strings.__getitem__)
    assert terms.select(order).to_list() == sorted(strings[i] for i in chosen)


def test_sort_of_many_terms_with_long_common_beginnings():
    rng = np.random.default_rng(0)
    letters = rng.integers(0, 3, size=(20_000, 30))
    strings = list(
        {
            "common beginning " * 3 + "".join("ab\0"[i] for i in row)[: k + 9]
            for k, row in zip(rng.integers(0, 21, 20_000), letters, strict=True)
        }
    )
    strings += [str(i) for i in range(10_000)] + ["x" * i for i in range(1000)]
    terms = GrowingVocabulary()
    zeros = np.zeros(len(strings), dtype=np.int64)
    terms.add(Vocabulary.of(strings), zeros, zeros)
    order = terms.sort(rng.permutation(len(strings)))
    assert terms.select(order).to_list() == sorted(strings)


@settings(deadline=None)
@given(st.lists(strings, max_size=4))
def test_add_is_that_of_a_dict(batches):
    terms, numbers, documents, total = GrowingVocabulary(), {}, {}, {}
    for batch in batches:
        documents_in = np.arange(len(batch), dtype=np.int64)
        got = terms.add(Vocabulary.of(batch), documents_in, 10 * documents_in)
        for i, string in enumerate(batch):
            number = numbers.setdefault(string, len(numbers))
            assert got[i] == number
            documents[number] = documents.get(number, 0) + i
            total[number] = total.get(number, 0) + 10 * i
    assert len(terms) == len(numbers)
    assert terms.document_counts[: len(terms)].tolist() == list(documents.values())
    assert terms.total_counts[: len(terms)].tolist() == list(total.values())
    everything = np.arange(len(terms))
    assert terms.select(everything).to_list() == list(numbers)


def test_terms_grow():
    # More terms, more bytes and longer terms than the initial capacity.
    strings = [f"{i}" for i in range(5000)] + ["long" * 10_000, "long" * 50_000]
    zeros = np.zeros(len(strings), dtype=np.int64)
    terms = GrowingVocabulary()
    for _ in range(2):
        numbers = terms.add(Vocabulary.of(strings), zeros, zeros)
        assert numbers.tolist() == list(range(len(strings)))
    selected = terms.select(np.arange(len(terms)))
    assert selected.to_list() == strings
    assert found(selected, strings[::-1]) == list(range(len(strings)))[::-1]


def test_grown():
    assert grown(np.arange(3))[:3].tolist() == [0, 1, 2]
    assert len(grown(np.arange(3))) == 6


# Whatever the arrays hold, a kernel stays inside them


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_altered_terms_are_survived(data):
    words = ["ab", "cde", "fghij", "k"]
    terms = Vocabulary.of(words)
    wild = st.one_of(st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1))
    offsets = terms.offsets.copy()
    for i in range(len(offsets)):
        if data.draw(st.booleans()):
            offsets[i] = data.draw(wild)
    slots = terms.slots.copy()
    for i in range(len(slots)):
        if data.draw(st.booleans()):
            # Keep the hash of a word, so that its number is looked at.
            number = np.uint64(data.draw(st.integers(0, 2**32 - 1)))
            some = terms.slots[data.draw(st.sampled_from(range(len(slots))))]
            slots[i] = (some >> np.uint64(32) << np.uint64(32)) | number
    text = terms.text[: data.draw(st.integers(0, len(terms.text)))].copy()
    altered = Vocabulary(text, offsets, slots, terms.key)
    assert all(-1 <= number < len(words) for number in found(altered, words))


def test_a_full_table_is_not_searched_for_ever():
    terms = Vocabulary.of(["ab", "cd"])
    terms.slots = np.full_like(terms.slots, 1)
    assert found(terms, ["ab", "xy"]) == [-1, -1]


@pytest.mark.parametrize("n_slots", [0, 3, 12])
def test_a_table_of_another_size_is_refused(n_slots):
    terms = Vocabulary.of(["ab", "cd"])
    terms.slots = np.zeros(n_slots, dtype=np.uint64)
    with pytest.raises(ValueError, match="do not fit together"):
        found(terms, ["ab"])
    with pytest.raises(ValueError, match="power of two"):
        _vocabulary.fill_slots(terms.text, terms.offsets, terms.key, terms.slots)


@pytest.mark.parametrize("offsets", [[], [-1, 4], [0, 3, 2], [0, 5]])
def test_bad_offsets_are_refused(offsets):
    text = np.zeros(4, dtype=np.uint8)
    offsets = np.array(offsets, dtype=np.int64)
    order = np.zeros(2, dtype=np.int64)
    for call in [
        lambda: _vocabulary.fill_slots(
            text, offsets, KEY, np.zeros(8, dtype=np.uint64)
        ),
        lambda: _vocabulary.sort_terms(
            text, offsets, order, np.zeros((2, 4), np.uint64)
        ),
        lambda: _vocabulary.gather_terms(text, offsets, order, order, text),
    ]:
        with pytest.raises(ValueError, match="offsets must"):
            call()


def test_bad_orders_are_refused():
    terms = Vocabulary.of(["ab", "cd"])
    scratch = np.zeros((2, 4), dtype=np.uint64)
    for bad in [[0, 2], [-1, 0]]:
        order = np.array(bad)
        with pytest.raises(ValueError, match="numbers of terms"):
            _vocabulary.sort_terms(terms.text, terms.offsets, order, scratch)
        with pytest.raises(ValueError, match="numbers of terms"):
            _vocabulary.gather_terms(
                terms.text, terms.offsets, order, terms.offsets, terms.text.copy()
            )
    with pytest.raises(ValueError, match="scratch"):
        _vocabulary.sort_terms(terms.text, terms.offsets, np.arange(2), scratch[:1])
    with pytest.raises(ValueError, match="do not fit"):
        _vocabulary.gather_terms(
            terms.text,
            terms.offsets,
            np.arange(2),
            np.array([0, 1, 4]),
            terms.text.copy(),
        )


def make_rows(ends, indices):
    return Rows(
        np.array(ends, dtype=np.int64),
        np.array(indices, dtype=np.int32),
        np.arange(len(indices), dtype=np.int32),
    )


@settings(deadline=None)
@given(st.data())
def test_renumbered_rows_equal_a_slow_twin(data):
    n_terms = data.draw(st.integers(1, 400))
    numbers = data.draw(st.permutations(range(n_terms)))
    numbers = [i if data.draw(st.integers(0, 3)) else -1 for i in numbers]
    rows = data.draw(
        st.lists(
            st.lists(st.sampled_from(range(n_terms)), unique=True, max_size=300),
            max_size=4,
        )
    )
    flat = [term for row in rows for term in row]
    ends = np.cumsum([len(row) for row in rows])
    got = make_rows(ends, flat).renumbered(np.array(numbers, dtype=np.int32))
    expected, position = [], 0
    for row in rows:
        pairs = [(numbers[t], position + i) for i, t in enumerate(row)]
        expected.append(sorted(pair for pair in pairs if pair[0] >= 0))
        position += len(row)
    assert got.ends.tolist() == np.cumsum([len(row) for row in expected]).tolist()
    pairs = [pair for row in expected for pair in row]
    assert got.indices.tolist() == [term for term, _ in pairs]
    assert got.counts.tolist() == [count for _, count in pairs]


@pytest.mark.parametrize(
    ("ends", "indices"),
    [([3, 2], [0, 1, 2]), ([4], [0, 1, 2]), ([-1], [0]), ([2], [0, 3]), ([1], [-1])],
)
def test_rows_that_do_not_fit_are_refused(ends, indices):
    rows = make_rows(ends, indices)
    numbers = np.arange(3, dtype=np.int32)
    spare = np.empty((2, 5), dtype=np.int32)
    with pytest.raises(ValueError, match="do not fit together"):
        _counting.renumber(*rows.arrays(), numbers, spare)
    rows = make_rows(ends, indices)  # it may have changed
    with pytest.raises(ValueError, match="do not fit together"):
        scale(rows.ends, rows.indices, np.ones(3), 2, np.ones(len(indices)))


def test_scratch_that_is_too_small_is_refused():
    units, counted = _counting.UNITS["characters"], _counting.POSITIONS[None]

    def cutter(longest, low=1):
        scratch = np.empty(4 * longest + 8, dtype=np.int32)
        return _counting.Cutter(units, counted, (low, 3), 1, True, None, scratch)

    with pytest.raises(ValueError, match="scratch is too small"):
        cutter(-1)
    with pytest.raises(ValueError, match="1 or more"):
        cutter(3, low=0)
    terms, rows = Vocabulary.of(["abc"]), Rows.empty(1, 50, np.int32)
    for text in ["abcd", "abc\u0100", "abc\U00010400"]:
        with pytest.raises(ValueError, match="too small for the texts"):
            _counting.count(cutter(3), [text], 0, terms, rows)
    with pytest.raises(TypeError, match="expected str; got bytes"):
        _counting.count(cutter(3), [b"abc"], 0, terms, rows)
    with pytest.raises(ValueError, match="begin or row_ends"):
        _counting.count(cutter(3), ["abc"] * 2, 0, terms, rows)
    with pytest.raises(ValueError, match="begin or row_ends"):
        _counting.count(cutter(3), ["abc"], 2, terms, rows)


@pytest.mark.parametrize("room", [0, 1, 2, 7])
def test_rows_without_room_are_gone_on_with(room):
    cutting = Cutting(
        units="characters",
        ngram_range=(1, 2),
        shortest=1,
        lowercase=True,
        normaliser=None,
        stop_words=None,
    )
    texts = ["a b", "", "abcabc ab", "zz"] * 3
    terms = Vocabulary.of(["a", "b", "#", "ab", "c#", "b#"])
    expected = cutting.count(texts, terms)
    _, cutter, _ = cutting.prepare(texts)
    rows, text = Rows.empty(len(texts), room, np.int32), 0
    full = 0
    while text < len(texts):
        status, text = _counting.count(cutter, texts, text, terms, rows)
        if text < len(texts):
            assert status == _vocabulary.STATUS["rows"]
            full += 1
            room += 3
            more = Rows.empty(len(texts), room, np.int32)
            for old, new in zip(rows.arrays(), more.arrays(), strict=True):
                new[: len(old)] = old
            rows = more
    assert full > 1
    rows.trim()
    for got, wanted in zip(rows.arrays(), expected.arrays(), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_strings_are_looked_up_in_a_vocabulary():
    vocabulary = Vocabulary.of(["b c", "tea", "", "\ud800", "é" * 9, "\0"])
    wanted = ["te", "tea", "\ud800", "x" * 99, "", np.str_("tea"), "b c", "é" * 9]
    numbers = np.empty(len(wanted), dtype=np.int32)
    _vocabulary.find_terms(wanted, vocabulary, numbers)
    assert numbers.tolist() == [-1, 1, 3, -1, 2, 1, 0, 4]
    _vocabulary.find_terms([], vocabulary, numbers[:0])
    _vocabulary.find_terms(["tea"], Vocabulary.of([]), numbers[:1])
    assert numbers[0] == -1
    with pytest.raises(ValueError, match="do not fit together"):
        _vocabulary.find_terms(["tea"], vocabulary, numbers)
