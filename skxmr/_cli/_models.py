"""The models that the commands save and load."""

import os
from pathlib import Path
from typing import Any

from skxmr import persistence

__all__ = ["load_model", "part_of", "save_model"]


def save_model(parts: dict[str, Any], folder: Path) -> None:
    """Save fitted estimators by name as the next version of a folder."""
    persistence.save(parts, f"{folder}{os.sep}")


def load_model(folder: Path) -> dict[str, Any]:
    """Load fitted estimators by name, mapped into memory.

    Raises
    ------
    OSError, ValueError
        If there is no model, or it is of another kind.
    """
    if not folder.exists():
        raise FileNotFoundError(f"There is no model {folder}; see skxmr train --help.")
    parts = persistence.load(folder, mmap_mode="r")
    if not isinstance(parts, dict) or not parts.keys() & {"retriever", "classifier"}:
        raise ValueError(
            f"{folder} holds a {type(parts).__name__}; expected a model that skxmr "
            f"train has saved."
        )
    return parts


def part_of(folder: Path, name: str, needed: str) -> Any:
    """Load one estimator of a model.

    Raises
    ------
    ValueError
        If the model has none; `needed` says how to get it.
    """
    found = load_model(folder).get(name)
    if found is None:
        raise ValueError(f"{folder} has no {name}; {needed}.")
    return found
