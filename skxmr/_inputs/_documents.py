"""Texts of documents: lists of str, or any iterable of them that is read once."""

from collections.abc import Iterable

from skxmr._inputs._columns import (
    InvalidInputError,
    as_list,
    is_missing,
    refuse_other_than_column,
)
from skxmr._utils._packed_texts import are_mapped

__all__ = ["check_documents", "check_documents_or_files", "iterate_documents"]

_EXPECTED = "an iterable of str, one per document"


def check_documents(documents, name="raw_documents"):
    """Convert an iterable of texts to a list of `str`.

    Parameters
    ----------
    documents : iterable of str
        An open text file has a text per line, without the end of the line.
    name : str, default="raw_documents"
        Name of the argument, for messages.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If `documents` is a single text or has more than one dimension.
    TypeError
        If it is not an iterable, or an item is not a `str`.
    InvalidInputError
        If a text is missing, or `documents` is a set or a mapping: a ValueError and a
        TypeError.
    """
    if _is_file(documents):
        return list(iterate_documents(documents, name))
    documents = as_list(documents, name, _EXPECTED)
    for position, document in enumerate(documents):
        if not isinstance(document, str):
            _refuse(document, position, name)
    return documents


def check_documents_or_files(documents, name):
    """Convert texts as `check_documents`, but leave those in files where they are.

    Returns
    -------
    list of str, or PackedTexts
        The latter if they are memory-mapped, from `skxmr.streaming.load_texts`.
    """
    return documents if are_mapped(documents) else check_documents(documents, name)


def iterate_documents(documents, name="raw_documents"):
    """Iterate over texts without having more than one of them in memory.

    Parameters
    ----------
    documents : iterable of str
        As for `check_documents`.
    name : str, default="raw_documents"
        Name of the argument, for messages.

    Returns
    -------
    iterator of str
        It raises errors of an item when this is reached.

    Raises
    ------
    ValueError, TypeError
        As `check_documents`.
    """
    refuse_other_than_column(documents, name, _EXPECTED)
    return _checked(documents, name)


def _checked(documents: Iterable, name):
    is_file = _is_file(documents)
    for position, item in enumerate(documents):
        document = item
        if type(item) is not str and hasattr(item, "as_py"):  # Arrow
            document = item.as_py()
        if not isinstance(document, str):
            _refuse(document, position, name)
        yield document.rstrip("\r\n") if is_file else document


def _is_file(documents):
    """Return whether it yields lines, with their ends, as open files do."""
    return hasattr(documents, "readline")


def _refuse(document, position, name):
    message = (
        f"{name}[{position}] must be a str; got {document!r:.50} of type "
        f"{type(document).__name__}"
    )
    if is_missing(document):
        raise InvalidInputError(f"{message}: the text is missing.")
    raise TypeError(f"{message}.")
