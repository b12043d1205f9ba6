"""Folders of models: numbered versions, each a base and the changes since.

::

    folder/current            a link to the version that is loaded; on Windows, a file
                              with its name
    folder/0001/base.joblib   the whole model
    folder/0001/manifest.json what the base consists of
    folder/0001/delta-000001.skxmr
                              the model after a change, without the parts of the base
    folder/0001/delta-000002.skxmr
                              after the next one, with the arrays as changes of those
                              of the delta before

A file or version gets its name when it is complete and on the disk. Each delta begins
with the digest of the rest of the file, in which that of the delta before is next: a
chain. Zeros there stand for the base.
"""

import errno
import io
import json
import os
import pickle
import re
import threading
import warnings
import weakref
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from skxmr._saving._array_changes import ArrayChanges
from skxmr._saving._shared_parts import SharedParts
from skxmr._utils._files import creating_folder, replacing

__all__ = ["load_folder", "save_changes_to", "save_version"]

_CURRENT, _BASE, _MANIFEST = "current", "base.joblib", "manifest.json"
_VERSION = re.compile(r"\d{4,}")
_DELTA = re.compile(r"delta-(\d{6,})\.skxmr")
_FORMAT = 1
_DIGEST_SIZE = 32
_BASE_DIGEST = bytes(_DIGEST_SIZE)


class _Delta(NamedTuple):
    """A delta that was saved or loaded.

    Parameters
    ----------
    digest : bytes
    arrays : list of ndarray
        Those that are no parts of the base.
    """

    digest: bytes = _BASE_DIGEST
    arrays: list = []  # noqa: RUF012 - never modified


class _Saved(NamedTuple):
    """Where a model was saved to or loaded from.

    Parameters
    ----------
    version : Path
        The folder of its base, as an absolute path without links.
    parts : SharedParts
        Of the base.
    last : _Delta, default=that of the base
        What was last saved or loaded.
    """

    version: Path
    parts: SharedParts
    last: _Delta = _Delta()


_SAVED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def save_version(model: Any, folder: Path) -> None:
    """Save a model as a new version, and link `current` to it.

    Parameters
    ----------
    model : object
    folder : Path
        Exists.
    """
    parts = SharedParts.of(model)
    manifest = {"format": _FORMAT, "parts": parts.descriptions}
    while True:
        version = folder / f"{_last_number(folder) + 1:04}"
        try:
            with creating_folder(version) as unfinished:
                joblib.dump(model, unfinished / _BASE)
                (unfinished / _MANIFEST).write_text(
                    json.dumps(manifest), encoding="utf-8"
                )
            break
        except FileExistsError:  # another process has just made this version
            continue
    _link(folder, version.name)
    _remember(model, _Saved(version.resolve(), parts))


def _remember(model, saved):
    """Note where a model is saved; not of a list or dict of models."""
    with _LOCK, suppress(TypeError):
        _SAVED[model] = saved


def _saved(model):
    with _LOCK, suppress(TypeError):
        return _SAVED.get(model)
    return None


def save_changes_to(model: Any, folder: Path) -> None:
    """Save what has changed in a model since it was last saved or loaded.

    Parameters
    ----------
    model : object
    folder : Path

    Raises
    ------
    FileNotFoundError
        If the folder has no version.
    ValueError
        If the model is not of the current one.
    """
    saved = _saved(model)
    current = _current(folder)
    if saved is None or saved.version != current:
        where = "nowhere" if saved is None else f"to {saved.version}"
        raise ValueError(
            f"The model was saved {where}; expected the current version of {folder}, "
            f"{current}. Save it with `save`, which makes a new version."
        )
    number, head = _last_delta(current, saved.last.digest)
    # Another process may have saved changes since, which this model does not have.
    before = saved.last if saved.last.digest == head else _Delta()
    with replacing(current / f"delta-{number + 1:06}.skxmr") as file:
        file.write(_BASE_DIGEST)
        last = _write_delta(saved.parts, model, before, file)
    _remember(model, saved._replace(last=last))


def _write_delta(parts, model, before, file):
    """Write a delta, and its digest in front of it."""
    pickled = io.BytesIO()
    arrays = parts.dump(model, pickled)
    file.write(before.digest)
    pickle.dump(tuple(ArrayChanges.of(arrays, before.arrays)), file)
    file.write(pickled.getbuffer())
    file.flush()
    digest = _digest(file)
    file.seek(0)
    file.write(digest)
    return _Delta(digest, arrays)


def _last_delta(version, expected):
    """Return the number and the digest of the last delta.

    If it is not the expected one, all are checked, and those from the first incomplete
    one on are removed: no change after it would be loaded.
    """
    deltas = _deltas(version)
    if deltas and _expected_digest(deltas[-1][1]) == expected:
        return deltas[-1][0], expected
    last = 0, _BASE_DIGEST
    for number, path in deltas:
        if number != last[0] + 1 or not _is_complete(path):
            break
        last = number, _expected_digest(path)
    for _, path in deltas[last[0] :]:
        path.unlink(missing_ok=True)
    return last


def _expected_digest(path):
    with path.open("rb") as file:
        return file.read(_DIGEST_SIZE)


def _is_complete(path):
    with path.open("rb") as file:
        expected = file.read(_DIGEST_SIZE)
        return _digest(file) == expected


def load_folder(folder: Path, mmap_mode: str | None) -> Any:
    """Load the current version of a folder, with its changes.

    Parameters
    ----------
    folder : Path
        Or one of its versions.
    mmap_mode : {"r", "c"} or None
        Of the arrays of the base.

    Returns
    -------
    object

    Raises
    ------
    FileNotFoundError
        If the folder has no version.
    ValueError
        If the base is not that of the manifest.
    """
    version = _current(folder)
    model = joblib.load(version / _BASE, mmap_mode=mmap_mode)
    parts = SharedParts.of(model)
    manifest = json.loads((version / _MANIFEST).read_text(encoding="utf-8"))
    if manifest.get("format") != _FORMAT or manifest["parts"] != parts.descriptions:
        raise ValueError(f"{version / _BASE} is not the model of its {_MANIFEST}")
    # The base has the parts of all changes, and is kept until these are loaded.
    changed, last = _load_deltas(version, parts)
    model = model if changed is None else changed
    _remember(model, _Saved(version, parts, last))
    return model


def _load_deltas(version, parts):
    """Load the model after all changes up to the first incomplete one.

    Returns
    -------
    model : object or None
        None if there is no change.
    last : _Delta
    """
    last, pickled = _Delta(), None
    for i, (number, path) in enumerate(_deltas(version)):
        read = None
        if number == i + 1 and _is_complete(path):
            read = _read_delta(path, last)
        if read is None:
            warnings.warn(
                f"{path} is damaged, or not the next one; the changes before it are "
                f"loaded.",
                UserWarning,
                stacklevel=4,
            )
            break
        last, pickled = read
    if pickled is None:
        return None, last
    return parts.load(io.BytesIO(pickled), last.arrays), last


def _read_delta(path, last):
    """Read a delta, but do not unpickle its model.

    Returns
    -------
    (_Delta, bytes), or None
        None if it does not continue the last one.
    """
    with path.open("rb") as file:
        digest, before = file.read(_DIGEST_SIZE), file.read(_DIGEST_SIZE)
        if before not in (_BASE_DIGEST, last.digest):
            return None
        arrays = [] if before == _BASE_DIGEST else last.arrays
        changes = ArrayChanges(*pickle.load(file))  # noqa: S301 - as the base
        return _Delta(digest, changes.restore(arrays)), file.read()


def _digest(file):
    """Return the digest of all but the first bytes, which are for itself."""
    file.seek(_DIGEST_SIZE)
    digest = sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.digest()


def _last_number(folder):
    numbers = [int(path.name) for path in folder.iterdir() if _is_version(path)]
    return max(numbers, default=0)


def _is_version(path):
    return _VERSION.fullmatch(path.name) is not None


def _deltas(version):
    """List the numbers and paths of the changes, ascending."""
    matches = ((_DELTA.fullmatch(path.name), path) for path in version.iterdir())
    return sorted((int(match[1]), path) for match, path in matches if match)


def _link(folder, name):
    """Make `current` a link to a version, in one step."""
    new = folder / f".{_CURRENT}.{os.getpid()}.{threading.get_ident()}"
    new.unlink(missing_ok=True)
    if os.name == "nt":  # where links take a privilege
        new.write_text(name, encoding="utf-8")
    else:
        new.symlink_to(name, target_is_directory=True)
    new.replace(folder / _CURRENT)


def _current(folder):
    """Return the path of the current version, without links."""
    if (folder / _BASE).is_file():
        return folder.resolve()
    current = folder / _CURRENT
    if current.is_file():
        current = folder / current.read_text(encoding="utf-8")
    version = current.resolve()
    if not (version / _BASE).is_file():
        raise FileNotFoundError(
            errno.ENOENT,
            f"There is no model; expected a link {_CURRENT} to a version that `save` "
            f"has written",
            str(folder),
        )
    return version
