"""Fitted models with arrays that are damaged, in memory or in files."""

import io
import json
import zipfile

import joblib
import numpy as np
import skops.io

DAMAGED = "The loaded model is damaged: "


def at(array, position, value):
    """Return a copy of an array with another value at one position."""
    array = np.array(array)
    array.reshape(-1)[position] = value
    return array


def last_first(array):
    return np.ascontiguousarray(array[::-1])


def damaged(model, where, name, change):
    arrays = vars(where(model))
    arrays[name] = change(arrays[name])
    return model


def altered_skops(model, name, change):
    """Save a model, and alter the one array of that name in its archive."""
    content = skops.io.dumps(model)
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w") as new,
    ):
        schema = json.loads(old.read("schema.json"))
        (file,) = set(files_of(schema, name))
        for member in old.namelist():
            data = old.read(member)
            if member == file:
                array = io.BytesIO()
                np.save(array, change(np.load(io.BytesIO(data))))
                data = array.getvalue()
            new.writestr(member, data)
    return target.getvalue()


def files_of(state, name):
    """Yield the files of the attributes of that name."""
    if isinstance(state, dict):
        for key, value in state.items():
            if key == name and isinstance(value, dict) and "file" in value:
                yield value["file"]
            yield from files_of(value, name)
    elif isinstance(state, list):
        for value in state:
            yield from files_of(value, name)


def altered_joblib(model, array, change, path):
    """Save a model, and overwrite the bytes of an array in its file."""
    joblib.dump(model, path)
    content = path.read_bytes()
    assert content.count(array.tobytes()) == 1
    path.write_bytes(content.replace(array.tobytes(), change(array).tobytes()))
