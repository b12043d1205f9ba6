"""Normalisation of texts for completion and retrieval.

Two texts are equal after normalisation if they differ only in case, Unicode normal
form, compatibility forms (full width, ligatures), invisible characters, variants of
apostrophes, quotation marks and dashes, the script of decimal digits, or white space.
Accents make a difference, unless they are stripped.

There are two forms of normalised texts. *Composed* texts (`normalize_text`) are for
words and n-grams: a letter with its accent is one character. *Keys* are for matching
prefixes: accents follow their letters, and Hangul is decomposed into the letters in the
order of typing, so that every prefix that is typed on the way to a text is a prefix of
its key.
"""

import re
from unicodedata import combining, decimal, normalize

__all__ = ["END_OF_KEY", "Normalizer", "normalize_text", "stem_of"]

# In a key, precedes what distinguishes it from keys with the same letters. It is white
# space, which normalisation removes from texts, and it sorts immediately before the
# space.
END_OF_KEY = "\x1f"

# Characters of Unicode's Default_Ignorable_Code_Point, except the tags below.
_IGNORABLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f"
    "\U000e0080-\U000e0fff"
)
# Variants of ASCII characters, including those that NFKD maps to something else.
_VARIANTS = {
    "'": "`\u02b9\u02bb-\u02bf\u02c8\u02ca\u02cb\u0374\u055a\u05f3\u1fef"
    "\u2018\u2019\u201a\u201b\u2032\u2035\ua78b\ua78c\uff07\uff40",
    '"': "\u02ba\u05f4\u201c-\u201f\u2033\u2036\u3003\uff02",
    "-": "\u02d7\u058a\u05be\u2010-\u2015\u2043\u207b\u208b\u2212\u2e3a\u2e3b"
    "\ufe31\ufe32\ufe58\ufe63\uff0d",
    "'''": "\u2034\u2037",
    "''''": "\u2057",
    "'n": "\u0149",
    "a'": "\u1e9a",
    # Dotless: I is the capital of both.
    "i": "\u0131\U0001d6a4",
    " ": "\x85\u1680\u2028\u2029",
}
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007f]+)|[\U000e0020-\U000e007f]+")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
# Characters that are typed as an apostrophe, decomposed.
_LONE_ACUTE = re.compile("\\s\u0301")


def _members(ranges):
    """List the characters between the brackets of a pattern."""
    for first, last in re.findall("(.)(?:-(.))?", ranges, re.DOTALL):
        yield from range(ord(first), ord(last or first) + 1)


_TABLE: dict[int, str | None] = {
    **dict.fromkeys(_members(_IGNORABLE)),
    **{code: one for one, others in _VARIANTS.items() for code in _members(others)},
}
# Most texts contain none of them, and translation is slow.
_IN_TABLE = re.compile(f"[{''.join(chr(code) for code in _TABLE if code < 0x10000)}]")
_BEYOND = re.compile("[\U00010000-\U0010ffff]")


# Hangul
# ------
# Unicode distinguishes the final consonants of syllables from initial ones, but while a
# text is being typed, the last consonant may become the initial one of the next
# syllable, and some letters are typed as two: 한 is typed on the way to 하나, 고 on the
# way to 과.

_INITIALS, _VOWELS, _FINALS = "\u1100-\u1112", "\u1161-\u1175", "\u11a8-\u11c2"
_SYLLABLE = re.compile(f"[{_INITIALS}][{_VOWELS}][{_FINALS}]?")
_LETTER = re.compile(f"[{_INITIALS}{_VOWELS}{_FINALS}]")
_G, _GG, _N, _D, _R, _M, _B, _S, _SS, _NG, _J, _CH, _K, _T, _P, _H = (
    "\u1100\u1101\u1102\u1103\u1105\u1106\u1107\u1109\u110a\u110b\u110c\u110e\u110f"
    "\u1110\u1111\u1112"
)
_TYPED_FINALS = [
    *(_G, _GG, _G + _S, _N, _N + _J, _N + _H, _D, _R, _R + _G, _R + _M, _R + _B),
    *(_R + _S, _R + _T, _R + _P, _R + _H, _M, _B, _B + _S, _S, _SS, _NG, _J, _CH),
    *(_K, _T, _P, _H),
]
_TYPED_VOWELS = {
    "\u116a": "\u1169\u1161",
    "\u116b": "\u1169\u1162",
    "\u116c": "\u1169\u1175",
    "\u116f": "\u116e\u1165",
    "\u1170": "\u116e\u1166",
    "\u1171": "\u116e\u1175",
    "\u1174": "\u1173\u1175",
}
_TYPED = str.maketrans(
    {chr(0x11A8 + i): typed for i, typed in enumerate(_TYPED_FINALS)} | _TYPED_VOWELS
)


def normalize_text(text):
    """Normalise a text, composed, with accents and without outer white space.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        ASCII characters in lower case, others case-folded.
    """
    if text.isascii():
        return " ".join(text.replace("`", "'").lower().split())
    return normalize("NFC", " ".join(_decompose(text).split()))


class Normalizer:
    """Normalises texts as `normalize_text` does, or without accents.

    Parameters
    ----------
    strip_accents : {"ascii", "unicode"}, callable or None
        As in scikit-learn: "ascii" keeps ASCII characters only, "unicode" removes
        combining marks. A callable gets the composed text.
    preprocessor : callable or None
        Takes a text and returns the text by which it is compared; replaces all
        normalisation except that of white space.
    """

    def __init__(self, strip_accents=None, preprocessor=None):
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor

    def text(self, text):
        """Normalise a text, composed, for words and n-grams."""
        if text.isascii() and not self._calls:
            return normalize_text(text)
        folded = " ".join(self._fold(text).split())
        return folded if self.preprocessor is not None else normalize("NFC", folded)

    def key(self, text):
        """Return the key of a query; those of different queries differ.

        Returns
        -------
        str
            The letters in the order of typing; if other queries may have the same
            letters, followed by `END_OF_KEY` and what distinguishes this one.
        """
        return self.spell(self.text(text))

    def prefix(self, text):
        """Return the prefix of keys for a text that is being typed.

        Returns
        -------
        str
            With a space at the end if the last word is complete, unless the text is
            blank.
        """
        if text.isascii() and not self._calls:
            folded, last = normalize_text(text), text[-1:]
        else:
            whole = self._fold(text)
            folded = stem_of(self.spell(" ".join(whole.split())))
            last = text.translate(_TABLE)[-1:] if self._calls else whole[-1:]
        return folded + " " if folded and last.isspace() else folded

    @property
    def _calls(self):
        return self.preprocessor is not None or callable(self.strip_accents)

    def _fold(self, text):
        """Normalise all but white space; decomposed, unless there is a preprocessor."""
        if self.preprocessor is not None:
            return _call(self.preprocessor, text, "preprocessor")
        if callable(self.strip_accents):
            composed = normalize_text(text)
            return _decompose(_call(self.strip_accents, composed, "strip_accents"))
        folded = _decompose(text)
        if self.strip_accents == "ascii":
            return folded.encode("ascii", "ignore").decode("ascii")
        if self.strip_accents == "unicode":
            return "".join([one for one in folded if not combining(one)])
        return folded

    def spell(self, text):
        """Return the key of a text that is already normalised by `text`."""
        if text.isascii() or self.preprocessor is not None:
            return text
        text = normalize("NFD", text)
        if not _LETTER.search(text):
            return text
        typed = text.translate(_TYPED)
        if _LETTER.search(_SYLLABLE.sub("", text)):
            # Letters that are not part of a syllable: 가ㄱ is typed like 각.
            return typed + END_OF_KEY + text
        return typed


def stem_of(key):
    """Return the letters of a key, without what only distinguishes it."""
    return key.partition(END_OF_KEY)[0]


def _decompose(text):
    """Normalise all but the amount of white space; accents follow their letters."""
    if _IN_TABLE.search(text) or _BEYOND.search(text):
        text = text.translate(_TABLE)
        # Invisible characters, except the tags by which flags of regions differ.
        text = _TAGS.sub(r"\1", text)
    # Case folding may require another decomposition, and vice versa.
    text = normalize("NFKD", normalize("NFKD", text).casefold())
    text = _OTHER_DIGIT.sub(lambda found: str(decimal(found[0])), text)
    if "\u0301" in text:
        text = _LONE_ACUTE.sub("'", text)
    return _without_dots(text) if "\u0307" in text else text


def _without_dots(text):
    """Remove the dot above from each i, since İ is folded to i and a dot above."""
    kept, base = [], ""
    for one in text:
        if combining(one) == 0:
            base = one
        if base != "i" or one != "\u0307":
            kept.append(one)
    return "".join(kept)


def _call(function, text, name):
    made = function(text)
    if not isinstance(made, str):
        raise TypeError(
            f"{name} must return a str; got {made!r:.50} of type "
            f"{type(made).__name__} for {text!r:.50}."
        )
    return made
