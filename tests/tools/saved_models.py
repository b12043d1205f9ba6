"""Models as release 0.1 saves them, made by ``python tests/tools/saved_models.py``.

Run it once for a release, when the layout of models is final; `test_saved_models.py`
then holds every later version to these files and the answers beside them.
"""

import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import skops.io
from scipy import sparse

from skxmr import (
    KMeansTree,
    LexicalRanker,
    QueryCompleter,
    TextRetriever,
    XRLinearClassifier,
)
from skxmr.persistence import TRUSTED_TYPES

FOLDER = Path(__file__).parents[1] / "data" / "saved-0.1"
KINDS = ("sparse", "dense", "retriever", "lexical", "completer")

N_LABELS = 30
COLUMNS = (np.arange(240)[:, np.newaxis] * np.array([1, 3, 7])) % 40
TEXTS = [" ".join(f"word{column}" for column in row) for row in COLUMNS.tolist()]


def features():
    """Make rows from integers: the same for every version of NumPy."""
    rows = np.repeat(np.arange(240), 3)
    values = (1 + rows % 3).astype(np.float32) / 2
    X = sparse.coo_array((values, (rows, COLUMNS.ravel())), shape=(240, 40)).tocsr()
    X.sum_duplicates()
    return X


def target():
    """Make an indicator of one or two labels a row."""
    rows = np.arange(240)
    labels = np.concatenate([rows % N_LABELS, (rows * 7) % N_LABELS])
    Y = sparse.csr_array((np.ones(480), (np.tile(rows, 2), labels)), (240, N_LABELS))
    return sparse.csr_array(Y > 0, dtype=np.int32)


def make(kind):
    """Fit one of the models."""
    classifier = XRLinearClassifier(KMeansTree(4, 4), random_state=0)
    if kind == "sparse":
        return classifier.fit(features(), target())
    if kind == "dense":
        return classifier.fit(features().toarray() + np.float32(0.25), target())
    if kind == "retriever":
        names = [f"name {label}" for label in range(N_LABELS)]
        return TextRetriever(classifier=classifier).fit(
            TEXTS, target(), label_texts=names
        )
    if kind == "lexical":
        names = [(f"name {label}", f"word{label}") for label in range(N_LABELS)]
        ranker = LexicalRanker(["word", "char"], correct_spelling=True, prefix=True)
        return ranker.fit(TEXTS, target(), label_texts=names)
    return QueryCompleter(random_state=0).fit([*TEXTS[1:], None], TEXTS)


def answers(kind, model):
    """List what a model answers: pairs of a label, or a query, and its score."""
    if kind == "completer":
        return [model.complete(typed, TEXTS[5], 4) for typed in ("", "word1", "word3")]
    if kind == "retriever":
        return [
            [(name, score) for _, name, score in model.search(text, 4)]
            for text in TEXTS[:3]
        ]
    X = features()[:3]
    if kind == "dense":
        X = X.toarray() + np.float32(0.25)
    if kind == "lexical":
        X = [TEXTS[5], "wrod12 name", "nam 7"]
    columns, scores = model.rank(X, 4)
    return [
        list(zip(*row, strict=True))
        for row in zip(columns.tolist(), scores.tolist(), strict=True)
    ]


def load(path):
    """Load a file by what its name ends in."""
    if path.suffix == ".skops":
        return skops.io.load(path, trusted=TRUSTED_TYPES)
    if path.suffix == ".joblib":
        return joblib.load(path)
    return pickle.loads(path.read_bytes())


def main():
    """Save all models in three ways, and their answers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {}
    for kind in KINDS:
        model = make(kind)
        found[kind] = answers(kind, model)
        joblib.dump(model, FOLDER / f"{kind}.joblib", compress=3)
        skops.io.dump(model, FOLDER / f"{kind}.skops", compression=8, compresslevel=9)
        (FOLDER / f"{kind}.pickle").write_bytes(pickle.dumps(model, protocol=5))
    (FOLDER / "answers.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
