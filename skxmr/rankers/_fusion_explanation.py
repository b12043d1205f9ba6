"""Explanations of fused scores: which estimators list a label."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Evidence", "FusionExplanation", "MemberScore", "explain_fusion"]


@dataclass(frozen=True)
class Evidence:
    """One feature of a label that an estimator lists.

    Parameters
    ----------
    feature : str
        "score" or "reciprocal_rank", or a feature of learned weights.
    value : float
    weight : float

    See Also
    --------
    MemberScore : All features of an estimator.

    Examples
    --------
    >>> from skxmr.rankers import Evidence
    >>> Evidence("score", value=0.5, weight=0.5).product
    0.25
    """

    feature: str
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Value times weight."""
        return self.value * self.weight


@dataclass(frozen=True)
class MemberScore:
    """What one estimator contributes to the score of a label.

    Parameters
    ----------
    estimator : str
        Its name.
    rank : int or None
        The rank that it gives the label, from 1; None if it does not list it.
    score : float
        The score that it gives the label; 0 if it does not list it.
    evidence : tuple of Evidence
        The weighted features; empty if it does not list the label.

    See Also
    --------
    FusionExplanation : All estimators.

    Examples
    --------
    >>> from skxmr.rankers import Evidence, MemberScore
    >>> evidence = (Evidence("score", value=0.5, weight=0.5),)
    >>> MemberScore("model", rank=2, score=0.5, evidence=evidence).contribution
    0.25
    """

    estimator: str
    rank: int | None
    score: float
    evidence: tuple[Evidence, ...]

    @property
    def contribution(self) -> float:
        """The sum of the weighted features."""
        return float(sum(one.product for one in self.evidence))


@dataclass(frozen=True)
class FusionExplanation:
    """The fused score of a label, by the estimators that list it.

    ``str()`` shows them in a table.

    Parameters
    ----------
    label : object
        Column index of an indicator, or class.
    score : float
        The score that `rank` gives the label; 0 if no estimator lists it. The sum of
        the contributions or, with learned weights, a probability: the calibrated
        softmax of the sums of all candidates.
    members : tuple of MemberScore
        In the order of the estimators.

    See Also
    --------
    skxmr.RankFusion.explain : Returns an explanation.

    Examples
    --------
    >>> from skxmr import NeighborRanker, RankFusion
    >>> X, y = [[1.0, 0.0], [1.0, 1.0]], ["tea", "bread"]
    >>> members = [("all", NeighborRanker()), ("nearest", NeighborRanker(1))]
    >>> fusion = RankFusion(members, weights=[1, 3]).fit(X, y)
    >>> print(fusion.explain([[1.0, 0.0]], "tea"))
    tea: 0.8911
        +0.1461  all (rank 1, score 0.5843)
            +0.2500 x score 0.5843
        +0.7450  nearest (rank 1, score 0.9934)
            +0.7500 x score 0.9934
    """

    label: object
    score: float
    members: tuple[MemberScore, ...]

    def __str__(self):
        lines = [f"{self.label}: {self.score:.4f}"]
        for one in self.members:
            why = "not listed"
            if one.rank is not None:
                why = f"rank {one.rank}, score {one.score:.4f}"
            lines.append(f"    {one.contribution:+.4f}  {one.estimator} ({why})")
            lines += [
                f"        {term.weight:+.4f} x {term.feature} {term.value:.4f}"
                for term in one.evidence
            ]
        return "\n".join(lines)


def explain_fusion(listings, weights, names, label, column):
    """Explain the score of a label in a single row.

    Parameters
    ----------
    listings : Listings
        Of one row.
    weights : GivenWeights or LearnedWeights
    names : list of str
    label : object
    column : int

    Returns
    -------
    FusionExplanation
    """
    is_label = listings.columns == column
    score = float(weights.score(listings)[is_label].sum())
    values = weights.values_of(listings)
    entries = np.flatnonzero(is_label[listings.candidates]).tolist()
    of_member = {int(listings.members[entry]): entry for entry in entries}
    members = []
    for index, (name, by_feature) in enumerate(
        zip(names, weights.named(), strict=True)
    ):
        if index not in of_member:
            members.append(MemberScore(name, None, 0.0, ()))
            continue
        entry = of_member[index]
        evidence = tuple(
            Evidence(feature, value, weight)
            for (feature, weight), value in zip(
                by_feature.items(), values[entry].tolist(), strict=True
            )
        )
        rank, given = int(listings.ranks[entry]), float(listings.scores[entry])
        members.append(MemberScore(name, rank, given, evidence))
    return FusionExplanation(label, score, tuple(members))
