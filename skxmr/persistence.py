"""Saving models so that nothing is lost, and whom to trust when loading them.

`pickle`, `joblib` and `skops` all save and load fitted estimators, with the same
predictions afterwards. A model that a newer skxmr has laid out in another way is
refused.

- `save` is `joblib.dump` to a file that takes the place of an earlier one only when all
  of it is on the disk: an error, a full disk or a kill in the middle leaves the earlier
  model as it was.
- ``load(path, mmap_mode="r")`` opens a model of many gigabytes at once: weights are
  read from the file when a search needs them, and several processes share them in
  memory.
- ``skops.io.dump(model, path)`` and
  ``skops.io.load(path, trusted=skxmr.persistence.TRUSTED_TYPES)`` run no code that the
  file brings along. All others do: use them for files that you trust.
"""

import os
from typing import Any, Literal

import joblib

from skxmr._files import replacing
from skxmr._integrity import check_arrays

__all__ = ["TRUSTED_TYPES", "check_arrays", "load", "save"]

TRUSTED_TYPES: list[str] = [
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "skxmr._compressed.Compressed",
    "skxmr._fitted_clone.FittedClone",
    "skxmr._normalization.Normalizer",
    "skxmr._normalization.normalize_text",
    "skxmr._validation.Features",
    "skxmr.baselines.BigramCompleter",
    "skxmr.baselines.BigramState",
    "skxmr.baselines.PopularCompleter",
    "skxmr.candidates.CandidateFeatures",
    "skxmr.candidates.CandidateState",
    "skxmr.classifier.ClassifierState",
    "skxmr.classifier.XRLinearClassifier",
    "skxmr.completers.CompleterState",
    "skxmr.completion.QueryCompleter",
    "skxmr.completion.QueryState",
    "skxmr.feature_weights.FeatureWeights",
    "skxmr.fusion.FusionState",
    "skxmr.fusion.RankFusion",
    "skxmr.indexers.IndexerState",
    "skxmr.indexers.KMeansTree",
    "skxmr.layout.SearchLayout",
    "skxmr.leaf_rankers.LeafRankers",
    "skxmr.lean.LeanTransformer",
    "skxmr.matchers.FittedMatcher",
    "skxmr.neighbors.NeighborRanker",
    "skxmr.neighbors.NeighborState",
    "skxmr.ngrams.Cutting",
    "skxmr.node_weights.NodeWeights",
    "skxmr.prefix_index.PrefixIndex",
    "skxmr.prefix_ranker.PrefixRanker",
    "skxmr.reranking.Reranker",
    "skxmr.reranking.RerankerState",
    "skxmr.retrieval.RetrieverState",
    "skxmr.retrieval.TextRetriever",
    "skxmr.stages.FittedStages",
    "skxmr.successors.Successors",
    "skxmr.targets.ClassTarget",
    "skxmr.targets.IndicatorTarget",
    "skxmr.terms.Terms",
    "skxmr.text.CharNgramTfidf",
    "skxmr.text.PrefixWeightedCharTfidf",
    "skxmr.text.TextState",
    "skxmr.text.WordNgramTfidf",
    "skxmr.tfidf.Weighting",
    "skxmr.tree.LabelTree",
    "skxmr.tries.TrieTreeHybrid",
]
"""Names of the types that are not scikit-learn's own, as `skops.io.load` takes them.

None of them does more, when it is loaded, than take its attributes.

Examples
--------
>>> import skops.io  # doctest: +SKIP
>>> skops.io.dump(retriever, "retriever.skops")  # doctest: +SKIP
>>> skops.io.load("retriever.skops", trusted=TRUSTED_TYPES)  # doctest: +SKIP
"""


def save(model: Any, path: str | os.PathLike) -> None:
    """Save a model to a file, wholly or not at all.

    The file is written beside `path`, put on the disk (``fsync``) and then renamed.
    Processes that have the earlier file open or mapped keep what they have. (Windows
    lets nobody replace a file that a process has open or mapped: save to another
    name there, or end those processes first.) What a killed process has left behind,
    a file whose name ends in ``.unfinished``, is removed by the next save to `path`.

    Parameters
    ----------
    model : object
        A fitted estimator, a `Pipeline` of some, or whatever else `joblib.dump`
        takes. Memory for a copy is not needed.
    path : str or path-like
        Where to. An earlier file is replaced; its permissions and, where the system
        allows, its owner and group are kept, and nobody else can read the model at
        any time. A symbolic link is replaced itself: the model that it leads to stays
        as it is.

    Raises
    ------
    OSError
        If the disk is full or the file cannot be written; `path` is then as it was.

    See Also
    --------
    load : Loads it again.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.persistence import load, save
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.joblib")
    ...     save(XRLinearClassifier(random_state=0, C=0.01).fit(X, Y), path)
    ...     load(path).rank(X[:2], k=1)[0].shape
    (2, 1)
    """
    try:
        with replacing(path) as file:
            joblib.dump(model, file)
    except OSError as error:
        error.add_note(f"The model was not saved; {os.fspath(path)} is as it was.")
        raise


def load(path: str | os.PathLike, *, mmap_mode: Literal["r", "c"] | None = None) -> Any:
    """Load a model that `save` or `joblib.dump` has saved.

    Loading runs what the file says: load only files that you trust.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap_mode : {"r", "c"}, default=None
        "r" maps the arrays of the file instead of reading them: the model is there at
        once, only what searches need is read, and all processes that map the file
        share it in memory. "c" does the same where arrays may be written to, without
        changing the file. None reads all into memory.

    Returns
    -------
    object

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If the file holds no model, or a part of one, or one whose arrays do not fit
        together; if the model was saved by a newer skxmr, in a layout that this one
        cannot read; or if `mmap_mode` is none of these.
    ImportError
        If a class of the model is of a package that is not installed.

    See Also
    --------
    save : Saves a model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skxmr import WordNgramTfidf
    >>> from skxmr.persistence import load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "words.joblib")
    ...     save(WordNgramTfidf().fit(["one text", "another"]), path)
    ...     load(path, mmap_mode="c").get_feature_names_out().tolist()
    ['another', 'one', 'text']
    """
    if mmap_mode not in (None, "r", "c"):
        raise ValueError(f"mmap_mode={mmap_mode!r} must be 'r', 'c' or None.")
    name = os.fsdecode(path)
    if os.stat(name).st_size == 0:  # noqa: PTH116 - joblib takes a string as well
        raise ValueError(f"{name} is empty; expected a model that `save` has written.")
    try:
        return joblib.load(name, mmap_mode=mmap_mode)
    except (ImportError, MemoryError) as error:
        error.add_note(f"While loading {name}.")
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's; it names the file
        raise ValueError(
            f"{name} cannot be loaded; it is damaged or holds no model that `save` "
            f"has written: {type(error).__name__}: {error}"
        ) from error
