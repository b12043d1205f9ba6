"""Pictures of what a fitted model does.

`BeamSearchDisplay` plots the nodes of a label tree that a search for one row scores,
keeps and drops, level by level. It needs matplotlib. Displays of metrics are in
`skxmr.metrics`.
"""

from skxmr._search._tracing import BeamLevel
from skxmr.inspection._beam_search import BeamSearchDisplay

__all__ = ["BeamLevel", "BeamSearchDisplay"]
