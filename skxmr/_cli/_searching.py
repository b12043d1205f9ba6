"""``skxmr search``."""

import json

from skxmr._cli._models import part_of
from skxmr._cli._prompt import asked

__all__ = ["run"]


def run(options):
    """Print the labels of texts."""
    retriever = part_of(
        options.model, "retriever", "it was trained on features: use skxmr evaluate"
    )
    for text in asked(options.text, "text"):
        found = retriever.search(text, k=options.k)
        if options.json:
            results = [result._asdict() for result in found]
            print(json.dumps({"text": text, "results": results}, ensure_ascii=False))
        else:
            _print(found, _correction(retriever, text))
            if options.explain and found:
                print(retriever.explain(text, found[0].label))


def _print(found, correction):
    for label, name, score in found:
        line = f"{score:.4f}\t{label}"
        print(line if name in (None, "", label) else f"{line}\t{name}", flush=True)
    if not found:
        hint = "" if correction is None else f" Did you mean {correction!r}?"
        print(f"Nothing found.{hint}", flush=True)


def _correction(retriever, text):
    if getattr(retriever, "lexical_ranker_", None) is None:
        return None
    return retriever.did_you_mean(text)
