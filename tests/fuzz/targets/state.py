"""Saved models whose arrays were altered, of every class that has kernels.

They are saved by pickle, whose loading sets states as joblib and skops do; those two
are asked too, for some cases.
"""

import io
import pickle
import random
import warnings

import atheris
import joblib
import numpy as np
import skops.io
from alter import alter
from models import MODELS

from skxmr.persistence import TRUSTED_TYPES

SAVED = [(pickle.dumps(model), ways) for model, ways in MODELS.values()]
SEEDS = [random.Random(i).randbytes(40) for i in range(400)]


def run(data):
    """Alter a model, save and load it; ask what loads."""
    provider = atheris.FuzzedDataProvider(data)
    saved, ways = SAVED[provider.ConsumeIntInRange(0, len(SAVED) - 1)]
    ask = provider.PickValueInList(ways)
    how = provider.ConsumeIntInRange(0, 255)
    model = pickle.loads(saved)
    only_arrays = True
    for _ in range(provider.ConsumeIntInRange(1, 2)):
        only_arrays &= alter(model, provider)
    # What a parameter or a name is replaced by may have any error of its own.
    expected = ValueError if only_arrays else Exception
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            loaded = _save_and_load(model, how)
        except expected:
            return
        try:
            ask(loaded)
        except expected:
            return


def _save_and_load(model, how):
    if how == 0:
        try:
            saved = skops.io.dumps(model)
        except Exception:  # noqa: BLE001 - skops does not save what is no model
            return model
        return skops.io.loads(saved, trusted=TRUSTED_TYPES)
    if how < 6:
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        return joblib.load(file)
    return pickle.loads(pickle.dumps(model))
