"""skxmr's completer of names."""

import pickle
from pathlib import Path

from names_common import run

from skxmr import QueryCompleter


class Skxmr:
    def build(self, settings, names, counts):
        counted = dict(zip(names, counts, strict=True))
        self.completer = QueryCompleter(**settings).fit(counted)

    def save(self, folder):
        with Path(folder, "model.pickle").open("wb") as file:
            pickle.dump(self.completer, file, protocol=5)

    def load(self, folder):
        with Path(folder, "model.pickle").open("rb") as file:
            self.completer = pickle.load(file)

    def complete(self, prefix, k):
        return [query for query, _ in self.completer.complete(prefix, k=k)]

    def without(self, blocked):
        allowed = self.completer.subset(excluded=blocked)
        complete = self.completer.complete
        return lambda prefix, k: [
            query for query, _ in complete(prefix, k=k, allowed=allowed)
        ]

    def updates(self):
        completer, names = self.completer, self.completer.queries_

        def click(i):
            completer.partial_fit([names[3 * i]], [names[100 + 7 * i]])

        def new_one(i):
            completer.partial_fit([names[i]], [f"a new name {i}"])

        def many(i):
            completer.add(
                [f"another {i} name {j * 7919 % 10_000}" for j in range(10_000)]
            )

        def remove(i):
            completer.remove(names[1000 * i : 1000 * i + 500])

        return [
            ("a click", click),
            ("a new name", new_one),
            ("10,000 new names", many),
            ("500 removed", remove),
        ]


if __name__ == "__main__":
    run(Skxmr)
