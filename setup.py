"""The list of compiled kernels; everything else is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PACKAGE = "skxmr._cython"
FOLDER = Path("skxmr", "_cython")
HEADERS = sorted(path.as_posix() for path in FOLDER.glob("include/*.h"))
KERNELS = sorted(path.stem for path in FOLDER.glob("_*.pyx"))

# Included before all else: refuses options that would break the kernels.
STRICT = (FOLDER / "include" / "strict.h").resolve()

# SKXMR_DEBUG=1 builds kernels that check every index; slow, for development.
DEBUG = os.environ.get("SKXMR_DEBUG", "0") == "1"

# With it, or with CFLAGS="-g", kernels keep symbols for debuggers and profilers.
CFLAGS = os.environ.get("CFLAGS", "").split()
SYMBOLS = DEBUG or any(flag.startswith("-g") and flag != "-g0" for flag in CFLAGS)

LINK_ARGS: list[str] = []
if sys.platform == "win32":
    COMPILE_ARGS = ["/Od" if DEBUG else "/O2", f"/FI{STRICT}"]
else:
    # Fused multiply-adds would make models depend on the machine that fits them.
    COMPILE_ARGS = [
        "-O1" if DEBUG else "-O3",
        "-ffp-contract=off",
        "-include",
        str(STRICT),
    ]
    if not SYMBOLS:
        # Python's own flags ask for what would be half of a wheel.
        COMPILE_ARGS.append("-g0")
        LINK_ARGS.append("-Wl,-S" if sys.platform == "darwin" else "-Wl,--strip-all")


def extension(name, suffix):
    return Extension(
        f"{PACKAGE}.{name}",
        [(FOLDER / f"{name}{suffix}").as_posix()],
        include_dirs=[FOLDER.as_posix()],
        depends=HEADERS,
        extra_compile_args=COMPILE_ARGS,
        extra_link_args=LINK_ARGS,
    )


setup(
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=cythonize(
        [
            *(extension(name, ".pyx") for name in KERNELS),
            # Cython writes this one: what all the others share.
            extension("_cyutility", ".c"),
        ],
        shared_utility_qualified_name=f"{PACKAGE}._cyutility",
        compiler_directives={
            "language_level": "3",
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": True,
            "embedsignature": True,
        },
    ),
)
