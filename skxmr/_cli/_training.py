"""``skxmr train``."""

import sys
import time
from contextlib import redirect_stdout
from itertools import permutations

from skxmr._cli._models import save_model
from skxmr._inputs._by_label import LabelTexts
from skxmr._row_files import format_of, read_label_texts, read_rows
from skxmr.completion._completer import QueryCompleter
from skxmr.datasets import load_xmc
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.retrieval._retriever import TextRetriever

__all__ = ["run"]


def run(options):
    """Train a model on a file, and save it."""
    say = _silent if options.quiet else _say
    if options.model.is_file():
        raise ValueError(f"--model {options.model} is a file; expected a folder.")
    start = time.perf_counter()
    is_xmc = format_of(options.rows, options.format) == "xmc"
    train = _train_on_features if is_xmc else _train_on_texts
    # The progress of the fits, too: stdout is for results.
    with redirect_stdout(sys.stderr):
        parts = train(options, say)
    say(f"Trained in {time.perf_counter() - start:.1f} s.")
    save_model(parts, options.model)
    say(f"Saved to {options.model}; try: skxmr search {options.model}")


def _train_on_features(options, say):
    X, Y = load_xmc(options.rows)
    say(f"{X.shape[0]:,} rows of {X.shape[1]:,} features, {Y.shape[1]:,} labels.")
    return {"classifier": XRLinearClassifier(**_settings(options)).fit(X, Y)}


def _settings(options):
    """Return the parameters that all estimators take."""
    return {
        "n_jobs": options.jobs,
        "random_state": options.seed,
        "verbose": int(not options.quiet),
    }


def _train_on_texts(options, say):
    rows = read_rows(options)
    label_texts = None
    if options.label_texts is not None:
        label_texts = read_label_texts(options.label_texts)
    retriever = TextRetriever(**_settings(options))
    known = {label for labels in rows.labels for label in labels}
    say(f"{len(rows.texts):,} rows with {len(known):,} labels.")
    given = None if label_texts is None else LabelTexts(label_texts)
    retriever.fit(rows.texts, rows.labels, label_texts=given)
    parts = {"retriever": retriever}
    if options.completions != "none":
        completer = QueryCompleter(**_settings(options))
        queries = _queries(rows, options.completions, label_texts or {})
        parts["completer"] = completer.fit(*queries)
    return parts


def _queries(rows, kind, label_texts):
    """Return the previous query and the query of each example for a completer."""
    if kind == "texts":
        return None, rows.texts
    names = {label: texts[0] or label for label, texts in label_texts.items()}
    pairs = [("", name) for name in names.values()]
    for labels in rows.labels:
        of_row = [names.get(label, label) for label in dict.fromkeys(labels)]
        pairs += [("", name) for name in of_row]
        # Labels of the same row stand for consecutive queries.
        pairs += permutations(of_row[:_MOST_PAIRED], 2)
    previous, queries = zip(*pairs, strict=True)
    return list(previous), list(queries)


# Rows with many labels would have pairs of the square of their number.
_MOST_PAIRED = 10


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _silent(_):
    pass
