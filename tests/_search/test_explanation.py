"""What an explanation adds up to is what a search gives."""

from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from skxmr import KMeansTree, TextRetriever, XRLinearClassifier
from skxmr.persistence import load, save

WORDS = [
    "red",
    "green",
    "blue",
    "apple",
    "pear",
    "plum",
    "phone",
    "case",
    "cable",
    "cover",
    "small",
    "large",
]


def make_texts(n_texts=300, n_labels=30, seed=0):
    random = np.random.RandomState(seed)
    of_label = [random.choice(len(WORDS), 3, replace=False) for _ in range(n_labels)]
    labels = random.randint(n_labels, size=n_texts)
    texts = [" ".join(WORDS[word] for word in of_label[label]) for label in labels]
    names = [" ".join(WORDS[word] for word in words) for words in of_label]
    return texts, labels, names


TEXTS, LABELS, NAMES = make_texts()
Y = sparse.csr_array((np.ones(300), (np.arange(300), LABELS)), shape=(300, 30))


def make_retriever(**parameters):
    classifier = XRLinearClassifier(
        KMeansTree(3, 4), beam_width=None, random_state=0, **parameters
    )
    return TextRetriever(classifier=classifier, fusion=None)


RETRIEVERS = {
    "indicator": make_retriever(),
    "classes": make_retriever(),
    "sigmoid": make_retriever(loss="log_loss", score_transform="sigmoid"),
    "l1-hinge": make_retriever(score_transform="l1-hinge"),
    "half precision": make_retriever(weight_precision="float16"),
    "other vectorizer": TextRetriever(
        TfidfVectorizer(), XRLinearClassifier(beam_width=None, random_state=0)
    ),
}


@cache
def fitted(kind):
    if kind == "classes":
        return RETRIEVERS[kind].fit(TEXTS, [f"label {i:02d}" for i in LABELS])
    label_texts = NAMES if kind == "indicator" else None
    return RETRIEVERS[kind].fit(TEXTS, Y, label_texts=label_texts)


@pytest.mark.parametrize("kind", RETRIEVERS)
@pytest.mark.parametrize("text", ["red apple case", "small phone", "", "unheard of"])
def test_scores_are_those_of_a_search(kind, text):
    retriever = fitted(kind)
    found = retriever.search(text, k=30)
    # A text without a known term finds nothing.
    assert bool(found) == bool(retriever.vectorizer_.transform([text]).nnz)
    for label, name, score in found:
        explained = retriever.explain(text, label)
        assert explained.label == label
        assert explained.name == name
        assert explained.score == pytest.approx(score, rel=1e-5, abs=1e-30)


@pytest.mark.parametrize("kind", RETRIEVERS)
def test_terms_add_up_to_margins_and_scores_to_products(kind):
    retriever = fitted(kind)
    text = "green pear cover"
    label = retriever.search(text, k=1)[0][0]
    explained = retriever.explain(text, label)
    names = retriever.vectorizer_.get_feature_names_out()
    row = retriever.vectorizer_.transform([text])
    product = 1.0
    for level, node in enumerate(explained.path, start=1):
        assert node.level == level
        product *= node.score
        assert node.path_score == pytest.approx(product)
        total = node.intercept
        for term in node.terms:
            assert term.name == names[term.feature]
            assert term.value == pytest.approx(row[0, term.feature])
            total += term.value * term.weight
        assert node.margin == pytest.approx(total)
        influence = [abs(term.product) for term in node.terms]
        assert influence == sorted(influence, reverse=True)
    sizes = [node.n_labels for node in explained.path]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


@pytest.mark.parametrize("kind", RETRIEVERS)
def test_a_mapped_model_explains_without_arrays_of_all_nodes(kind, tmp_path):
    retriever = fitted(kind)
    save(retriever, tmp_path / "model")
    mapped = load(tmp_path / "model", mmap_mode="r")
    text = "green pear cover"
    for label, _, _ in retriever.search(text, k=30):
        assert mapped.explain(text, label) == retriever.explain(text, label)
    assert "label_nodes" not in vars(mapped.classifier_.layouts_[0])


def test_an_explanation_reads_well():
    shown = str(fitted("indicator").explain("red apple case", int(LABELS[0])))
    lines = shown.splitlines()
    assert NAMES[LABELS[0]] in lines[0]
    assert lines[1].startswith("level 1, ")
    assert any("intercept" in line for line in lines)
    many = fitted("indicator").explain(" ".join(WORDS), int(LABELS[0]))
    assert " more" in str(many)


def test_each_tree_explains_itself():
    retriever = make_retriever(n_trees=2).fit(TEXTS, Y)
    (label, _, score), *_ = retriever.search("blue cable small", 1)
    scores = [
        retriever.explain("blue cable small", label, tree=tree).score for tree in (0, 1)
    ]
    assert np.mean(scores) == pytest.approx(score, rel=1e-5)
    with pytest.raises(ValueError, match="tree=2; expected a number from 0 to 1"):
        retriever.explain("x", 0, tree=2)


def test_few_of_very_many_features():
    # Then the layout lists the features that it uses.
    vectorizer = TfidfVectorizer(vocabulary=[f"w{i:06d}" for i in range(300_000)])
    texts = [f"w{i % 7:06d} w{299_990 + i % 5:06d}" for i in range(60)]
    labels = [i % 12 for i in range(60)]
    retriever = TextRetriever(
        vectorizer, XRLinearClassifier(KMeansTree(2, 2), random_state=0)
    ).fit(texts, labels)
    assert len(retriever.classifier_.layouts_[0].by_feature.kept_features)
    for label, _, score in retriever.search(texts[3] + " w100000", 5):
        explained = retriever.explain(texts[3] + " w100000", label)
        assert explained.score == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "label", "error", "message"),
    [
        (3, 0, TypeError, r"text\[0\] must be a str"),
        ("x", 30, ValueError, "label holds 30, which is no label"),
        ("x", "tea", ValueError, "label holds 'tea', which is no label"),
    ],
)
def test_bad_questions(text, label, error, message):
    with pytest.raises(error, match=message):
        fitted("indicator").explain(text, label)
