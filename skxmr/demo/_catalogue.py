"""The models behind the page."""

from dataclasses import dataclass, fields
from itertools import permutations
from pathlib import Path
from typing import Any, Self

import joblib

from skxmr._utils._files import replacing
from skxmr._version import __version__
from skxmr.completion._completer import QueryCompleter
from skxmr.retrieval._retriever import TextRetriever

__all__ = ["Catalogue", "pairs_of_terms"]

# Less than one in a hundred of the test titles' answers below it is relevant, and only
# one title in a thousand has no others.
_MIN_SCORE = 0.01

# With fewer different texts it is not learned how much words of names are worth beside
# the model, and a tag would be missed that stands in no text.
_FEWEST_TEXTS = 2000

# Characters of an example: the page shows it whole.
_LONGEST_EXAMPLE = 80


@dataclass(frozen=True)
class Catalogue:
    """The models behind the demo page: a query completer and a retriever.

    Parameters
    ----------
    completer : object with `complete(prefix, previous, k)`
        Such as a fitted `QueryCompleter`.
    retriever : object with `search(text, k)`
        Such as a fitted `TextRetriever`.
    k : int, default=10
        Maximum number of completions, and of search results.
    min_score : float, default=0.0
        Search results with a lower score are left out. If it is positive, the
        retriever's `search` must take it as a keyword argument.
    title : str, default=""
        The title of the page; without one, the page is that of the bundled subjects.
    examples : tuple of str, default=()
        Texts to try, which the page offers.

    See Also
    --------
    application : Makes a web application of it.

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
    min_score: float = 0.0
    title: str = ""
    examples: tuple = ()

    @classmethod
    def of_rows(cls, texts: list[str], labels: list, title: str) -> Self:
        """Train both models on texts and the names of their labels.

        The completer suggests the names of labels, those of many texts first.

        Parameters
        ----------
        texts : list of str
            The training texts.
        labels : list of list of str
            The labels of each text.
        title : str
            The title of the page.

        Returns
        -------
        Catalogue
            The trained models, with three of the texts as examples.
        """
        names = [name for row in labels for name in row]
        completer = QueryCompleter(random_state=0).fit(names)
        retriever = TextRetriever(random_state=0)
        how: dict[str, Any] = {"title": title, "examples": _examples(texts)}
        if len(set(texts)) < _FEWEST_TEXTS:
            return cls(completer, retriever.fit(texts, labels), **how)
        # Names are searched too, and unknown words corrected.
        retriever.fit(texts, labels, label_texts={name: name for name in names})
        return cls(completer, retriever, min_score=_MIN_SCORE, **how)

    @classmethod
    def train(cls, records: Any) -> Self:
        """Train both models on texts and their terms.

        The completer learns from pairs of terms of the same text, in place of the
        consecutive queries of a search log.

        Parameters
        ----------
        records : Bunch with `data`, `target` and `target_names`
            As `load_subjects` returns it.

        Returns
        -------
        Catalogue
            The trained models, with a `min_score` of 0.01.
        """
        names = list(records.target_names)
        completer = QueryCompleter(random_state=0)
        completer.fit(*pairs_of_terms(records.target, names))
        retriever = TextRetriever()
        retriever.fit(records.data, records.target, label_texts=names)
        return cls(completer, retriever, min_score=_MIN_SCORE)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a catalogue from a file.

        Loading can execute code from the file: load only files that you trust.

        Parameters
        ----------
        path : Path
            A file that `save` wrote.

        Returns
        -------
        Catalogue
            The loaded models, with their `k` and `min_score`.

        Raises
        ------
        ValueError
            If the file contains something else, or models of another version.
        """
        try:
            saved = joblib.load(path)
        except (AttributeError, ImportError):  # classes that this version does not have
            saved = None
        names = [field.name for field in fields(cls)]
        is_known = isinstance(saved, dict) and saved.get("version") == __version__
        if not is_known or not saved.keys() >= set(names):
            raise ValueError(
                f"{path} does not contain models of skxmr {__version__}; delete it to "
                f"train them again"
            )
        return cls(**{name: saved[name] for name in names})

    def save(self, path: Path) -> None:
        """Save the catalogue to a file, atomically.

        Parameters
        ----------
        path : Path
            The file, replaced if it exists.
        """
        with replacing(path) as file:
            joblib.dump({"version": __version__, **vars(self)}, file)

    def complete(self, prefix: str, previous: list[str]) -> list[tuple[str, float]]:
        """Complete a query.

        Parameters
        ----------
        prefix : str
            The text typed so far.
        previous : list of str
            Previous queries, the latest last.

        Returns
        -------
        list of (str, float)
            Queries that complete the prefix, and their scores, best first.
        """
        return self.completer.complete(prefix, previous, k=self.k)

    def search(self, text: str) -> list[tuple[Any, str | None, float]]:
        """Search for a query.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        list of (object, str or None, float)
            Label, name and score of each result, best first; empty if nothing is
            found.
        """
        # A custom retriever may not have the argument.
        restricted = {"min_score": self.min_score} if self.min_score > 0 else {}
        return self.retriever.search(text, k=self.k, **restricted)

    def explain(self, text: str, position: int) -> str | None:
        """Explain the score of a search result.

        Parameters
        ----------
        text : str
            The query.
        position : int
            The position of the result among those of `search`, from 0.

        Returns
        -------
        str or None
            Several lines; None if there is no such result, or the retriever cannot.
        """
        found = self.search(text)
        if not (hasattr(self.retriever, "explain") and 0 <= position < len(found)):
            return None
        return str(self.retriever.explain(text, found[position][0]))

    def did_you_mean(self, text: str) -> str | None:
        """Correct the unknown words of a query.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        str or None
            The corrected query; None if there is nothing to correct, or the retriever
            cannot.
        """
        if not hasattr(self.retriever, "did_you_mean"):
            return None
        try:
            return self.retriever.did_you_mean(text)
        except ValueError:  # fitted without the texts of labels
            return None


def _examples(texts):
    """Return three different texts from the beginning, the middle and the end."""
    wanted = dict.fromkeys(text for text in texts if 0 < len(text) <= _LONGEST_EXAMPLE)
    short = list(wanted)
    places = sorted({0, len(short) // 2, len(short) - 1}) if short else []
    return tuple(short[place] for place in places)


def pairs_of_terms(target, names) -> tuple[list[str], list[str]]:
    """Make training pairs (previous query, next query) of the terms of records.

    Parameters
    ----------
    target : sparse matrix of shape (n_records, n_terms)
        Indicator of the terms of each record.
    names : sequence of str of shape (n_terms,)
        Names of the terms.

    Returns
    -------
    previous, queries : list of str
        Every name without a previous query, once and once more for each of its records;
        and every ordered pair of names of a record.
    """
    pairs = [("", name) for name in names]
    for start, stop in zip(target.indptr, target.indptr[1:], strict=False):
        terms = [names[column] for column in target.indices[start:stop]]
        pairs += [("", term) for term in terms]
        pairs += permutations(terms, 2)
    previous, queries = zip(*pairs, strict=True)
    return list(previous), list(queries)
