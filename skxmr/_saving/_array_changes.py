"""Arrays as changes of earlier ones: what both have is copied, the rest is stored.

A change of a model inserts some items into its small arrays, which it copies. So the
arrays after it are runs of those before, and little else. Runs are found as in rsync:
the blocks of the earlier arrays are hashed, and looked up at every position.
"""

import zlib
from typing import NamedTuple

import numpy as np

__all__ = ["ArrayChanges", "can_store"]

# Items of a block, by their size in bytes. Longer runs are found, shorter ones stored.
_ITEMS_OF_BLOCK = {1: 24, 2: 12, 4: 8, 8: 6}
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BITS_OF_FILTER = 20
_COMPARED = 64  # items at first, then twice as many each time


def can_store(array):
    """Return whether an array can be stored as a change, not only as a whole."""
    return (
        not array.dtype.hasobject
        and array.dtype.isbuiltin == 1
        and array.dtype.itemsize > 0
        and array.flags.c_contiguous
    )


class ArrayChanges(NamedTuple):
    """Arrays, relative to others.

    Parameters
    ----------
    dtypes : list of str
    shapes : list of tuple
    n_runs : ndarray of shape (n_arrays,), int64
    runs : bytes
        Of all arrays in turn, compressed: where the items of each run are among those
        of the earlier arrays of this item size, -1 for stored ones; and their number.
    stored : dict of int to bytes
        The stored items of each size, compressed.
    """

    dtypes: list
    shapes: list
    n_runs: np.ndarray
    runs: bytes
    stored: dict

    @classmethod
    def of(cls, arrays, before):
        """Find what arrays have in common with earlier ones.

        Parameters
        ----------
        arrays, before : list of ndarray
            `can_store` is true for each.

        Returns
        -------
        ArrayChanges
        """
        sources: dict[int, _Blocks] = {}
        of_before = _by_size(list(map(_items_of, before)))
        runs, n_runs = [], []
        stored: dict[int, list] = {size: [] for size in _ITEMS_OF_BLOCK}
        for items in map(_items_of, arrays):
            size = items.itemsize
            if size not in sources:
                sources[size] = _Blocks(of_before[size])
            found = sources[size].runs_of(items)
            n_runs.append(len(found))
            runs += found
            stored[size] += _stored_items(items, found)
        return cls(
            [array.dtype.str for array in arrays],
            [array.shape for array in arrays],
            np.array(n_runs, dtype=np.int64),
            _compressed_runs(np.array(runs, dtype=np.int64).reshape(-1, 2)),
            {size: _compressed(parts) for size, parts in stored.items() if parts},
        )

    def restore(self, before):
        """Return the arrays.

        Parameters
        ----------
        before : list of ndarray
            The earlier ones.

        Returns
        -------
        list of ndarray
        """
        of_before = _by_size(list(map(_items_of, before)))
        stored = {
            size: np.frombuffer(
                zlib.decompress(self.stored.get(size, _NOTHING)), f"u{size}"
            )
            for size in _ITEMS_OF_BLOCK
        }
        used = dict.fromkeys(_ITEMS_OF_BLOCK, 0)
        runs = _restored_runs(self.runs)
        stops = np.cumsum(self.n_runs)
        arrays = []
        for name, shape, stop, n_runs in zip(
            self.dtypes, self.shapes, stops.tolist(), self.n_runs.tolist(), strict=True
        ):
            dtype = np.dtype(name)
            size = _item_size(dtype)
            parts = [np.empty(0, dtype=f"u{size}")]
            for start, length in runs[stop - n_runs : stop].tolist():
                source, at = of_before[size], start
                if start < 0:
                    source, at = stored[size], used[size]
                    used[size] += length
                parts.append(source[at : at + length])
            arrays.append(_array_of(np.concatenate(parts), dtype, shape))
        return arrays


_NOTHING = zlib.compress(b"")


def _compressed(parts):
    return zlib.compress(np.concatenate(parts).tobytes(), 1)


def _compressed_runs(runs):
    """Compress the starts of runs as differences: most are small."""
    starts, lengths = np.diff(runs[:, 0], prepend=0), runs[:, 1]
    return zlib.compress(np.concatenate([starts, lengths]).tobytes(), 1)


def _restored_runs(data):
    starts, lengths = np.frombuffer(zlib.decompress(data), np.int64).reshape(2, -1)
    return np.stack([np.cumsum(starts), lengths], axis=1)


def _item_size(dtype):
    """Return how many bytes are compared at a time: a divisor of the item's size."""
    return next(size for size in (8, 4, 2, 1) if dtype.itemsize % size == 0)


def _items_of(array):
    """Return the items of an array as integers without sign.

    Those of 64 bits, such as offsets, as differences: an insertion shifts all later
    ones.
    """
    size = _item_size(array.dtype)
    items = array.reshape(-1).view(np.uint8).view(f"u{size}")
    if _is_differenced(array.dtype):
        items = np.diff(items, prepend=items[:0].dtype.type(0))
    return items


def _array_of(items, dtype, shape):
    if _is_differenced(dtype):
        items = np.cumsum(items, dtype=items.dtype)
    return items.view(np.uint8).view(dtype).reshape(shape)


def _is_differenced(dtype):
    return dtype.kind in "iu" and dtype.itemsize == 8


def _by_size(all_items):
    """Concatenate the items of each size."""
    return {
        size: np.concatenate(
            [np.empty(0, dtype=f"u{size}")]
            + [items for items in all_items if items.itemsize == size]
        )
        for size in _ITEMS_OF_BLOCK
    }


def _stored_items(items, runs):
    """List the items of the runs that are stored."""
    stops = np.cumsum([length for _, length in runs], dtype=np.int64).tolist()
    return [
        items[stop - length : stop]
        for (start, length), stop in zip(runs, stops, strict=True)
        if start < 0
    ]


class _Blocks:
    """The blocks of some items that have more than one value, by their hash.

    Parameters
    ----------
    items : ndarray of unsigned integers
    """

    def __init__(self, items):
        self.items = items
        self.width = _ITEMS_OF_BLOCK[items.itemsize]
        starts = np.arange(0, len(items) - self.width + 1, self.width)
        hashes = _hashes(items, self.width)[starts]
        # Blocks of one value would be found everywhere, and are compressed to nothing.
        blocks = items[: len(starts) * self.width].reshape(-1, self.width)
        varies = (blocks != blocks[:, :1]).any(axis=1)
        hashes, starts = hashes[varies], starts[varies]
        # Of equal blocks, the first.
        self.hashes, firsts = np.unique(hashes, return_index=True)
        self.starts = starts[firsts]
        self.filter = np.zeros(1 << _BITS_OF_FILTER, dtype=bool)
        self.filter[self.hashes >> np.uint64(64 - _BITS_OF_FILTER)] = True

    def _find(self, items):
        """Find at which positions a block begins, perhaps, and which one."""
        hashes = _hashes(items, self.width)
        positions = np.flatnonzero(
            self.filter[hashes >> np.uint64(64 - _BITS_OF_FILTER)]
        )
        hashes = hashes[positions]
        found = np.searchsorted(self.hashes, hashes)
        found = np.minimum(found, len(self.hashes) - 1)
        is_there = self.hashes[found] == hashes
        return positions[is_there], self.starts[found[is_there]]

    def runs_of(self, items):
        """Divide items into runs of these, with -1 as the start of other runs."""
        runs: list[tuple] = []
        done = 0
        if len(self.hashes) and len(items) >= self.width:
            positions, starts = self._find(items)
            i = 0
            while i < len(positions):
                position, start = int(positions[i]), int(starts[i])
                length = _common_length(self.items[start:], items[position:])
                if length < self.width:  # other items of the same hash
                    i += 1
                    continue
                back = _common_length(
                    self.items[max(0, start - (position - done)) : start][::-1],
                    items[done:position][::-1],
                )
                if position - back > done:
                    runs.append((-1, position - back - done))
                runs.append((start - back, length + back))
                done = position + length
                i = int(np.searchsorted(positions, done))
        if done < len(items):
            runs.append((-1, len(items) - done))
        return runs


def _hashes(items, width):
    """Hash the items from each position on, as many as a block has."""
    n = max(0, len(items) - width + 1)
    hashes = np.zeros(n, dtype=np.uint64)
    for i in range(width):
        hashes *= _MULTIPLIER
        hashes += items[i : i + n]
    hashes ^= hashes >> np.uint64(29)
    return hashes * _MULTIPLIER


def _common_length(first, second):
    """Count the items that two arrays have in common at their beginning."""
    longest, done, size = min(len(first), len(second)), 0, _COMPARED
    while done < longest:
        stop = min(done + size, longest)
        differs = first[done:stop] != second[done:stop]
        if differs.any():
            return done + int(differs.argmax())
        done, size = stop, 2 * size
    return longest
