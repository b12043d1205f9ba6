"""Rankers other than the tree: nearest neighbours, fusion, reranking."""

from skxmr._lexical._explanation import LexicalExplanation, TermScore
from skxmr.rankers._candidates import CandidateFeatures, Candidates
from skxmr.rankers._fusion import RankFusion
from skxmr.rankers._fusion_explanation import (
    Evidence,
    FusionExplanation,
    MemberScore,
)
from skxmr.rankers._lexical import LexicalRanker
from skxmr.rankers._neighbors import NeighborRanker
from skxmr.rankers._reranker import Reranker

__all__ = [
    "CandidateFeatures",
    "Candidates",
    "Evidence",
    "FusionExplanation",
    "LexicalExplanation",
    "LexicalRanker",
    "MemberScore",
    "NeighborRanker",
    "RankFusion",
    "Reranker",
    "TermScore",
]
