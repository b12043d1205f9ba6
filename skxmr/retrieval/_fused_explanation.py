"""Explanations of fused scores: the features of a candidate and their weights."""

from dataclasses import dataclass

from skxmr._lexical._explanation import LexicalExplanation
from skxmr._search._explanation import Explanation

__all__ = ["FeatureScore", "FusedExplanation"]


@dataclass(frozen=True)
class FeatureScore:
    """The contribution of one feature to the sum that ranks a candidate.

    Parameters
    ----------
    name : str
        One of the keys of ``TextRetriever.fusion_weights_``.
    value : float
    weight : float

    See Also
    --------
    FusedExplanation : All features of a label.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> names = ["green tea", "rye bread"]
    >>> retriever = TextRetriever().fit(["tea", "bread"], [0, 1], label_texts=names)
    >>> features = retriever.explain("green tea", 0).features
    >>> [feature.value for feature in features if feature.name == "same_name"]
    [1.0]
    """

    name: str
    value: float
    weight: float

    @property
    def score(self) -> float:
        """The value times the weight."""
        return self.value * self.weight


@dataclass(frozen=True)
class FusedExplanation:
    """The score of a label, by the features that combine model and words.

    ``str()`` shows the features, then the explanations of both searches.

    Parameters
    ----------
    label : object
        Column index of an indicator, or class.
    name : str
        The name of the label.
    score : float
        The probability that a search gives the label; if it does not find the label,
        the one that it would have as a further candidate.
    features : tuple of FeatureScore
        By descending absolute score.
    model : Explanation or None
        The score of the classifier; None if it has none, such as a `RankFusion`.
    lexical : LexicalExplanation
        The BM25 score.

    See Also
    --------
    skxmr.TextRetriever.explain : Returns an explanation.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> names = ["green tea", "rye bread"]
    >>> retriever = TextRetriever().fit(["tea", "bread"], [0, 1], label_texts=names)
    >>> retriever.explain("green tea", 0).lexical.terms[0].term
    'green'
    """

    label: object
    name: str
    score: float
    features: tuple[FeatureScore, ...]
    model: Explanation | None
    lexical: LexicalExplanation

    def __str__(self) -> str:
        lines = [f"{self.label} {self.name}".rstrip() + f": {self.score:.4f}"]
        lines += [
            f"    {feature.score:+.3f}  {feature.name} "
            f"({feature.value:.3f} x {feature.weight:+.3f})"
            for feature in self.features
            if feature.score
        ]
        if self.model is not None:
            lines += ["model:", _indented(self.model)]
        lines += ["words:", _indented(self.lexical)]
        return "\n".join(lines)


def _indented(explanation):
    return "\n".join(f"    {line}" for line in str(explanation).splitlines())
