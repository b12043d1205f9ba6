"""Model folders of PECOS, altered: as raw bytes, or in sound files of other arrays."""

import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import atheris
import numpy as np
from alter import altered
from scipy import sparse

from skxmr.interop import load_pecos

DATA = Path(__file__).parents[2] / "data"
FOLDER = Path(f"/dev/shm/skxmr-fuzz-{os.getpid()}")
SEEDS = [random.Random(i).randbytes(60) for i in range(200)]
ORIGINALS = [
    {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for folder in sorted(DATA.glob("pecos-*"))
    if folder.is_dir()
]


def run(data):
    """Alter one file or two of a folder, read it, and ask the model that it gives."""
    provider = atheris.FuzzedDataProvider(data)
    originals = provider.PickValueInList(ORIGINALS)
    files = dict(originals)
    for _ in range(provider.ConsumeIntInRange(1, 2)):
        name = provider.PickValueInList(list(files))
        files[name] = _other(name, originals[name], provider)
    _write(files)
    try:
        with np.errstate(all="ignore"):
            model = load_pecos(FOLDER)
            if model.n_features_in_ <= 4096:
                row = np.linspace(-1, 1, model.n_features_in_, dtype=np.float32)
                model.rank(sparse.csr_array(row[np.newaxis]), 5)
                model.rank(row[np.newaxis], 5)
    except ValueError:
        pass


def _write(files):
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, content in files.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _other(name, content, provider):
    if provider.ConsumeIntInRange(0, 3) == 0:
        return _patched(content, provider)
    if name.suffix == ".json":
        return _other_json(content, provider)
    return _other_arrays(content, provider)


def _patched(content, provider):
    """Overwrite, leave out or insert some bytes."""
    start = provider.ConsumeIntInRange(0, len(content))
    size = provider.ConsumeIntInRange(0, 16)
    return (
        content[:start]
        + provider.ConsumeBytes(provider.ConsumeIntInRange(0, 16))
        + content[start + size :]
    )


def _other_json(content, provider):
    values = json.loads(content)
    section = values
    if "pred_kwargs" in values and provider.ConsumeBool():
        section = values["pred_kwargs"]
    key = provider.PickValueInList(list(section))
    section[key] = provider.PickValueInList(
        [0, 1, -1, 2**31, 10**400, 1e308, -0.5, None, True, [], {}, "l3-hinge", "x"]
    )
    return json.dumps(values).encode()


def _other_arrays(content, provider):
    """Alter an array, and write an archive whose checksums are right."""
    path = FOLDER.with_suffix(".npz")
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive, np.load(path) as saved:
        arrays = {name: saved[name] for name in saved.files}
        names = archive.namelist()
    name = provider.PickValueInList([name.removesuffix(".npy") for name in names])
    arrays[name] = altered(arrays[name], provider) if arrays[name].ndim else b"csr"
    np.savez(path, **arrays)
    return path.read_bytes()
