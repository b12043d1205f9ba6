"""Work against the length of one text: ``python tests/tools/linear.py``.

Vectorises, completes and searches for hostile texts, each four times as long as the one
before, and prints the CPU time per character. It must not grow.
"""

import resource
import sys
import time

from skxmr import (
    CharNgramTfidf,
    LabelTexts,
    LexicalRanker,
    PrefixWeightedCharTfidf,
    WordNgramTfidf,
)
from skxmr.baselines import PopularCompleter

KINDS = {
    "one word": "a",
    "spaces": " ",
    "words": "ab cd ",
    "NULs": "\x00",
    "surrogates": "\ud800",
    "combining marks": "e\u0301",
    "right to left": "\u05d0\u05d1 ",
    "beyond the basic plane": "\U0001f469\u200d",
    "stop marks": "#",
}
LENGTHS = [1 << 17, 1 << 19, 1 << 21]
MOST_GROWTH = 3.0  # quadratic work would grow 16 times


def seconds_of(call, text):
    """Measure the CPU time of a call, the least of three."""
    found = []
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        call(text)
        found.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - start)
    return max(min(found), 1e-6)


def main():
    """Print nanoseconds a character, and fail where they grow with the length."""
    known = ["ab cd", "none", "eé", *KINDS.values(), "word"]
    words = [f"w{i:06}" for i in range(LENGTHS[-1] // 8)]
    ranker = LexicalRanker(prefix=True, correct_spelling=True)
    # Rare words first: the bounds on what each adds to a score fall.
    texts = [" ".join(words[len(words) // i :]) for i in range(2, 50)]
    ranker.fit([], [], label_texts=LabelTexts(dict(enumerate([*known, *texts]))))
    completer = PopularCompleter().fit(None, [*known, "ab cd ab"])
    calls = {
        "words": WordNgramTfidf(ngram_range=(1, 3)).fit(known).transform_one,
        "characters": CharNgramTfidf().fit(known).transform_one,
        "prefixes": PrefixWeightedCharTfidf().fit(known).transform_one,
        "complete": completer.complete,
        "rank": ranker.rank_one,
    }
    pieces = KINDS | {"different words": " ".join(words) + " "}
    grown = []
    for name, call in calls.items():
        for kind, piece in pieces.items():
            per_character = []
            for length in LENGTHS:
                text = (piece * (length // len(piece) + 1))[:length]
                per_character.append(1e9 * seconds_of(call, text) / length)
            print(name, kind, " ".join(f"{one:.1f}" for one in per_character))
            if per_character[-1] > MOST_GROWTH * max(per_character[0], 5.0):
                grown.append(f"{name}, {kind}: {per_character}")
    if grown:
        sys.exit("\n".join(grown))


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"{time.monotonic() - start:.0f} s in all; nanoseconds a character")
