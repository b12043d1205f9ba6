"""fast-autocomplete: a graph of words in Python, here without edits."""

import json
from pathlib import Path

from fast_autocomplete import AutoComplete
from names_common import run


class FastAutocomplete:
    """It has no file format: the graph is built from the words each time."""

    def build(self, settings, names, counts):
        del settings
        self.counts = dict(zip(names, counts, strict=True))
        self.make()

    def make(self):
        words = {name: {"count": count} for name, count in self.counts.items()}
        characters = set("".join(words))
        self.graph = AutoComplete(words=words, valid_chars_for_string=characters)

    def save(self, folder):
        content = json.dumps(self.counts)
        Path(folder, "model.json").write_text(content, encoding="utf-8")

    def load(self, folder):
        content = Path(folder, "model.json").read_text(encoding="utf-8")
        self.counts = json.loads(content)
        self.make()

    def complete(self, prefix, k):
        found = self.graph.search(word=prefix, max_cost=0, size=k)
        return [words[0] for words in found if len(words) == 1]


if __name__ == "__main__":
    run(FastAutocomplete)
