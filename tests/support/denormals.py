"""Sets the mode in which processors take denormal numbers for 0.

Libraries linked with ``-ffast-math`` by GCC before 13 set it for the whole process, and
``torch.set_flush_denormal(True)`` for a thread; threads inherit it from the one that
starts them. The C library's floating-point environment holds the bits of the mode: no
compiler is needed.
"""

import ctypes
import ctypes.util
import platform
import struct
import sys
from contextlib import contextmanager

import numpy as np

# (system, machine): where the control register lies in fenv_t, its type, its bits.
_REGISTERS = {
    ("linux", "x86_64"): (28, "I", 0x8040),  # flush to zero, denormals are zero
    ("linux", "aarch64"): (0, "I", 1 << 24),
    ("darwin", "arm64"): (8, "Q", 1 << 24),
}


def _register():
    return _REGISTERS.get((sys.platform, platform.machine()))


def _change(bits_on):
    offset, kind, bits = _register()
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    environment = ctypes.create_string_buffer(64)
    if library.fegetenv(environment):
        raise OSError("fegetenv failed")
    (word,) = struct.unpack_from(kind, environment, offset)
    struct.pack_into(
        kind, environment, offset, word | bits if bits_on else word & ~bits
    )
    if library.fesetenv(environment):
        raise OSError("fesetenv failed")


def are_flushed():
    """Tell whether this thread takes denormal numbers for 0."""
    return not (np.full(1, 1e-40, np.float32) * np.float32(0.5)).any()


def can_flush():
    """Tell whether `flush` works on this machine."""
    return _register() is not None


def flush():
    """Take denormal numbers for 0, in this thread and those that it starts."""
    _change(True)
    if not are_flushed():
        raise OSError("The mode was set, but denormal numbers are not 0.")


@contextmanager
def flushed():
    """Take denormal numbers for 0 for a while."""
    flush()
    try:
        yield
    finally:
        _change(False)
