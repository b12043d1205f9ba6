"""Hostile texts: fitted on, transformed, searched for and completed."""

import random

import atheris
import numpy as np

from models import MODELS, TEXTS  # isort: skip
from skxmr import CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.text._normalization import Normalizer

PIECES = [
    "\x00",
    "\ud800",
    "\udfff",
    "\u0301" * 40,
    "\u202e\u05d0\u05d1",
    "\u0627\u0644",
    "\ufeff",
    "\u2028",
    "İ",
    "ß",
    "ﬁ",
    "a" * 300,
    "#" * 20,
    " \t\n\x0b\x85\u3000",
    "\U0001f469\u200d\U0001f680",
    "\U0010ffff",
    "word word",
    "none",
    "wörd1",
    "label 3",
]
SEEDS = [random.Random(i).randbytes(60) for i in range(300)]
RETRIEVER = MODELS["retriever"][0]
COMPLETERS = [MODELS[name][0] for name in ("completer", "fuzzy", "popular", "bigram")]
MOST_CHARACTERS = 600
MOSTLY = 224  # of 256 cases
KNOWN = [*TEXTS, *PIECES, "word words a b c"]
VECTORIZERS = [
    vectorizer.fit(KNOWN)
    for vectorizer in (
        WordNgramTfidf(ngram_range=(1, 3)),
        WordNgramTfidf(token_pattern=r"\b\w+\b", lowercase=False),
        WordNgramTfidf(stop_words="english"),
        CharNgramTfidf(ngram_range=(1, 4)),
        CharNgramTfidf(ngram_range=(3, 3), lowercase=False),
        PrefixWeightedCharTfidf(ngram_range=(1, 3)),
        PrefixWeightedCharTfidf(ngram_range=(2, 5), position="word"),
    )
]


def _text(provider):
    """Make a text of nasty pieces and of any characters, some many times."""
    parts = []
    for _ in range(provider.ConsumeIntInRange(0, 6)):
        if provider.ConsumeBool():
            piece = provider.PickValueInList(PIECES)
        else:
            piece = provider.ConsumeUnicode(provider.ConsumeIntInRange(0, 12))
        parts.append(piece * provider.PickValueInList([1, 1, 1, 2, 65, 130]))
    return "".join(parts)[:MOST_CHARACTERS]


def run(data):
    """Vectorise one text, as it is, mostly; else do one thing with made ones."""
    if data and data[0] < MOSTLY:
        vectorizer = VECTORIZERS[data[0] % len(VECTORIZERS)]
        _transform_one(vectorizer, data[1:].decode("utf-8", "surrogateescape"))
        return
    provider = atheris.FuzzedDataProvider(data)
    way = provider.ConsumeIntInRange(0, 31)
    if way > 6:
        _transform_one(provider.PickValueInList(VECTORIZERS), _text(provider))
        return
    texts = [_text(provider) for _ in range(provider.ConsumeIntInRange(1, 4))]
    if way < 3:
        _vectorise(way, texts, provider)
    elif way == 3:
        for text in texts:
            found = RETRIEVER.search(text, 4)
            assert len({label for label, *_ in found}) == len(found)
    elif way < 6:
        _complete(provider.PickValueInList(COMPLETERS), texts, provider)
    else:
        _learn(texts, provider)


def _transform_one(vectorizer, text):
    indices, values = vectorizer.transform_one(text)
    assert len(indices) == len(values)
    if len(indices):
        assert indices[0] >= 0
        assert indices[-1] < len(vectorizer._state.terms)
        assert (indices[1:] > indices[:-1]).all()
        assert 0.9999 < values @ values < 1.0001


def _vectorise(way, texts, provider):
    low = provider.ConsumeIntInRange(1, 3)
    ngram_range = low, low + provider.ConsumeIntInRange(0, 2)
    lowercase = provider.ConsumeBool()
    if way == 0:
        pattern = provider.PickValueInList([r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"])
        vectorizer = WordNgramTfidf(
            ngram_range=ngram_range, lowercase=lowercase, token_pattern=pattern
        )
    elif way == 1:
        vectorizer = CharNgramTfidf(ngram_range=ngram_range, lowercase=lowercase)
    else:
        position = provider.PickValueInList(["text", "word"])
        vectorizer = PrefixWeightedCharTfidf(
            ngram_range=ngram_range, lowercase=lowercase, position=position
        )
    try:
        X = vectorizer.fit_transform(texts)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        return
    X.check_format(full_check=True)
    assert (vectorizer.transform(texts) != X).nnz == 0
    norms = np.sqrt(X.multiply(X).sum(axis=1))
    assert (norms < 1.0001).all()
    for i, text in enumerate(texts):
        indices, values = vectorizer.transform_one(text)
        row = X[[i]]
        assert np.array_equal(indices, row.indices)
        assert np.array_equal(values, row.data)
    assert len(vectorizer.get_feature_names_out()) == X.shape[1]


def _complete(completer, texts, provider):
    typed, *before = texts
    if provider.ConsumeBool():
        # What goes wrong deep in a known query is seen only by its beginning.
        query = provider.PickValueInList(completer.queries_)
        typed = query[: provider.ConsumeIntInRange(0, len(query))] + typed[:2]
    found = completer.complete(typed, before, 5)
    _check(completer, found, typed)


def _check(completer, found, typed):
    queries = [query for query, _ in found]
    assert len(set(queries)) == len(queries)
    assert np.isfinite([score for _, score in found]).all()
    if getattr(completer, "match", "prefix") == "prefix":
        prefix = Normalizer().prefix(typed)
        ranges = completer.index_.find(prefix)
        assert len(found) == min(5, (ranges[:, 1] - ranges[:, 0]).sum())


def _learn(texts, provider):
    make = provider.PickValueInList([PopularCompleter, BigramCompleter])
    try:
        completer = make().fit([texts[-1], *texts[:-1]], texts)
    except ValueError as error:
        if "all of them blank" not in str(error):
            raise
        return
    for typed in ("", texts[0][:3], texts[-1]):
        _check(completer, completer.complete(typed, texts[-1], 5), typed)
