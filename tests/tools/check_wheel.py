"""Check wheels before they are published: ``python tests/tools/check_wheel.py FILE``.

It must hold the licences of all that it ships, and no symbols for debuggers, which are
twice its size.
"""

import re
import sys
import zipfile
from email.parser import BytesParser

# Python 3.11 to 3.14 on all systems lie well below.
MOST_BYTES = 5_000_000
LICENSE = "BSD-3-Clause AND CC0-1.0 AND CC-BY-4.0"
LICENSE_FILES = {"LICENSE", "skxmr/datasets/data/LICENSE.txt"}
# Names of sections of ELF and Mach-O.
SYMBOLS = re.compile(rb"\.debug_info\0|\0__debug_info")


def faults_of(path):
    """List what is wrong with a wheel."""
    with zipfile.ZipFile(path) as wheel:
        kernels = [name for name in wheel.namelist() if name.endswith((".so", ".pyd"))]
        size = sum(item.compress_size for item in wheel.infolist())
        (metadata,) = (n for n in wheel.namelist() if n.endswith("dist-info/METADATA"))
        said = BytesParser().parsebytes(wheel.read(metadata))
        if not kernels:
            yield "it has no kernels"
        for name in kernels:
            if SYMBOLS.search(wheel.read(name)):
                yield f"{name} holds symbols for debuggers"
        if size > MOST_BYTES:
            yield f"it has {size} bytes; expected {MOST_BYTES} at most"
        if said["License-Expression"] != LICENSE:
            yield f"its licence is {said['License-Expression']!r}; expected {LICENSE!r}"
        if set(said.get_all("License-File", [])) != LICENSE_FILES:
            yield f"its files of licences are {said.get_all('License-File')}"
        folder = metadata.removesuffix("METADATA") + "licenses/"
        for name in LICENSE_FILES:
            if folder + name not in wheel.namelist():
                yield f"{folder + name} is missing"


if __name__ == "__main__":
    faults = [f"{path}: {fault}" for path in sys.argv[1:] for fault in faults_of(path)]
    print(*faults, sep="\n")
    sys.exit(1 if faults or len(sys.argv) < 2 else 0)
