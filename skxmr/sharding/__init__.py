"""Models split at the first level of their trees into shards.

`split` splits a fitted classifier into shards: the subtrees of some adjacent nodes of
the first level, with their weights. Each shard is saved and loaded separately, for
example on different machines if none has enough memory for the whole model.
`ShardedRanker` queries all shards and returns exactly the labels and scores of the
whole classifier.

A beam search keeps the best nodes of each level *over all shards*. Independent searches
of the shards, each with its own beam, would follow other nodes. `ShardedRanker` instead
proceeds level by level: it passes each shard the nodes of the beam that belong to it;
the shard scores their children and returns the best, at most as many as the beam width;
and the best of all shards are the next beam. This takes one exchange per level, so
three to five per ranking.

One exchange is enough with `TreeShard.search` and `merge`: every shard searches with
the beam width of the whole model, and the best labels of all are kept. With
``beam_width=None``, the result is that of the whole model. Otherwise the search scores
more nodes than the whole model does, and mostly finds the same and sometimes better
labels, without a guarantee.
"""

from skxmr.sharding._merging import merge
from skxmr.sharding._ranker import ShardedRanker
from skxmr.sharding._shard import TreeShard
from skxmr.sharding._splitting import split

__all__ = ["ShardedRanker", "TreeShard", "merge", "split"]
