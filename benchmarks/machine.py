"""Facts about the machine and the code, stored with every result."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("skxmr", "numpy", "scipy", "scikit-learn", "joblib")
INSTRUCTION_SETS = ("sse2", "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "asimd")


def processor():
    """Return the CPU's model and vector instructions, as far as known."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine(), []
    fields = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    model = fields.get("model name", platform.machine())
    return model, [name for name in INSTRUCTION_SETS if name in flags]


def memory_bytes():
    """Return the physical memory in bytes, or None if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return None


def commit():
    """Return the commit of the checkout, marked if files were modified."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def installed(package):
    """Version of a package of this interpreter, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def facts():
    """Return all facts as JSON types."""
    model, instructions = processor()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": model,
        "instruction_sets": instructions,
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in PACKAGES},
        "commit": commit(),
    }
