"""Atomic saves of models, and the types that are safe to load.

`pickle`, `joblib` and `skops` can save and load fitted estimators; loaded ones give the
same predictions. A model with another layout of its arrays raises an error.

- `save` is an atomic `joblib.dump`: it replaces an earlier file only when the new one
  is completely written. If an error occurs, the disk is full or the process is killed,
  the earlier file is unchanged.
- ``save(model, folder)`` makes a new version in a folder, and `save_changes` adds what
  has changed since: what changes write is small, and a version is never modified.
- ``load(path, mmap_mode="r")`` memory-maps a model: it opens at once, weights are read
  from the file when a search needs them, and several processes share the memory.
- ``skops.io.dump(model, path)`` and
  ``skops.io.load(path, trusted=skxmr.persistence.TRUSTED_TYPES)`` run no code from the
  file. All other formats do: use them only for files that you trust.
"""

import errno
import os
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
from scipy import sparse

from skxmr._base._fitted_clone import FittedClone
from skxmr._embeddings._codes import EmbeddingCodes
from skxmr._embeddings._label_embeddings import LabelEmbeddings
from skxmr._fusion._evidence import LabelEvidence
from skxmr._fusion._log_linear import LogLinear
from skxmr._growing._delta import LayoutDelta
from skxmr._growing._new_labels import LabelScale
from skxmr._inputs._features import Features
from skxmr._inputs._known_classes import KnownClasses
from skxmr._lexical._added_terms import AddedTerms, AddedVocabulary
from skxmr._lexical._delta import IndexDelta
from skxmr._lexical._expansion import WordExpansion
from skxmr._lexical._index import LexicalIndex, LexicalStatistics
from skxmr._lexical._spelling import SpellingIndex
from skxmr._lexical._state import LexicalState
from skxmr._lexical._terms import IndexedTerms
from skxmr._saving._folder import load_folder, save_changes_to, save_version
from skxmr._search._centering import Centering
from skxmr._search._layout import SearchLayout
from skxmr._search._weights_by_feature import FeatureWeights
from skxmr._search._weights_by_node import NodeWeights
from skxmr._targets import ClassTarget, IndicatorTarget, NamedTarget
from skxmr._utils._compressed import Compressed
from skxmr._utils._files import replacing
from skxmr._utils._loaded_state import check_arrays
from skxmr._utils._packed_texts import GrownTexts, PackedTexts
from skxmr.baselines import BigramCompleter, BigramState, PopularCompleter
from skxmr.completion._base import CompleterState
from skxmr.completion._completer import QueryCompleter, QueryState
from skxmr.completion._forward_decay import ForwardDecay
from skxmr.completion._living_index import ChangedCounts, LivingIndex
from skxmr.completion._prefix_classifier import PrefixRanker
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.completion._query_ids import ColumnIds, NameList, Names
from skxmr.completion._transitions import ChangedRows, Rows, Transitions
from skxmr.decisions._calibrator import CalibratorState, SparseCalibrator
from skxmr.decisions._label_threshold_cv import LabelThresholdCV, ThresholdState
from skxmr.decisions._score_maps import LabelMaps, LogisticMap, StepMap
from skxmr.decisions._thresholds import Thresholds
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.linear._propensity import LabelCounts
from skxmr.linear._state import ClassifierState
from skxmr.rankers._candidates import CandidateFeatures, CandidateState
from skxmr.rankers._fusion import RankFusion
from skxmr.rankers._fusion_state import FusionState
from skxmr.rankers._fusion_weights import LearnedWeights
from skxmr.rankers._lexical import LexicalRanker
from skxmr.rankers._neighbors import NeighborRanker, NeighborState
from skxmr.rankers._reranker import Reranker, RerankerState
from skxmr.retrieval._retriever import TextRetriever
from skxmr.retrieval._state import Fusion, RetrieverState
from skxmr.stages._leaf_rankers import LeafRankers
from skxmr.stages._matcher import FittedMatcher
from skxmr.stages._stages import FittedStages
from skxmr.text._counting import Cutting
from skxmr.text._later_terms import GrownTransformer, LaterTerms
from skxmr.text._ngram_tfidf import TextState
from skxmr.text._normalization import Normalizer
from skxmr.text._single import LeanTransformer
from skxmr.text._tfidf import Weighting
from skxmr.text._vectorizers import (
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    WordNgramTfidf,
)
from skxmr.text._vocabulary import LaterVocabulary, Vocabulary
from skxmr.text._word_forms import normalize_characters, normalize_words
from skxmr.tree._kmeans_tree import IndexerState, KMeansTree
from skxmr.tree._label_tree import LabelTree
from skxmr.tree._trie_tree import TrieTreeHybrid

__all__ = ["TRUSTED_TYPES", "check_arrays", "load", "save", "save_changes"]

# What fitted estimators consist of; loading one sets its attributes and calls nothing.
_TYPES: list[Any] = [
    np.dtype,
    sparse.csr_array,
    Compressed,
    FittedClone,
    Normalizer,
    normalize_characters,
    normalize_words,
    Features,
    BigramCompleter,
    BigramState,
    PopularCompleter,
    CandidateFeatures,
    CandidateState,
    Centering,
    ClassifierState,
    LabelCounts,
    XRLinearClassifier,
    CompleterState,
    QueryCompleter,
    QueryState,
    FeatureWeights,
    Fusion,
    FusionState,
    EmbeddingCodes,
    LabelEmbeddings,
    LabelEvidence,
    LogLinear,
    RankFusion,
    IndexerState,
    KnownClasses,
    KMeansTree,
    SearchLayout,
    LabelScale,
    SparseCalibrator,
    CalibratorState,
    LabelMaps,
    LogisticMap,
    StepMap,
    LabelThresholdCV,
    ThresholdState,
    Thresholds,
    LayoutDelta,
    LeafRankers,
    LeanTransformer,
    GrownTransformer,
    LaterTerms,
    LaterVocabulary,
    LearnedWeights,
    FittedMatcher,
    AddedTerms,
    AddedVocabulary,
    IndexDelta,
    IndexedTerms,
    LexicalIndex,
    LexicalRanker,
    LexicalState,
    LexicalStatistics,
    SpellingIndex,
    WordExpansion,
    NeighborRanker,
    NeighborState,
    Cutting,
    NodeWeights,
    GrownTexts,
    PackedTexts,
    PrefixIndex,
    PrefixRanker,
    Reranker,
    RerankerState,
    RetrieverState,
    TextRetriever,
    FittedStages,
    Transitions,
    ChangedRows,
    ChangedCounts,
    ColumnIds,
    ForwardDecay,
    LivingIndex,
    NameList,
    Names,
    Rows,
    ClassTarget,
    IndicatorTarget,
    NamedTarget,
    Vocabulary,
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    TextState,
    WordNgramTfidf,
    Weighting,
    LabelTree,
    TrieTreeHybrid,
]

TRUSTED_TYPES: list[str] = sorted(
    f"{kind.__module__}.{kind.__qualname__}" for kind in _TYPES
)
"""Names of the types that are not scikit-learn's own, as `skops.io.load` takes them.

None of them does more, when it is loaded, than take its attributes.

Examples
--------
>>> import skops.io  # doctest: +SKIP
>>> skops.io.dump(retriever, "retriever.skops")  # doctest: +SKIP
>>> skops.io.load("retriever.skops", trusted=TRUSTED_TYPES)  # doctest: +SKIP
"""


def save(model: Any, path: str | os.PathLike) -> None:
    """Save a model to a file or folder atomically.

    A file is written under a temporary name in the same folder, flushed to disk
    (``fsync``) and then renamed. Processes that have the earlier file open or mapped
    keep using it. (On Windows, a file that is open or mapped cannot be replaced: use
    another name, or stop those processes first.) A killed process may leave a file
    whose name ends in ``.unfinished``; the next save to `path` removes it.

    In a folder, each save makes a version, a subfolder ``0001``, ``0002`` and so on,
    and then replaces the link ``current``, which `load` follows (on Windows, a file
    with the version's name). Earlier versions remain, and may be removed when no
    process has them mapped. To go back to one, replace the link.

    Parameters
    ----------
    model : object
        A fitted estimator, a `Pipeline`, or any other object that `joblib.dump`
        accepts. The arrays are not copied in memory.
    path : str or path-like
        A folder that exists, or a str that ends with a slash, for a folder to be made
        if it does not exist; otherwise, the file to write. If the file exists, its
        permissions and, if possible, its owner and group are kept, and nobody else can
        read the model at any time. A symbolic link to a file is replaced itself; the
        file that it points to is unchanged.

    Raises
    ------
    OSError
        If the disk is full or the file cannot be written; `path` is then unchanged.

    See Also
    --------
    save_changes : Saves changes to a model that is in a folder.
    load : Loads a model.

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
        if _is_folder(path):
            folder = Path(os.fsdecode(path))
            folder.mkdir(parents=True, exist_ok=True)
            save_version(model, folder)
            return
        with replacing(path) as file:
            joblib.dump(model, file)
    except OSError as error:
        error.add_note(f"The model was not saved; {os.fspath(path)} is unchanged.")
        raise


def _is_folder(path):
    """Whether a path is of a folder, or is written like one."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return os.path.isdir(path) or os.fsdecode(path).endswith(separators)  # noqa: PTH112 - joblib accepts strings too


def save_changes(model: Any, folder: str | os.PathLike) -> None:
    """Save what has changed in a model since it was saved to a folder, or loaded.

    Writes one file: the model without the arrays that it shares with the version in the
    folder, and without what its other arrays have in common with those of the last
    change. So labels that were added or removed take some kilobytes, but the whole
    model after another fit or `compact`; then `save` a new version instead. The file
    gets its name when it is on the disk: a killed process loses at most the changes
    that it was saving. `load` reads the files in order, up to the first one that is
    damaged or missing, with a warning.

    Parameters
    ----------
    model : object
        That was passed to `save` with this folder, or that `load` has returned for it.
    folder : str or path-like
        The folder.

    Raises
    ------
    ValueError
        If the model is not of the current version in the folder.
    FileNotFoundError
        If the folder has no model.
    NotADirectoryError
        If it is a file.
    OSError
        If the file cannot be written; what was saved before is then unchanged.

    See Also
    --------
    save : Saves a model to a folder.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skxmr import LexicalRanker
    >>> from skxmr.persistence import load, save, save_changes
    >>> names = ["green tea", "rye bread"]
    >>> ranker = LexicalRanker().fit([], np.zeros((0, 2)), label_texts=names)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ranker, folder)
    ...     _ = ranker.add_labels(["black coffee"])
    ...     save_changes(ranker, folder)
    ...     print(load(folder).rank_one("coffee", k=1)[0])
    [2]
    """
    path = Path(os.fsdecode(folder))
    if path.is_file():
        raise NotADirectoryError(
            errno.ENOTDIR,
            "The model is in a file; expected a folder. `save` writes to one that "
            "exists, or whose name ends with a slash",
            str(path),
        )
    save_changes_to(model, path)


def load(path: str | os.PathLike, *, mmap_mode: Literal["r", "c"] | None = None) -> Any:
    """Load a model saved by `save` or `joblib.dump`.

    Loading runs code that the file specifies: load only files that you trust.

    Parameters
    ----------
    path : str or path-like
        The file, a folder, whose current version is loaded with its changes, or one of
        the versions in a folder.
    mmap_mode : {"r", "c"}, default=None
        "r" memory-maps the arrays instead of reading them: the model opens at once,
        only what searches need is read, and all processes that map the file share the
        memory. "c" does the same and allows changes in memory, which are not written to
        the file. None reads all arrays into memory.

    Returns
    -------
    object

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    ValueError
        If the file is not a model, is truncated, or has arrays that are not consistent;
        if the model has a layout that this version of skxmr cannot read; or if
        `mmap_mode` is none of these.
    ImportError
        If a class of the model belongs to a package that is not installed.

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
    is_folder = os.path.isdir(name)  # noqa: PTH112 - joblib accepts strings too
    if not is_folder and os.stat(name).st_size == 0:  # noqa: PTH116 - joblib accepts strings too
        raise ValueError(f"{name} is empty; expected a model that `save` has written.")
    try:
        if is_folder:
            return load_folder(Path(name), mmap_mode)
        return joblib.load(name, mmap_mode=mmap_mode)
    except (ImportError, MemoryError) as error:
        error.add_note(f"While loading {name}.")
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # from the operating system, with the file name
        raise ValueError(
            f"{name} cannot be loaded; it is damaged or holds no model that `save` "
            f"has written: {type(error).__name__}: {error}"
        ) from error
