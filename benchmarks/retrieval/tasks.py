"""What is retrieved: labels of texts, where the labels have texts of their own."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy.sparse as sp

from benchmarks.datasets import (
    TEXT_PROBLEMS,
    columns_of,
    indicator,
    read_table,
    texts_and_labels,
)
from benchmarks.features import word_trigrams, words_and_trigrams
from benchmarks.problem import Problem, canonical, save_problem
from benchmarks.retrieval.kinds import KIND_OF, infer_kind, words_of

# A tenth of the training rows, drawn at random, which all tuning is judged by.
VALIDATION_SHARE = 0.1
CATALOGUE = "catalogue"
# Between the fields of a label in one row; the files are tab-separated, so that no text
# has one.
FIELD_SEPARATOR = "\t"


@dataclass(frozen=True)
class Task:
    """Texts with their labels, to learn from and to judge by.

    Attributes
    ----------
    name : str
    texts, test_texts : list of str
    Y, Y_test : csr_array of shape (n_texts, n_labels), ones
    label_texts : list of list of str
        The fields of each label, its name first.
    kinds : list of str, or None
        The kind of each test text, of `benchmarks.retrieval.kinds.KINDS`.
    """

    name: str
    texts: list[str]
    Y: sp.csr_array
    test_texts: list[str]
    Y_test: sp.csr_array
    label_texts: list[list[str]]
    kinds: list[str] | None = None

    def cut(self, rows=None, queries=None):
        """Keep some of the rows and queries, drawn at random, and every label."""
        kept, judged = draw(len(self.texts), rows), draw(len(self.test_texts), queries)
        return replace(
            self,
            texts=[self.texts[row] for row in kept],
            Y=self.Y[kept],
            test_texts=[self.test_texts[row] for row in judged],
            Y_test=self.Y_test[judged],
            kinds=self.kinds and [self.kinds[row] for row in judged],
        )

    def cut_labels(self, n_labels):
        """Keep some labels, and the rows and queries whose labels are all kept.

        Up to half of them are labels of queries drawn at random, so that enough of
        these remain; the others are drawn from all.
        """
        rng, total = np.random.default_rng(0), self.Y.shape[1]
        of_queries = self.Y_test[rng.permutation(len(self.test_texts))].indices
        first = list(dict.fromkeys(of_queries.tolist()))[: n_labels // 2]
        order = [*first, *rng.permutation(total).tolist()]
        kept = np.sort(list(dict.fromkeys(order))[:n_labels])
        rows = _only_with(self.Y, kept)
        judged = _only_with(self.Y_test, kept)
        return replace(
            self,
            texts=[self.texts[row] for row in rows],
            Y=self.Y[rows][:, kept],
            test_texts=[self.test_texts[row] for row in judged],
            Y_test=self.Y_test[judged][:, kept],
            label_texts=[self.label_texts[label] for label in kept],
            kinds=self.kinds and [self.kinds[row] for row in judged],
        )

    def split_for_tuning(self):
        """The same task within the training rows: a part of them is the test."""
        order = np.random.default_rng(1).permutation(len(self.texts))
        cut = round(len(order) * VALIDATION_SHARE)
        test, train = np.sort(order[:cut]), np.sort(order[cut:])
        test_texts, Y_test = [self.texts[row] for row in test], self.Y[test]
        return replace(
            self,
            texts=[self.texts[row] for row in train],
            Y=self.Y[train],
            test_texts=test_texts,
            Y_test=Y_test,
            kinds=self.kinds and self._infer_kinds(test_texts, Y_test),
        )

    def _infer_kinds(self, texts, Y):
        """The kinds of texts that have one label each."""
        return [
            infer_kind(text, *self.label_texts[column])
            for text, column in zip(texts, Y.indices, strict=True)
        ]

    def with_label_rows(self, separator=" "):
        """One more row for each label, at the end: its fields, joined."""
        own = sp.eye_array(len(self.label_texts), dtype=self.Y.dtype, format="csr")
        joined = [separator.join(fields) for fields in self.label_texts]
        return replace(
            self,
            texts=[*self.texts, *joined],
            Y=sp.vstack([self.Y, own], format="csr"),
        )

    def describe(self):
        """Sizes, as they go into the report."""
        return {
            "train_rows": len(self.texts),
            "test_rows": len(self.test_texts),
            "labels": len(self.label_texts),
            "labels_per_row": self.Y.nnz / max(1, len(self.texts)),
        }


def _only_with(Y, labels):
    """The rows that have labels, and none but these."""
    is_other = np.ones(Y.shape[1])
    is_other[labels] = 0
    return np.flatnonzero((Y @ is_other == 0) & (np.diff(Y.indptr) > 0))


def draw(size, limit):
    """Some numbers below `size`, ascending: `limit` of them, or all."""
    if limit is None or limit >= size:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).permutation(size)[:limit])


def read_catalogue():
    """Package names and summaries, and queries of five kinds."""
    label_texts = read_table(CATALOGUE, "labels")
    column_of = {str(column): column for column in range(len(label_texts))}
    texts, labels = zip(*read_table(CATALOGUE, "train"), strict=True)
    queries = read_table(CATALOGUE, "test")
    # The file is sorted by kind; the first queries should be a sample of all.
    order = np.random.default_rng(0).permutation(len(queries))
    kinds, test_texts, test_labels, _ = zip(
        *(queries[row] for row in order), strict=True
    )
    return Task(
        CATALOGUE,
        list(texts),
        indicator([[label] for label in labels], column_of),
        list(test_texts),
        indicator([[label] for label in test_labels], column_of),
        label_texts,
        [KIND_OF[kind] for kind in kinds],
    )


def read_task(name):
    """The catalogue or one of `benchmarks.datasets.TEXT_PROBLEMS`, whole."""
    if name == CATALOGUE:
        return read_catalogue()
    text, labels, label_text = TEXT_PROBLEMS[name]
    column_of = columns_of(name)
    parts = []
    for part in ("train", "test"):
        texts, ids = texts_and_labels(name, part, text, labels)
        parts += [texts, indicator(ids, column_of)]
    label_texts = [[row[label_text]] for row in read_table(name, "labels")]
    return Task(name, *parts, label_texts)


def as_texts(task):
    """The texts as they are."""
    return task.texts, task.test_texts


def as_words(task):
    """Words in lower case, with spaces between them."""
    return tuple([" ".join(words_of(text)) for text in part] for part in as_texts(task))


def as_words_and_trigrams(task):
    """Words, and trigrams of characters with a mark before them, as more words."""
    return tuple(
        [
            " ".join(words_of(text) + ["~" + gram for gram in word_trigrams(text)])
            for text in part
        ]
        for part in as_texts(task)
    )


def as_matrices(task):
    """Words, pairs and trigrams of characters, weighed by scikit-learn."""
    return tuple(map(canonical, words_and_trigrams(*as_texts(task))))


FORMS = {
    "texts": as_texts,
    "fields": as_texts,
    "words": as_words,
    "words and trigrams": as_words_and_trigrams,
    "matrices": as_matrices,
}


def write(task, form, folder):
    """Put a task into a folder, in the form that a system reads.

    Returns
    -------
    float
        Seconds that the texts took to be brought into that form.
    """
    start = perf_counter()
    train, test = FORMS[form](task)
    seconds = perf_counter() - start
    problem = Problem(task.name, train, canonical(task.Y), test, canonical(task.Y_test))
    save_problem(problem, Path(folder))
    return seconds
