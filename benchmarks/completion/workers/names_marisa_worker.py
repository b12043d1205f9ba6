"""marisa-trie: all names with a prefix, of which the most frequent are kept."""

from heapq import nlargest
from pathlib import Path

import marisa_trie
import numpy as np
from names_common import run


class Marisa:
    def build(self, settings, names, counts):
        del settings
        self.trie = marisa_trie.Trie(names)
        by_id = np.zeros(len(names), dtype=np.int64)
        for name, count in zip(names, counts, strict=True):
            by_id[self.trie[name]] = count
        self.counts = by_id

    def save(self, folder):
        self.trie.save(str(Path(folder, "model.marisa")))
        np.save(Path(folder, "model-counts.npy"), self.counts)

    def load(self, folder):
        self.trie = marisa_trie.Trie().load(str(Path(folder, "model.marisa")))
        self.counts = np.load(Path(folder, "model-counts.npy"))

    def complete(self, prefix, k):
        counts, trie = self.counts, self.trie
        return nlargest(k, trie.iterkeys(prefix), key=lambda name: counts[trie[name]])


if __name__ == "__main__":
    run(Marisa)
