"""A sorted list of names: what many would write themselves."""

import pickle
from bisect import bisect_left
from heapq import nlargest
from pathlib import Path

from names_common import run

LAST_CHARACTER = chr(0x10FFFF)


class SortedList:
    def build(self, settings, names, counts):
        del settings
        self.names, self.counts = names, counts

    def save(self, folder):
        with Path(folder, "model.pickle").open("wb") as file:
            pickle.dump((self.names, self.counts), file, protocol=5)

    def load(self, folder):
        with Path(folder, "model.pickle").open("rb") as file:
            self.names, self.counts = pickle.load(file)

    def complete(self, prefix, k):
        start = bisect_left(self.names, prefix)
        stop = bisect_left(self.names, prefix + LAST_CHARACTER, lo=start)
        best = nlargest(k, range(start, stop), key=self.counts.__getitem__)
        return [self.names[i] for i in best]


if __name__ == "__main__":
    run(SortedList)
