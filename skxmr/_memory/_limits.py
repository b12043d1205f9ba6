"""Memory limits of the machine, of control groups and of this process."""

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np

from skxmr._memory._large import in_words

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["has_room_for_thread", "limits_in_words", "memory_limits", "process_limits"]

_CGROUP = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self")

# Twice the usual size of a stack.
_OF_A_THREAD = 2**24

# For each limit of a process, its field in /proc/self/status and its option of
# `ulimit`.
_COUNTED = {"RLIMIT_AS": ("VmSize", "-v"), "RLIMIT_DATA": ("VmData", "-d")}


def memory_limits():
    """Return the limits of memory.

    Returns
    -------
    most : float
        The maximum for this process, including swap: the memory of the machine, the
        limit of its container, or what the process's own limits leave. Infinity if
        unknown.
    free : float
        The memory that is available without swapping. Infinity if unknown.
    """
    said = _meminfo()
    most = said.get("MemTotal", np.inf) + said.get("SwapTotal", 0)
    free = said.get("MemAvailable", np.inf)
    for limit, left in _limits_of_containers():
        most, free = min(most, limit), min(free, left)
    for _, limit, used in process_limits():
        left = max(0, limit - used)
        most, free = min(most, left), min(free, left)
    return most, free


def process_limits():
    """List the limits of this process, which `ulimit` sets.

    Returns
    -------
    list of (name, limit, used)
        Only limits that are set: "RLIMIT_AS" for the address space, "RLIMIT_DATA" for
        writable memory; in bytes.
    """
    if resource is None:
        return []
    said = _numbers_of(_PROCESS / "status")
    found = []
    for name, (counted, _) in _COUNTED.items():
        limit, _ = resource.getrlimit(getattr(resource, name))
        if limit != resource.RLIM_INFINITY and counted in said:
            found.append((name, limit, said[counted]))
    return found


def has_room_for_thread():
    """Return whether the limits of this process allow one more thread.

    Python waits for ever for a thread whose stack can be allocated but that then has no
    memory to start.
    """
    return all(limit - used > _OF_A_THREAD for _, limit, used in process_limits())


def limits_in_words():
    """Describe the limits of this process; empty if none is set."""
    return "".join(
        f" The limit {name} of this process is {in_words(limit)}, of which "
        f"{in_words(used)} are in use; `ulimit {_COUNTED[name][1]}` sets it."
        for name, limit, used in process_limits()
    )


def _limits_of_containers():
    """Find the limits of all control groups of this process, of both versions.

    Yields
    ------
    most, free : int
        The first includes swap. Cached files count as free, since they can be evicted.
    """
    for folder in _folders_of(""):
        limit = _number_in(folder / "memory.max")
        if limit is not None:
            used = _number_in(folder / "memory.current") or 0
            swap = _number_in(folder / "memory.swap.max") or 0
            yield limit + swap, limit - used + _files_in_memory(folder)
    for folder in _folders_of("memory"):
        limit = _number_in(folder / "memory.limit_in_bytes")
        if limit is not None:
            used = _number_in(folder / "memory.usage_in_bytes") or 0
            yield limit, limit - used + _files_in_memory(folder)


def _folders_of(controller):
    """List the folder of a hierarchy, and those of the groups of this process."""
    top = _CGROUP / controller
    folders = [top]
    with suppress(OSError):
        for line in (_PROCESS / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                parts = [part for part in PurePosixPath(path).parts if part != "/"]
                folders += [top.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return folders


def _meminfo():
    return _numbers_of(Path("/proc/meminfo")) or _sysconf()


def _numbers_of(path):
    """Parse lines with a name and a number of kilobytes."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {
        field[0].rstrip(":"): 1024 * int(field[1])
        for field in fields
        if len(field) == 3 and field[2] == "kB"
    }


def _sysconf():
    """Query a system without /proc: macOS has the total only, Windows nothing."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return {}
    # Its swap is not limited.
    return {"MemTotal": np.inf, "MemAvailable": total}


def _number_in(path):
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _files_in_memory(folder):
    try:
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    said = dict(line.split() for line in lines)
    return sum(int(said.get(name, 0)) for name in ("inactive_file", "active_file"))
