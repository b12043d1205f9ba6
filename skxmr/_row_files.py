"""Files of texts and labels."""

import csv
import gzip
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

__all__ = ["FORMATS", "Rows", "format_of", "read_label_texts", "read_rows"]

FORMATS = ("tsv", "csv", "jsonl", "fasttext", "xmc")

_SUFFIXES = {
    ".tsv": "tsv",
    ".txt": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xmc": "xmc",
}
_FASTTEXT = "__label__"


class Rows(NamedTuple):
    """The rows of a file.

    Parameters
    ----------
    texts : list of str
    labels : list of list of str
        Those of each text.
    """

    texts: list
    labels: list


def format_of(path: Path, given: str | None) -> str:
    """Return the format of a file: as given, or by the end of its name.

    Raises
    ------
    ValueError
        If the name says nothing.
    """
    if given is not None:
        return given
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix != ".gz"]
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise ValueError(
            f"The name {path.name!r} does not tell the format; give --format, one of "
            f"{', '.join(FORMATS)}."
        )
    return found


def read_rows(options: Any) -> Rows:
    """Read the texts and labels of a file.

    Parameters
    ----------
    options : argparse.Namespace
        With `rows`, `format`, `text`, `labels` and `separator`.

    Returns
    -------
    Rows

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is invalid; the message has the number of the line.
    """
    path = options.rows
    read = _READERS[format_of(path, options.format)]
    texts, labels = [], []
    with _opened(path) as file:
        for number, (text, of_text) in read(file, path, options):
            if not isinstance(text, str):
                raise ValueError(f"{path}:{number}: the text is {text!r:.50}, no text.")
            texts.append(text)
            labels.append(_listed(of_text, options.separator, f"{path}:{number}"))
    if not texts:
        raise ValueError(f"{path} has no rows.")
    return Rows(texts, labels)


def read_label_texts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read lines of a label, a tab, and its text or several, separated by tabs."""
    texts: dict = {}
    with _opened(path) as file:
        for number, line in _lines(file):
            label, *of_label = line.split("\t")
            if not label.strip() or not of_label:
                raise ValueError(
                    f"{path}:{number}: expected a label, a tab and its text; got "
                    f"{line!r:.50}."
                )
            if label in texts:
                raise ValueError(f"{path}:{number}: the label {label!r:.50} again.")
            texts[label] = tuple(of_label)
    return texts


@contextmanager
def _opened(path) -> Iterator[IO[str]]:
    """Open a file of text, also a compressed one; name it if it is no text."""
    opened = gzip.open if path.suffix == ".gz" else open
    # "newline" as the csv module needs it; a byte-order mark is no text.
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: {error}.") from error
        except EOFError as error:
            raise ValueError(f"{path} ends early: {error}") from error


def _lines(file):
    for number, ended in enumerate(file, 1):
        line = ended.rstrip("\r\n")
        if line.strip():
            yield number, line


def _read_tsv(file, path, options):
    header = f"{options.text}\t{options.labels}"
    for number, line in _lines(file):
        if number == 1 and line == header:
            continue  # as a spreadsheet or a data frame exports it
        text, tab, labels = line.partition("\t")
        if not tab:
            raise ValueError(
                f"{path}:{number}: expected text, a tab and labels; got {line!r:.50}."
            )
        yield number, (text, labels)


def _read_csv(file, path, options):
    header = next(file, "")
    lines = itertools.chain([header], file)
    reader = csv.DictReader(lines, strict=True, delimiter=_delimiter_of(header))
    try:
        known = reader.fieldnames or []
        for name, option in ((options.text, "text"), (options.labels, "labels")):
            if name not in known:
                raise ValueError(
                    f"{path} has no column {name!r}; give --{option}, one of "
                    f"{', '.join(map(repr, known))}."
                )
        for row in reader:
            if row[options.labels] is None or None in row:
                raise ValueError(
                    f"{path}:{reader.line_num}: expected {len(known)} fields, as in "
                    f"the header."
                )
            yield reader.line_num, (row[options.text], row[options.labels])
    except csv.Error as error:
        number = reader.reader.line_num  # that of `reader` is of the row before
        raise ValueError(f"{path}:{number}: {error}.") from error


def _delimiter_of(header):
    """Return ";", as spreadsheets write where "," is the decimal sign, or ","."""
    return ";" if ";" in header and "," not in header else ","


def _read_jsonl(file, path, options):
    for number, line in _lines(file):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number} is not JSON: {error}.") from error
        names = options.text, options.labels
        if not isinstance(row, dict) or not row.keys() >= set(names):
            raise ValueError(
                f"{path}:{number}: expected an object with {names[0]!r} and "
                f"{names[1]!r}; got {line!r:.50}."
            )
        yield number, (row[names[0]], row[names[1]])


def _read_fasttext(file, path, _):
    for number, line in _lines(file):
        words = line.split()
        labels = [word for word in words if word.startswith(_FASTTEXT)]
        if not labels:
            raise ValueError(
                f"{path}:{number}: expected words that start with {_FASTTEXT}; got "
                f"{line!r:.50}."
            )
        text = " ".join(word for word in words if not word.startswith(_FASTTEXT))
        yield number, (text, [label.removeprefix(_FASTTEXT) for label in labels])


def _listed(labels, separator, where):
    """Return the labels of a row as a list of str."""
    if isinstance(labels, str):
        parts = labels.split(separator or None)
        return [part.strip() for part in parts if part.strip()]
    labels = labels if isinstance(labels, list) else [labels]
    for label in labels:
        if not isinstance(label, (str, int)) or isinstance(label, bool):
            raise ValueError(f"{where}: the label {label!r:.50} is no text or number.")
    return list(map(str, labels))


_READERS = {
    "tsv": _read_tsv,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "fasttext": _read_fasttext,
}
