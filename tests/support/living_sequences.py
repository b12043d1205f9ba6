"""Random changes of a model that is saved, killed and loaded, against slow twins.

There are two twins. One is a dict of the labels: what the user calls each, its text,
and whether it was removed. The other is a model to which the same calls are applied one
after another, in one process, never compacted and never saved: what was compacted,
saved and loaded must give the same results, to the bit.

A kill ends a process that saves at a random point: before or after it syncs or renames
a file. The state after that must be the one of the last save that was complete, or of
the one that was killed.
"""

import copy
import functools
import os
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse

from skxmr import KMeansTree, LexicalRanker, TextRetriever, XRLinearClassifier
from skxmr._inputs._known_classes import known_classes
from skxmr.persistence import load, save, save_changes

KINDS = ["red", "green", "black", "sweet", "dry", "light"]
THINGS = ["tea", "bread", "coffee", "fish", "wine"]
NAMES = [f"{kind} {thing}" for kind in KINDS for thing in THINGS]
NEW_WORDS = ["oolong", "kefir", "rye", "sour-dough", "Öl", "taewan"]
QUERIES = ["red tea", "oolong", "sour dough bread", "taiwan kefir", "ol rye", "light"]
N_FEATURES = 12


def text_of(random):
    words = random.choice(KINDS + THINGS + NEW_WORDS, random.integers(0, 4))
    return " ".join(words.tolist())


def vectors_of(random, n):
    """Make rows of a few features each."""
    rows = random.random((n, N_FEATURES)) * (random.random((n, N_FEATURES)) < 0.3)
    return sparse.csr_array(rows.astype(np.float32))


class Retriever:
    """How sequences use a `TextRetriever`."""

    name_parameter = "label_texts"

    @staticmethod
    @functools.cache
    def fitted():
        classifier = XRLinearClassifier(KMeansTree(4, 4), beam_width=3, random_state=0)
        target = sparse.csr_array(np.eye(len(NAMES), dtype=np.int8))
        queries = [" ".join(name.split()[::-1]) for name in NAMES]
        retriever = TextRetriever(classifier=classifier, random_state=0)
        return retriever.fit(queries, target, label_texts=NAMES)

    @staticmethod
    def added(random, n):
        return [text_of(random) for _ in range(n)]

    learned = added

    @staticmethod
    def results(model):
        return *model.search_batch(QUERIES, k=7), model.predict_proba(QUERIES)

    @staticmethod
    def names(model):
        return list(model.label_texts_)


class Lexical(Retriever):
    """How sequences use a `LexicalRanker`."""

    @staticmethod
    @functools.cache
    def fitted():
        nothing = sparse.csr_array((0, len(NAMES)), dtype=np.int8)
        ranker = LexicalRanker(["word", "char"], correct_spelling=True)
        return ranker.fit([], nothing, label_texts=NAMES)

    @staticmethod
    def results(model):
        return *model.rank(QUERIES, 7), model.predict_proba(QUERIES)

    @staticmethod
    def names(model):
        return None


class Classifier(Lexical):
    """How sequences use an `XRLinearClassifier`."""

    @staticmethod
    @functools.cache
    def fitted():
        random = np.random.default_rng(0)
        X = vectors_of(random, 200)
        Y = sparse.csr_array(np.eye(len(NAMES), dtype=np.int8)[np.arange(200) % 30])
        classifier = XRLinearClassifier(KMeansTree(3, 3), beam_width=3, random_state=0)
        return classifier.fit(X, Y)

    added = staticmethod(vectors_of)
    learned = staticmethod(vectors_of)

    @staticmethod
    def results(model):
        X = vectors_of(np.random.default_rng(1), 6)
        return *model.rank(X, 7), model.predict_proba(X)


MODELS = {"retriever": Retriever, "lexical": Lexical, "classifier": Classifier}


class Labels:
    """The labels that a model ever had: the text and whether it remains, by column."""

    def __init__(self, texts):
        self.texts = list(texts)
        self.removed = set()

    @property
    def alive(self):
        return sorted(set(range(len(self.texts))) - self.removed)


class Sequence:
    """A random sequence of calls.

    Parameters
    ----------
    kind : str
        One of `MODELS`.
    seed : int
    folder : Path
        Exists and is empty.
    """

    def __init__(self, kind, seed, folder):
        self.how = MODELS[kind]
        self.folder = Path(folder)
        self.random = np.random.default_rng(seed)
        self.model = copy.copy(self.how.fitted())
        # The twins after each change.
        self.history = [(copy.copy(self.model), Labels(NAMES))]
        # The twins of each version.
        self.saved = {}
        self.version = 0
        self.calls = []

    def run(self, n_calls=10):
        """Make the calls; raise AssertionError where model and twins differ."""
        self.save()
        weights = {
            self.add: 4,
            self.remove: 3,
            self.learn: 1,
            self.compact: 1,
            self.save: 1,
            self.save_changes: 4,
            self.load: 2,
            self.kill: 2,
            self.go_back: 1,
        }
        chances = np.array(list(weights.values())) / sum(weights.values())
        for index in self.random.choice(len(weights), n_calls, p=chances).tolist():
            call = list(weights)[index]
            self.calls.append(call.__name__)
            call()
        self.check()

    # Changes, of the model and of the twins

    def add(self):
        added = self.how.added(self.random, int(self.random.integers(0, 4)))
        n_added = added.shape[0] if sparse.issparse(added) else len(added)
        texts = [""] * n_added if sparse.issparse(added) else added
        reference, labels = self._twins()
        expected = list(range(len(labels.texts), len(labels.texts) + n_added))
        labels.texts += texts
        for model in (self.model, reference):
            assert model.add_labels(added).tolist() == expected

    def remove(self):
        reference, labels = self._twins()
        n_removed = min(int(self.random.integers(0, 5)), len(labels.alive) - 1)
        columns = self.random.choice(labels.alive, n_removed, replace=False)
        labels.removed |= set(columns.tolist())
        for model in (self.model, reference):
            model.remove_labels(columns)

    def learn(self):
        reference, labels = self._twins()
        rows = self.how.learned(self.random, 2)
        n_new = int(self.random.integers(0, 2))
        columns = self.random.choice(labels.alive, 2)
        if n_new:
            columns[0] = len(labels.texts)
        labels.texts += [""] * n_new
        y = sparse.csr_array(np.eye(len(labels.texts), dtype=np.int8)[columns])
        for model in (self.model, reference):
            model.partial_fit(rows, y)

    def _twins(self):
        """Append copies of the twins, which are then changed."""
        reference, labels = self.history[-1]
        twins = copy.copy(reference), copy.deepcopy(labels)
        self.history.append(twins)
        return twins

    # What changes no result

    def compact(self):
        self.model.compact()

    def save(self):
        save(self.model, self.folder)
        self.version = self._last_version()
        self.saved[self.version] = list(self.history)

    def save_changes(self):
        save_changes(self.model, self.folder)
        self.saved[self.version] = list(self.history)

    # Ends of the process

    def load(self):
        """Start again from what was saved."""
        how = self.random.choice(["r", "whole"])
        self.model = load(self.folder, mmap_mode="r" if how == "r" else None)
        self.history = list(self.saved[self.version])
        self.check()

    def kill(self):
        """Kill a process that saves, and start again."""
        saving = self.random.choice([save, save_changes])
        before, now = self.saved[self.version], list(self.history)
        if hasattr(os, "fork"):
            _run_and_kill(saving, (self.model, self.folder), self.random.integers(8))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.model = load(self.folder)
        self.version = self._current_version()
        is_done = self.version not in self.saved or self._equals(self.history[-1])
        self.saved[self.version] = now if is_done else before
        self.history = list(self.saved[self.version])
        self.check()

    def go_back(self):
        """Replace the link by one to an earlier version, and start again."""
        self.version = int(self.random.choice(list(self.saved)))
        (self.folder / "new").symlink_to(f"{self.version:04}")
        (self.folder / "new").replace(self.folder / "current")
        self.load()

    def _last_version(self):
        return max(int(path.name) for path in self.folder.glob("[0-9]*"))

    def _current_version(self):
        return int((self.folder / "current").resolve().name)

    # Checks

    def _equals(self, twins):
        try:
            self._check(*twins)
        except AssertionError:
            return False
        return True

    def check(self):
        self._check(*self.history[-1])

    def _check(self, reference, labels):
        n_labels = len(labels.texts)
        assert self.model.classes_.tolist() == list(range(n_labels))
        # Answers alone do not tell: a removed label may be in none of them anyway.
        known = known_classes(self.model._state)
        assert known.removed.tolist() == sorted(labels.removed)
        names = self.how.names(self.model)
        assert names is None or names == labels.texts
        columns, scores, whole = self.how.results(self.model)
        found = set(columns[columns >= 0].tolist()) | set(whole.tocoo().col.tolist())
        assert found <= set(labels.alive)
        expected = self.how.results(reference)
        np.testing.assert_array_equal(columns, expected[0])
        np.testing.assert_array_equal(scores, expected[1])
        assert abs(whole - expected[2]).max() == 0


def _run_and_kill(saving, arguments, n_steps):
    """Run a function in another process that ends, without cleaning up, at a step."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    left = [n_steps]

    def counted(function):
        def counting(*args, **kwargs):
            if left[0] == 0:
                os._exit(1)
            left[0] -= 1
            return function(*args, **kwargs)

        return counting

    try:
        os.fsync = counted(counted(os.fsync))
        for name in ("replace", "rename", "symlink_to", "unlink"):
            setattr(Path, name, counted(getattr(Path, name)))
        saving(*arguments)
    finally:
        os._exit(0)
