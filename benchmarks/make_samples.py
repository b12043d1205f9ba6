"""Makes the two samples that ship in ``skxmr/datasets/data`` from the full data sets.

The environment variable ``SKXMR_DATA`` names the folder of the full sets, laid out as
`skxmr.datasets.load_full` reads it. The split into training and test rows is the
full sets' own, the rows keep their (shuffled) order, and nothing is drawn at random:
the same source gives the same samples.
"""

import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np

N_SUBJECTS = 5_000
LONGEST_TITLE = 150  # characters; the few longer texts are abstracts
N_PLACES = 10_000
POPULATION = 4  # column of places/labels.tsv.gz

OUTPUT = Path(__file__).parents[1] / "skxmr" / "data"


def read(folder, name):
    """Split the lines of a file at its tabs."""
    text = gzip.decompress((folder / f"{name}.tsv.gz").read_bytes()).decode("utf-8")
    return [line.split("\t") for line in text.rstrip("\n").split("\n")]


def write(name, rows):
    """Write rows as gzipped lines, without a time: equal rows give equal bytes."""
    text = "".join("\t".join(row) + "\n" for row in rows).encode("utf-8")
    path = OUTPUT / f"{name}.tsv.gz"
    path.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    print(f"{path.name}: {len(rows):,} rows, {path.stat().st_size:,} bytes")


def ids_of(row):
    return row[1].split()


def sample_subjects(source):
    """Titles all of whose subjects are among those with the most training titles."""
    train, test, labels = (read(source, name) for name in ("train", "test", "labels"))
    counts = Counter(label for row in train for label in ids_of(row))
    frequent = {label for label, _ in counts.most_common(N_SUBJECTS)}
    train = [
        row
        for row in train
        if len(row[0]) <= LONGEST_TITLE and frequent.issuperset(ids_of(row))
    ]
    trained = {label for row in train for label in ids_of(row)}
    test = [
        row
        for row in test
        if len(row[0]) <= LONGEST_TITLE and trained.issuperset(ids_of(row))
    ]
    return train, test, [row for row in labels if row[0] in trained]


def sample_places(source):
    """Select the names of the most populous places."""
    train, test, labels = (read(source, name) for name in ("train", "test", "labels"))
    by_size = sorted(labels, key=lambda row: -int(row[POPULATION]))
    large = {row[0] for row in by_size[:N_PLACES]}

    def restrict(rows):
        kept = ([name, [i for i in ids.split() if i in large]] for name, ids in rows)
        return [[name, " ".join(ids)] for name, ids in kept if ids]

    return restrict(train), restrict(test), [row for row in labels if row[0] in large]


def report(name, train, test, labels):
    per_row = np.array([len(ids_of(row)) for row in train])
    trained = Counter(label for row in train for label in ids_of(row))
    print(
        f"{name}: {len(train):,} training and {len(test):,} test rows, "
        f"{len(labels):,} labels ({len(trained):,} of them in training rows, "
        f"median {np.median(list(trained.values())):.0f} rows each), "
        f"{per_row.mean():.2f} labels a row, at most {per_row.max()}"
    )


def main():
    source = Path(os.environ["SKXMR_DATA"])
    for name, sample in (("subjects", sample_subjects), ("places", sample_places)):
        train, test, labels = sample(source / name)
        report(name, train, test, labels)
        rows = [["train", *row] for row in train] + [["test", *row] for row in test]
        write(name, rows)
        write(f"{name}_labels", labels)


if __name__ == "__main__":
    main()
