"""Folders of models: numbered versions, each a base and the changes since.

::

    folder/current            a link to the version that is loaded; on Windows, a file
                              with its name
    folder/0001/base.joblib   the whole model
    folder/0001/manifest.json what the base consists of
    folder/0001/delta-000001.skxmr
                              the model after changes, without the parts of the base

A file or version gets its name when it is complete and on the disk.
"""

import errno
import json
import os
import re
import threading
import warnings
import weakref
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from skxmr._saving._shared_parts import SharedParts
from skxmr._utils._files import creating_folder, replacing

__all__ = ["load_folder", "save_changes_to", "save_version"]

_CURRENT, _BASE, _MANIFEST = "current", "base.joblib", "manifest.json"
_VERSION = re.compile(r"\d{4,}")
_DELTA = re.compile(r"delta-(\d{6,})\.skxmr")
_FORMAT = 1
_DIGEST_SIZE = 32
# Earlier ones are removed: each holds all changes since the base.
_DELTAS_KEPT = 2


class _Saved(NamedTuple):
    """Where a model was saved to or loaded from.

    Parameters
    ----------
    version : Path
        The folder of its base, as an absolute path without links.
    parts : SharedParts
        Of the base.
    """

    version: Path
    parts: SharedParts


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
    _remember(model, version.resolve(), parts)


def _remember(model, version, parts):
    """Note where a model is saved; not of a list or dict of models."""
    with _LOCK, suppress(TypeError):
        _SAVED[model] = _Saved(version, parts)


def _saved(model):
    with _LOCK, suppress(TypeError):
        return _SAVED.get(model)
    return None


def save_changes_to(model: Any, folder: Path) -> None:
    """Save what has changed in a model since its base was saved or loaded.

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
    deltas = _deltas(current)
    number = deltas[-1][0] + 1 if deltas else 1
    with replacing(current / f"delta-{number:06}.skxmr") as file:
        file.write(bytes(_DIGEST_SIZE))
        saved.parts.dump(model, file)
        file.flush()
        digest = _digest(file)
        file.seek(0)
        file.write(digest)
    for _, path in deltas[: max(0, len(deltas) + 1 - _DELTAS_KEPT)]:
        path.unlink(missing_ok=True)


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
    changed = _load_last_delta(version, parts)
    model = model if changed is None else changed
    _remember(model, version, parts)
    return model


def _load_last_delta(version, parts):
    """Load the last complete change; None if there is none."""
    for _, path in reversed(_deltas(version)):
        with path.open("rb") as file:
            digest = file.read(_DIGEST_SIZE)
            if _digest(file) == digest:
                file.seek(_DIGEST_SIZE)
                return parts.load(file)
        warnings.warn(
            f"{path} is damaged; the changes before it are loaded.",
            UserWarning,
            stacklevel=4,
        )
    return None


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
