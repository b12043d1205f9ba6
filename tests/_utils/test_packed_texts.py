"""`PackedTexts`, compared with lists of the same strings."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st

from skxmr._utils._packed_texts import PackedTexts
from skxmr.persistence import TRUSTED_TYPES, check_arrays, load, save

pytestmark = pytest.mark.kernels

DAMAGED = "The loaded model is damaged: "
# Zeros, characters of one to four bytes, and surrogates, also in the order of a pair.
characters = st.sampled_from("a\0bé中\ud83d\ude00\U0001f600")
texts = st.lists(st.one_of(st.text(characters), st.text(max_size=9)), max_size=12)
NAMES = ["tea", "", "thé", "茶", "\ud800", "\U0001f375 🍵"]


def packed(text=b"abc", offsets=(0, 1, 3)):
    """Make packed texts of any arrays."""
    array = np.frombuffer(text, dtype=np.uint8)
    return PackedTexts(array, np.array(offsets, dtype=np.int64))


@settings(deadline=None)
@given(texts, st.data())
def test_they_are_a_sequence(strings, data):
    some = PackedTexts.of(iter(strings))
    assert len(some) == len(strings)
    assert list(some) == some.to_list() == some[:] == strings
    assert list(reversed(some)) == strings[::-1]
    positions = st.integers(-len(strings) - 2, len(strings) + 1)
    steps = st.integers(-3, 3).filter(bool)
    limits = st.one_of(st.none(), positions)
    part = slice(data.draw(limits), data.draw(limits), data.draw(steps))
    assert some[part] == strings[part]
    valid = list(range(-len(strings), len(strings)))
    assert [some[i] for i in valid] == [strings[i] for i in valid]
    taken = data.draw(st.lists(st.sampled_from(valid))) if valid else []
    expected = [strings[i] for i in taken]
    assert some.take(taken) == expected
    assert some.take(np.array(taken, dtype=np.int32)) == expected
    for string in [*strings[:2], "a"]:
        assert (string in some) == (string in strings)


@settings(deadline=None)
@given(texts, texts)
def test_they_are_equal_to_the_same_texts(strings, others):
    some, other = PackedTexts.of(strings), PackedTexts.of(others)
    assert some == strings
    assert strings == some
    assert some == PackedTexts.of(strings)
    assert (some == others) == (strings == others) == (some == other)
    assert some != [*strings, ""]
    assert some != tuple(strings)
    assert (some == list(range(len(strings)))) == (not strings)


@settings(deadline=None)
@given(texts)
def test_pickle_and_skops_keep_them(strings):
    some = PackedTexts.of(strings)
    assert pickle.loads(pickle.dumps(some)) == strings
    assert copy.deepcopy(some) == strings
    content = skops.io.dumps(some)
    assert skops.io.loads(content, trusted=TRUSTED_TYPES) == strings


@pytest.mark.parametrize("strings", [NAMES, ["", ""], []])
def test_files_are_mapped(strings, tmp_path):
    save(PackedTexts.of(strings), tmp_path / "texts")
    for mode in (None, "r", "c"):
        mapped = load(tmp_path / "texts", mmap_mode=mode)
        if mode and any(strings):
            assert isinstance(mapped.text, np.memmap)
        assert mapped == strings
        assert mapped.take(np.arange(len(strings))) == strings
        check_arrays(mapped)


def test_iteration_decodes_blocks():
    many = list(map(str, range(10_000)))
    some = PackedTexts.of(many)
    assert list(some) == many
    assert some.index("9999") == 9999


def test_an_index_must_exist():
    some = PackedTexts.of(NAMES)
    for index in (len(NAMES), -len(NAMES) - 1, 2**62, -(2**62)):
        with pytest.raises(IndexError, match=f"index {index} is out of range for 6"):
            some[index]
        with pytest.raises(IndexError, match=f"index {index} is out of range for 6"):
            some.take([0, index])
    with pytest.raises(TypeError, match="int"):
        some["tea"]
    with pytest.raises(IndexError, match="0 texts"):
        PackedTexts.of([])[0]


@pytest.mark.parametrize("item", [3, None, b"tea", float("nan")])
def test_an_item_must_be_a_string(item):
    with pytest.raises(TypeError, match="must be a str; got"):
        PackedTexts.of(["tea", item])


def test_they_do_not_change():
    some = PackedTexts.of(NAMES)
    with pytest.raises(TypeError, match="assignment"):
        some[0] = "coffee"
    with pytest.raises(TypeError, match="unhashable"):
        hash(some)


def test_their_repr_is_short():
    assert repr(PackedTexts.of([])) == "<PackedTexts of 0: >"
    assert repr(PackedTexts.of(["a", "b"])) == "<PackedTexts of 2: 'a', 'b'>"
    assert repr(PackedTexts.of("abcd")) == "<PackedTexts of 4: 'a', 'b', 'c', ...>"
    assert len(repr(PackedTexts.of(["a" * 1000] * 1000))) < 200


DAMAGES = [
    ({"offsets": ()}, r"offsets is empty"),
    ({"offsets": (1, 3)}, r"offsets goes from 1 to 3; expected 0 to 3"),
    ({"offsets": (0, 2)}, r"offsets goes from 0 to 2; expected 0 to 3"),
    ({"offsets": (0, 2, 1, 3)}, r"offsets goes from 2 to 1 at 1; expected it to"),
    ({"text": b"a\xffc"}, r"text is no UTF-8 \(invalid start byte at 1\)"),
    ({"text": "aé".encode(), "offsets": (0, 2, 3)}, r"offsets cuts a character"),
]


@pytest.mark.parametrize(("arrays", "message"), DAMAGES)
def test_damaged_arrays_are_refused(arrays, message, tmp_path):
    content = pickle.dumps(packed(**arrays))
    with pytest.raises(ValueError, match=rf"{DAMAGED}PackedTexts\.{message}"):
        pickle.loads(content)
    joblib.dump(packed(**arrays), tmp_path / "texts")
    if len(arrays.get("offsets", (0, 1))):
        mapped = joblib.load(tmp_path / "texts", mmap_mode="r")
        with pytest.raises(ValueError, match=rf"{DAMAGED}PackedTexts\.{message}"):
            check_arrays(mapped)


def test_arrays_of_other_types_are_refused():
    for changed, message in [
        ({"text": b"abc"}, "text is a bytes; expected an array"),
        ({"text": np.zeros(3)}, "text has the dtype float64; expected uint8"),
        ({"offsets": np.zeros(3, np.int32)}, "offsets has the dtype int32"),
        ({"offsets": np.zeros((3, 1), np.int64)}, r"offsets has the shape \(3, 1\)"),
    ]:
        some = packed()
        vars(some).update(changed)
        with pytest.raises(ValueError, match=rf"{DAMAGED}PackedTexts\.{message}"):
            pickle.loads(pickle.dumps(some))
    some = packed()
    del some.text
    with pytest.raises(ValueError, match=f"{DAMAGED}an attribute .* missing.*text"):
        pickle.loads(pickle.dumps(some))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_altered_arrays_are_never_read_outside(data):
    # As of a memory-mapped file, whose contents are not checked when it is loaded.
    wild = st.one_of(st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1))
    text = data.draw(st.binary(max_size=8))
    some = packed(text, data.draw(st.lists(wild, min_size=1, max_size=6)))
    for number in range(len(some)):
        start, stop = some.offsets[number : number + 2].tolist()
        try:
            decoded = text[start:stop].decode("utf-8", "surrogatepass")
            is_valid = 0 <= start <= stop <= len(text)
        except UnicodeDecodeError:
            is_valid = False
        if is_valid:
            assert some[number] == decoded
        else:
            with pytest.raises(ValueError, match=f"{DAMAGED}PackedTexts holds a text"):
                some[number]
            with pytest.raises(ValueError, match=f"{DAMAGED}PackedTexts holds a text"):
                some.take([number])


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_appended_texts_are_those_of_one_list(parts):
    some = PackedTexts.of(parts[0])
    expected = list(parts[0])
    for more in parts[1:]:
        before, some = some, some.appended(more)
        assert before == expected
        expected += more
    assert some == expected
    assert list(some) == expected == some.to_list()
    assert some.compacted() == expected
    assert pickle.loads(pickle.dumps(some)) == some
    n_texts = len(expected)
    assert len(some) == n_texts
    assert [some[i] for i in range(-n_texts, n_texts)] == expected * 2
    assert some[1::2] == expected[1::2]
    numbers = np.random.default_rng(n_texts).permutation(n_texts)
    assert some.take(numbers - n_texts) == [expected[i] for i in numbers]
    for index in (n_texts, -n_texts - 1):
        with pytest.raises(IndexError):
            some[index]
        with pytest.raises(IndexError):
            some.take([index])


def test_appending_copies_none_of_the_first_texts():
    some = PackedTexts.of(["a", "b"])
    grown = some.appended(["c"]).appended(["d"])
    assert grown.first is some
    assert grown.added == ["c", "d"]
    assert repr(grown) == "<GrownTexts of 4: 'a', 'b', 'c', ...>"
    with pytest.raises(TypeError, match="must be a str"):
        some.appended([1])
    grown.first = ["a"]
    with pytest.raises(ValueError, match=r"GrownTexts\.first is a list"):
        pickle.loads(pickle.dumps(grown))
