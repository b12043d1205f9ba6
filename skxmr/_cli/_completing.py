"""``skxmr complete``."""

import json

from skxmr._cli._models import part_of
from skxmr._cli._prompt import asked

__all__ = ["run"]


def run(options):
    """Print the completions of prefixes."""
    completer = part_of(
        options.model, "completer", "train one without --completions none"
    )
    for prefix in asked(options.text, "prefix"):
        found = completer.complete(prefix, options.previous, k=options.k)
        if options.json:
            results = [completion._asdict() for completion in found]
            answer = {"prefix": prefix, "completions": results}
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            for query, score in found:
                print(f"{score:.4f}\t{query}", flush=True)
