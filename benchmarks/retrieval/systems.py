"""What is compared: each system with its settings and the form of its texts."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.jobs import SETTINGS
from benchmarks.systems import OWN, SYSTEMS, System, peer

OWN_SYSTEM = System(OWN, Path(__file__).resolve().parent / "own")
BM25 = peer("bm25s", "default")
TORCH = peer("torch", "default")
SMALL = ("products", "subjects")
ALL = ("products", "places", "subjects")
THREE = {"n_trees": 3}


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Attributes
    ----------
    system : System
        The code that drives it.
    form : str
        Of `benchmarks.retrieval.tasks.FORMS`: what it reads. The times of all but
        "texts" leave out how long the texts take to be brought into that form.
    settings : dict
        Added to `benchmarks.jobs.SETTINGS`.
    label_texts : bool
        Whether the labels' own texts are rows of training too.
    problems : tuple of str
        Where it is measured unless it is named on the command line.
    """

    system: System
    form: str
    settings: dict = field(default_factory=dict)
    label_texts: bool = True
    problems: tuple[str, ...] = ALL

    @property
    def layout(self):
        return self.system.layouts[0]

    def job_settings(self, n_labels, more):
        """What its worker is told."""
        label_rows = n_labels if self.label_texts else 0
        return SETTINGS | {"label_rows": label_rows} | self.settings | more


def retriever(label_texts=True, **settings):
    """skxmr's TextRetriever, as it comes but for the settings."""
    return Contender(OWN_SYSTEM, "texts", settings, label_texts)


def tree_peer(name, problems=ALL):
    """A peer with trees of labels: with and without label texts, and three trees."""
    system = SYSTEMS[name]
    return {
        name: Contender(system, "matrices", problems=problems),
        f"{name}, no label texts": Contender(
            system, "matrices", label_texts=False, problems=problems
        ),
        f"{name}, 3 trees": Contender(system, "matrices", THREE, problems=SMALL),
    }


def neural(problems=ALL, label_texts=True, **settings):
    return Contender(TORCH, "matrices", {"neural": settings}, label_texts, problems)


NEIGHBORS = {"kind": "neighbors", "n_neighbors": 10}
# The settings that validation rows of `products` chose; see the README.
TUNED = {"classifier": {}, "retriever": {}}

CONTENDERS = {
    "skxmr": retriever(),
    "skxmr, 3 trees": retriever(**THREE),
    "skxmr, tuned": retriever(**TUNED),
    "skxmr, no label texts": retriever(label_texts=False),
    "skxmr, words": retriever(family="words"),
    "skxmr, words and pairs": retriever(family="pairs"),
    "bm25": Contender(BM25, "words"),
    "bm25, trigrams": Contender(BM25, "words and trigrams"),
    "bm25, no label texts": Contender(BM25, "words", label_texts=False),
    "neighbors": Contender(OWN_SYSTEM, "texts", NEIGHBORS),
    "neighbors, no label texts": Contender(OWN_SYSTEM, "texts", NEIGHBORS, False),
    **tree_peer("pecos"),
    **tree_peer("omikuji"),
    **tree_peer("napkinxc"),
    "neural": neural(),
    "neural, no label texts": neural(SMALL, label_texts=False),
}
# What the ratios of the report are of.
LEXICAL = ("bm25", "bm25, trigrams", "neighbors")
NEURAL = ("neural", "neural, no label texts")
