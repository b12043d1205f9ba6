"""What may be returned for a prefix, by the rules that the guide states.

Written apart from skxmr's own search, name by name, so that answers can be judged.
"""

from bisect import bisect_left
from itertools import pairwise
from unicodedata import category, combining, normalize

from skxmr.text._word_forms import is_unspaced

JOINTS = " &'+-./_"
# Sorts after every character that can follow a prefix.
LAST_CHARACTER = chr(0x10FFFF)


def count_matches(prefixes, known):
    """Count the known queries, which are sorted, that start with each prefix."""
    counts = {
        prefix: bisect_left(known, prefix + LAST_CHARACTER) - bisect_left(known, prefix)
        for prefix in set(prefixes)
    }
    return [counts[prefix] for prefix in prefixes]


def starts_with(query, prefix):
    """Return whether a query starts with a prefix.

    The last letter of the prefix may lack accents; a space there ends a word.
    """
    if query.startswith(prefix):
        return True
    letters, typed = letters_of(query + " "), letters_of(prefix)
    return begins_with(letters[: len(typed)], typed)


def begins_with(letters, typed):
    """Return whether letters are those typed, of which the last may lack accents."""
    if not typed:
        return True
    if letters[:-1] != typed[:-1] or len(letters) < len(typed):
        return False
    rest = iter(letters[-1])
    return letters[-1][0] == typed[-1][0] and all(one in rest for one in typed[-1])


def letters_of(text):
    """Cut a text into letters with their accents."""
    letters = []
    for one in normalize("NFD", text):
        if letters and combining(one):
            letters[-1] += one
        else:
            letters.append(one)
    return letters


def differs_in_joints(query, prefix):
    """Return whether a query starts with a prefix but for how words are joined.

    Joints make a difference between digits.
    """
    typed = without_joints(prefix)
    return bool(typed) and any(
        without_joints(query[:end]) == typed
        and (not prefix.endswith(" ") or query[end : end + 1] in ("", *JOINTS))
        for end in range(len(query) + 1)
    )


def without_joints(text):
    """Remove what joins words, except between digits."""
    kept, start = [], 0
    while start < len(text):
        end = start
        while end < len(text) and text[end] in JOINTS:
            end += 1
        around = text[start - 1 : start] + text[end : end + 1]
        if end > start and len(around) == 2 and around.isdecimal():
            kept.append(text[start:end])
        kept.append(text[end : end + 1])
        start = end + 1
    return "".join(kept)


def most_edits(prefix):
    """Return how many edits a prefix may have."""
    n_letters = len(letters_of(prefix.removesuffix(" ")))
    return (n_letters >= 3) + (n_letters >= 6)


def is_near(query, prefix):
    """Return whether a beginning of a query is few edits away from a prefix.

    An edit inserts, deletes or replaces a letter, or swaps two. Digits stay.
    """
    most = most_edits(prefix)
    typed, letters = letters_of(prefix.removesuffix(" ")), letters_of(query)
    letters = letters[: len(typed) + most + 1]
    distances = distances_to_beginnings(typed, letters, most)
    return any(
        distance <= most
        and digits(typed) == digits(letters[:end])
        and (not prefix.endswith(" ") or letters[end : end + 1] in ([], [" "]))
        for end, distance in enumerate(distances)
    )


def digits(letters):
    return [one for one in letters if one.isdecimal()]


def distances_to_beginnings(typed, letters, most):
    """Return the distance of what was typed to each beginning of some letters."""
    rows = [list(range(len(typed) + 1))]
    for i, letter in enumerate(letters):
        row = [i + 1]
        for j, one in enumerate(typed):
            # The last letter may lack accents.
            is_last = j == len(typed) - 1
            same = one == letter or (is_last and begins_with([letter], [one]))
            least = min(rows[i][j] + (not same), rows[i][j + 1] + 1, row[j] + 1)
            if i and j and letters[i - 1] == one and letter == typed[j - 1]:
                least = min(least, rows[i - 1][j - 1] + 1)
            row.append(least)
        if min(row) > most + 1:
            rows += [[most + 1] * (len(typed) + 1)] * (len(letters) - i)
            break
        rows.append(row)
    return [row[-1] for row in rows]


def words_of(text):
    """List the words of a text, which spaces, punctuation and symbols separate."""
    letters = [one if category(one)[0] in "LMN" else " " for one in text]
    return "".join(letters).split()


def parts_of(word):
    """List a word and what remains of it from where another may begin."""
    if word.isascii() or not is_unspaced(word):
        return [word]
    starts = [
        i + 1
        for i, (one, next_one) in enumerate(pairwise(word))
        if category(next_one)[0] != "M" and (is_unspaced(one) or is_unspaced(next_one))
    ]
    return [word, *(word[start:] for start in starts)]


def has_words(query, prefix):
    """Return whether a query has all words of a prefix, in any order and place."""
    parts = [part for word in words_of(query) for part in parts_of(word)]
    typed = words_of(prefix)
    for i, word in enumerate(typed):
        if is_open(i, typed, prefix):
            found = any(starts_with(part, word) for part in parts)
        else:
            found = word in parts
        if not found:
            return False
    return bool(typed)


def is_open(i, typed, prefix):
    """Return whether a word of a prefix may go on."""
    is_last = i == len(typed) - 1 and prefix.endswith(typed[i])
    return is_last or is_unspaced(typed[i])


class Judge:
    """Judges answers to prefixes.

    Parameters
    ----------
    names : list of str
        All names, sorted.
    match : {"prefix", "fuzzy", "words"}
    """

    def __init__(self, names, match):
        self.names = names
        self.match = match
        self._by_word = None

    def is_right(self, name, prefix):
        """Return whether a name may be returned."""
        if starts_with(name, prefix):
            return True
        if self.match == "fuzzy" and is_near(name, prefix):
            return True
        if self.match == "words" and has_words(name, prefix):
            return True
        # Only if no name starts with the prefix.
        is_new = not count_matches([prefix], self.names)[0]
        return is_new and differs_in_joints(name, prefix)

    def n_expected(self, prefix, left_out):
        """Count the names that have to be returned, if the answer has room for them.

        For "fuzzy", the names that start with the prefix.
        """
        start = bisect_left(self.names, prefix)
        stop = bisect_left(self.names, prefix + LAST_CHARACTER)
        found = set(self.names[start:stop])
        if self.match == "words":
            found |= self._with_words(prefix)
        return len(found - left_out)

    def _with_words(self, prefix):
        if self._by_word is None:
            self._by_word = {}
            for row, name in enumerate(self.names):
                for word in words_of(name):
                    for part in parts_of(word):
                        self._by_word.setdefault(part, []).append(row)
            self._words = sorted(self._by_word)
        typed, rows = words_of(prefix), None
        for i, word in enumerate(typed):
            of_word = set()
            parts = self._starting(word) if is_open(i, typed, prefix) else [word]
            for part in parts:
                of_word.update(self._by_word.get(part, ()))
            rows = of_word if rows is None else rows & of_word
        return {self.names[row] for row in rows or ()}

    def _starting(self, word):
        stop = bisect_left(self._words, word + LAST_CHARACTER)
        return self._words[bisect_left(self._words, word) : stop]
