"""Encoders of texts that packages of PyPI carry inside."""

from pathlib import Path

from benchmarks.environments import ensure
from benchmarks.systems import HERE


def encoder_settings(name, cache):
    """What a worker is told of an encoder; its environment is built at first use.

    Parameters
    ----------
    name : str
        A folder of ``benchmarks/peers``.
    cache : Path
        The vectors are kept below it.

    Returns
    -------
    dict

    Raises
    ------
    NotInstalledError
    """
    folder = HERE / "peers" / name
    python = ensure(folder / "requirements.txt", cache)
    return {
        "encoder": {
            "python": str(python),
            "script": str(folder / "encode.py"),
            "folder": str(Path(cache, "vectors", name).resolve()),
        }
    }
