"""Explanations of lexical scores: the terms that a text and a label share."""

from dataclasses import dataclass

__all__ = ["LexicalExplanation", "TermScore"]


@dataclass(frozen=True)
class TermScore:
    """The contribution of one term in one field to the score of a label.

    Parameters
    ----------
    term : str
        The word or n-gram.
    analyzer : {"word", "char"}
    field : str
        "text", or "text 0", "text 1" and so on if labels have several texts; "training"
        for the training texts of the label.
    query_count : float
        How often the query has the term; less than 1 for a corrected word.
    count : int
        How often the field has it.
    idf : float
        The inverse document frequency of the term in the field.
    weight : float
        The weight of the field.
    score : float
        What it adds to the score of the label.

    See Also
    --------
    LexicalExplanation : All terms of a label.

    Examples
    --------
    >>> from skxmr import LexicalRanker
    >>> names = ["green tea", "rye bread"]
    >>> ranker = LexicalRanker().fit(names, [0, 1])
    >>> ranker.explain("black tea", 0).terms[0].term
    'tea'
    """

    term: str
    analyzer: str
    field: str
    query_count: float
    count: int
    idf: float
    weight: float
    score: float


@dataclass(frozen=True)
class LexicalExplanation:
    """The score of a label, by the terms that it shares with the text.

    ``str()`` shows the terms in a table.

    Parameters
    ----------
    label : object
        Column index of an indicator, or class.
    terms : tuple of TermScore
        By descending score.

    See Also
    --------
    skxmr.LexicalRanker.explain : Returns an explanation.

    Examples
    --------
    >>> from skxmr import LexicalRanker
    >>> ranker = LexicalRanker().fit(["green tea", "rye bread"], ["tea", "bread"])
    >>> print(ranker.explain("black tea", "tea"))
    tea: 0.69
        0.69  tea (training, 1 time, idf 0.69)
    """

    label: object
    terms: tuple[TermScore, ...]

    @property
    def score(self) -> float:
        """The sum of the terms' scores: that of `LexicalRanker.rank`."""
        return float(sum(term.score for term in self.terms))

    def __str__(self):
        lines = [f"{self.label}: {self.score:.2f}"]
        for term in self.terms:
            times = "1 time" if term.count == 1 else f"{term.count} times"
            lines.append(
                f"{term.score:8.2f}  {term.term} ({term.field}, {times}, idf "
                f"{term.idf:.2f})"
            )
        return "\n".join(lines)
