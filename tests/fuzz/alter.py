"""Alters what a saved model is made of, as the bytes of a fuzzer say."""

import numpy as np

NASTY = [0, 1, -1, 2, 7, 127, 128, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32 - 1]
OTHER_TYPES = ["u1", "u2", "i4", "i8", "u4", "u8", "f2", "f4", "f8", ">i4", "O"]
SCALARS = (bool, int, float, str, type(None))


def parts_of(model):
    """List what can be altered: pairs of a value and a function that replaces it.

    Always in the same order, so that the same bytes alter the same part.
    """
    found, seen = [], set()
    _walk(model, None, found, seen)
    return found


def _walk(value, replace, found, seen):
    if isinstance(value, (np.ndarray, *SCALARS)):
        if replace is not None:
            found.append((value, replace))
    elif id(value) in seen or isinstance(value, type):
        return
    elif isinstance(value, tuple):
        _walk_tuple(value, replace, found, seen)
    else:
        seen.add(id(value))
        items = value
        if isinstance(value, list):
            items = dict(enumerate(value[:8]))
        elif hasattr(value, "__dict__"):
            items = vars(value)
        if isinstance(items, dict):
            own = value if isinstance(value, (dict, list)) else items
            for key in list(items)[:40]:
                _walk(items[key], _Setter(own, key), found, seen)


class _Setter:
    def __init__(self, container, key):
        self.container = container
        self.key = key

    def __call__(self, value):
        self.container[self.key] = value


def _walk_tuple(value, replace, found, seen):
    def setter(place):
        def set_item(item):
            items = [*value[:place], item, *value[place + 1 :]]
            make = getattr(type(value), "_make", tuple)
            replace(make(items))

        return set_item

    for place, item in enumerate(value):
        _walk(item, setter(place) if replace else None, found, seen)


def alter(model, provider):
    """Alter one part in place; tell whether it was an array."""
    parts = parts_of(model)
    arrays = [part for part in parts if isinstance(part[0], np.ndarray)]
    # Arrays mostly: of scalars, there are few that kernels see.
    of_arrays = provider.ConsumeIntInRange(0, 15) < 14
    chosen = arrays if of_arrays and arrays else parts
    value, replace = chosen[provider.ConsumeIntInRange(0, len(chosen) - 1)]
    if isinstance(value, np.ndarray):
        replace(altered(value, provider))
        return True
    replace(_other_scalar(value, provider))
    return False


def _other_scalar(value, provider):
    kind = provider.ConsumeIntInRange(0, 5)
    if kind == 0:
        return provider.PickValueInList([*NASTY[:9], 2**70])
    if kind == 1:
        return provider.ConsumeFloat()
    if kind == 2:
        return provider.ConsumeUnicode(8)
    if kind == 3:
        return None
    if kind == 4 and isinstance(value, int):
        return value + provider.ConsumeIntInRange(-2, 2)
    # No more: how many candidates are wanted is anyone's choice, and costs its time.
    return provider.ConsumeInt(2)


def altered(array, provider):
    """Give a copy of an array with other contents, and maybe of another shape."""
    kind = provider.ConsumeIntInRange(0, 11)
    if kind == 0:
        return array[: provider.ConsumeIntInRange(0, len(array))] if array.ndim else 0
    if kind == 1:
        return np.concatenate([array, array[-1:]]) if array.ndim else None
    if kind == 2 and array.dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            return array.astype(provider.PickValueInList(OTHER_TYPES))
    if kind == 3:
        return array[..., np.newaxis]
    if array.dtype.hasobject or not array.size:
        return array
    array = np.array(array)  # a copy that can be written to
    if kind == 4:
        return np.ascontiguousarray(array[::-1])
    flat = array.reshape(-1)
    for _ in range(provider.ConsumeIntInRange(1, 3)):
        place = provider.ConsumeIntInRange(0, len(flat) - 1)
        if kind < 8:
            flat[place] = _nasty(flat, provider)
        elif kind == 8 and flat.dtype.kind == "f":
            flat[place] = provider.PickValueInList([np.nan, np.inf, -np.inf, -0.0])
        else:
            raw = flat.view(np.uint8)
            at = provider.ConsumeIntInRange(0, len(raw) - 1)
            raw[at] = provider.ConsumeIntInRange(0, 255)
    return array


def _nasty(flat, provider):
    """Give a number that fits the type, often near one that is there."""
    if flat.dtype.kind not in "iu":
        return flat[provider.ConsumeIntInRange(0, len(flat) - 1)]
    limits = np.iinfo(flat.dtype)
    if provider.ConsumeBool():
        near = int(flat[provider.ConsumeIntInRange(0, len(flat) - 1)])
        number = near + provider.ConsumeIntInRange(-2, 2)
    else:
        number = provider.PickValueInList([*NASTY, limits.max, limits.min])
    return min(max(number, limits.min), limits.max)
