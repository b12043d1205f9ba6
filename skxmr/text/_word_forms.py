"""Normalisation of texts for search: what counts as a word.

`normalize_text` makes texts comparable by their characters. Here, texts share words
even if they join or separate them in different ways:

- Scripts without spaces between words, such as Chinese, Japanese and Thai, are cut into
  overlapping pairs of letters, so that words are found inside longer text.
- Words with digits or punctuation inside also have other forms: parts, and joined
  parts. So "10mm" shares words with "10 mm", "A12/3" with "A-12/3", and "tea-pot" with
  "teapot".

Combining marks are parts of words, in all scripts.
"""

import re
from functools import lru_cache
from itertools import pairwise
from unicodedata import category

from skxmr._cython import _word_forms as kernel
from skxmr.text._normalization import normalize_text

__all__ = [
    "is_unspaced",
    "normalize_any",
    "normalize_characters",
    "normalize_words",
    "spaced_words",
    "words_of_key",
    "written_words",
]

# Scripts without spaces between words: Han, kana and bopomofo, and those of Unicode's
# line breaking class SA, from Thai to Tai Viet; and Hangul, in which spaces separate
# phrases rather than words. Without digits and punctuation.
_UNSPACED = (
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u303c\u3041-\u309f\u30a1-\u30fa"
    "\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb\u1100-\u11ff"
    "\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f"
    "\u109a-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd\u1950-\u1974\u1980-\u19c9"
    "\u1a20-\u1a7c\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa76\uaa7a-\uaac2\uaadb-\uaadd"
)
# Characters that are neither part of \w nor white space: combining marks and symbols.
_OTHER = r"[^\w\s\x00-\x7f]"
_IS_OTHER = re.compile(_OTHER)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}](?:[{_UNSPACED}]|{_OTHER})*")
# A letter with its marks; the other characters are removed before.
_LETTER = re.compile(rf".{_OTHER}*")

_PUNCTUATION = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_JOINING = re.escape(kernel.JOINING_CHARACTERS)
_WORD = re.compile(rf"[^\s{re.escape(_PUNCTUATION)}]+")
# Words that punctuation joins.
_COMPOUND = re.compile(rf"{_WORD.pattern}(?:[{_JOINING}]{_WORD.pattern})*")
_JOINT = re.compile(f"[{_JOINING}]")
_PART = re.compile(rf"\d+|[^\d{_JOINING}]+")
_BEFORE_UNIT = re.compile(rf"(?<=\d) (?=(?:{'|'.join(kernel.UNITS)})\b)")

# The stages of a search normalise the same text one after the other.
_N_KEPT = 64
_LONGEST_KEPT = 1000


def normalize_words(text):
    """Normalise a text for n-grams of words.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Words, separated by spaces. Those of scripts without spaces between words are
        pairs of adjacent letters, or a letter on its own. Words as they are written
        come last of their forms.
    """
    return _normalize(text, joins_letters=True)


def normalize_characters(text):
    """Normalise a text for n-grams of characters within words.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        As by `normalize_words`, but letters that punctuation separates are not joined:
        other n-grams are the same.
    """
    return _normalize(text, joins_letters=False)


def _normalize(text, joins_letters):
    if text.isascii():
        return kernel.normalize_ascii(text, joins_letters)
    keeps = len(text) <= _LONGEST_KEPT
    return (_normalize_kept if keeps else normalize_any)(text, joins_letters)


def normalize_any(text, joins_letters):
    """Do what the kernel does, for any text.

    Parameters
    ----------
    text : str
    joins_letters : bool
        Whether short letters that punctuation separates have a joined form: "men's",
        "tea-pot".

    Returns
    -------
    str
    """
    text = normalize_text(text)
    if not text.isascii():
        text = _UNSPACED_RUN.sub(_as_pairs, _without_symbols(text))
    if text.replace(" ", "").isalpha():
        return text
    words = []
    for word in _BEFORE_UNIT.sub("", text).split():
        if word.isalpha():
            words.append(word)
        else:
            for compound in _COMPOUND.findall(word):
                words += _forms(compound, joins_letters)
    return " ".join(words)


_normalize_kept = lru_cache(_N_KEPT)(normalize_any)


def written_words(text):
    """List the words of a text, normalised, but each only as it is written.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        A run of a script without spaces between words is one word.
    """
    return _WORD.findall(_without_symbols(normalize_text(text)))


def words_of_key(key):
    """List the words of a key of `Normalizer`, and where in each a word may begin.

    Parameters
    ----------
    key : str
        Or a prefix of one, as made by `Normalizer.prefix`.

    Returns
    -------
    list of (str, list of int)
        The words as they are written. A word begins at each letter of a script without
        spaces between words, and behind such letters.
    """
    if key.isascii():
        return [(word, [0]) for word in _WORD.findall(key)]
    words = _WORD.findall(_without_symbols(key))
    return [(word, _beginnings(word)) for word in words]


def _beginnings(word):
    if word.isascii() or not is_unspaced(word):
        return [0]
    found, is_after = [], True
    for letter in _LETTER.finditer(word):
        is_before, is_after = is_after, is_unspaced(letter[0])
        if is_before or is_after:
            found.append(letter.start())
    return found or [0]


def spaced_words(text):
    """Write the words of a text, as by `written_words`, with spaces between.

    Parameters
    ----------
    text : str

    Returns
    -------
    bytes
        UTF-8 with one space before and after each word; empty if there is none.
    """
    if text.isascii():
        return kernel.space_ascii(text)
    words = written_words(text)
    return f" {' '.join(words)} ".encode("utf-8", "surrogatepass") if words else b""


def is_unspaced(word):
    """Whether a normalised word has letters of a script without spaces."""
    return _IS_UNSPACED.search(word) is not None


def _without_symbols(text):
    """Replace symbols by spaces, except ASCII characters."""
    return _IS_OTHER.sub(_keep_mark, text)


def _as_pairs(run):
    """Write letters as overlapping pairs, with spaces around each."""
    letters = _LETTER.findall(run[0])
    if len(letters) < 2:
        return f" {run[0]} "
    return f" {' '.join(map(''.join, pairwise(letters)))} "


def _keep_mark(other):
    """Replace a character by a space, unless it is a combining mark."""
    return other[0] if category(other[0]) in ("Mn", "Mc") else " "


def _forms(compound, joins_letters):
    """List the parts of a word, its joined parts, and the words as written."""
    parts, words = _PART.findall(compound), _JOINT.split(compound)
    if len(parts) == 1 or len(words) > kernel.MOST_WORDS:
        return words
    separators = _PART.split(compound)[1:-1]
    joined = [
        part + after
        for (part, after), separator in zip(pairwise(parts), separators, strict=True)
        if _are_joined(part, separator, after, joins_letters)
    ]
    return [form for form in parts + joined if form not in words] + words


def _are_joined(part, separator, after, joins_letters):
    """Whether two adjacent parts of a word have a joined form."""
    if part.isdecimal() or after.isdecimal():
        return part.isdecimal() != after.isdecimal()
    is_hyphen = separator == "-"
    most = kernel.MOST_LETTERS_AT_HYPHEN if is_hyphen else kernel.MOST_LETTERS
    return joins_letters and min(len(part), len(after)) <= most
