"""The models behind the page."""

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Self

import joblib

from skxmr._files import replacing
from skxmr._version import __version__
from skxmr.completion import QueryCompleter
from skxmr.retrieval import TextRetriever

__all__ = ["Catalogue", "pairs_of_terms"]


@dataclass(frozen=True)
class Catalogue:
    """What the page asks: how a text might go on, and what it finds.

    Parameters
    ----------
    completer : object with `complete(prefix, previous, k)`
        Such as a fitted `QueryCompleter`.
    retriever : object with `search(text, k)`
        Such as a fitted `TextRetriever`.
    k : int, default=10
        The most completions and answers to give.

    See Also
    --------
    DemoServer : Serves it.

    Examples
    --------
    >>> from skxmr import QueryCompleter, TextRetriever
    >>> from skxmr.demo import Catalogue
    >>> completer = QueryCompleter(random_state=0).fit(None, ["tea", "toast"])
    >>> retriever = TextRetriever().fit(["green tea", "rye bread"], ["tea", "bread"])
    >>> catalogue = Catalogue(completer, retriever, k=1)
    >>> [query for query, _ in catalogue.complete("to", previous=[])]
    ['toast']
    >>> [label for label, _, _ in catalogue.search("green tea")]
    ['tea']
    """

    completer: Any
    retriever: Any
    k: int = 10

    @classmethod
    def train(cls, records: Any) -> Self:
        """Train both models on texts and their terms.

        Who searched for a term may well search next for another term of the same text:
        such pairs stand in for the log that a search engine has.

        Parameters
        ----------
        records : Bunch with `data`, `target` and `target_names`
            As `load_subjects` returns it.

        Returns
        -------
        Catalogue
            Of the trained models.
        """
        names = list(records.target_names)
        completer = QueryCompleter(random_state=0)
        completer.fit(*pairs_of_terms(records.target, names))
        retriever = TextRetriever()
        retriever.fit(records.data, records.target, label_texts=names)
        return cls(completer, retriever)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load models from a file.

        That can run code which the file brings along: name only a file you trust.

        Parameters
        ----------
        path : Path
            What `save` wrote.

        Returns
        -------
        Catalogue
            Of the models.

        Raises
        ------
        ValueError
            If the file holds something else, or models of another version.
        """
        saved = joblib.load(path)
        if not isinstance(saved, dict) or saved.get("version") != __version__:
            raise ValueError(
                f"{path} holds no models of skxmr {__version__}; delete it, and they "
                f"are trained anew"
            )
        return cls(saved["completer"], saved["retriever"])

    def save(self, path: Path) -> None:
        """Save the models to a file, whole or not at all.

        Parameters
        ----------
        path : Path
            Where to; a file that is there is replaced.
        """
        models = {"completer": self.completer, "retriever": self.retriever}
        with replacing(path) as file:
            joblib.dump({"version": __version__, **models}, file)

    def complete(self, prefix: str, previous: list[str]) -> list[tuple[str, float]]:
        """Complete a query.

        Parameters
        ----------
        prefix : str
            What was typed.
        previous : list of str
            What was searched before, the last one last.

        Returns
        -------
        list of (str, float)
            Queries that go on from the prefix, and their scores, best first.
        """
        return self.completer.complete(prefix, previous, k=self.k)

    def search(self, text: str) -> list[tuple[Any, str | None, float]]:
        """Answer a query.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        list of (object, str or None, float)
            What it finds: label, name and score, best first.
        """
        return self.retriever.search(text, k=self.k)


def pairs_of_terms(target, names) -> tuple[list[str], list[str]]:
    """List what was searched before and what came next, as records suggest it.

    Parameters
    ----------
    target : sparse matrix of shape (n_records, n_terms)
        The terms of each record.
    names : sequence of str of shape (n_terms,)
        What the terms are called.

    Returns
    -------
    previous, queries : list of str
        Each name after nothing, once and once more for each of its records; and each
        two names of a record one after the other, in both orders.
    """
    pairs = [("", name) for name in names]
    for start, stop in zip(target.indptr, target.indptr[1:], strict=False):
        terms = [names[column] for column in target.indices[start:stop]]
        pairs += [("", term) for term in terms]
        pairs += permutations(terms, 2)
    previous, queries = zip(*pairs, strict=True)
    return list(previous), list(queries)
