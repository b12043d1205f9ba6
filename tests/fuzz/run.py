"""Fuzz on sanitized kernels: ``python tests/fuzz/run.py --seconds 30``.

Copies the checkout, builds its kernels with Clang's address and undefined-behaviour
sanitizers and coverage, and runs every target under Atheris, which mutates the corpus
towards code that was not reached yet. What a target finds is written to the folder, and
the command fails.

Needs `atheris` beside skxmr's own dependencies, Cython and setuptools, and clang.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("*.py"))

# CPython calls C functions by other types than theirs, and empty views point nowhere:
# both are undefined to the letter, and everywhere in Cython's code.
SANITIZERS = (
    "-fsanitize=address,undefined,fuzzer-no-link "
    "-fno-sanitize=function,pointer-overflow -fno-sanitize-recover=undefined"
)
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=8",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Of libFuzzer: a case may take so many seconds, and so many MB.
LIMITS = ["-timeout=60", "-rss_limit_mb=3000", "-malloc_limit_mb=1000"]


def build(folder):
    """Copy the sources and build their kernels; only what changed, the next time."""
    for name in ("skxmr", "tests", "setup.py", "pyproject.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, folder / name)
    clang = next((c for c in ("clang-19", "clang") if shutil.which(c)), None)
    if clang is None:
        sys.exit("clang is missing: apt-get install clang-19 libclang-rt-19-dev")
    # Less optimised: building takes half as long. The last option counts.
    compiler = folder / "compiler"
    compiler.write_text(f'#!/bin/sh\nexec {clang} "$@" -O1 -w\n')
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "CC": str(compiler),
        "LDSHARED": f"{compiler} -shared",
        "CFLAGS": f"{SANITIZERS} -g",
        "LDFLAGS": SANITIZERS,
    }
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def fuzz(target, folder, options):
    """Run one target; give how many cases it had, and whether all went well."""
    corpus = folder / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    kept = HERE / "corpus" / f"{target}.zip"
    if kept.exists():
        shutil.unpack_archive(kept, corpus)
    sanitizer = Path(atheris.path()) / "asan_with_fuzzer.so"
    environment = {**os.environ, **OPTIONS, "LD_PRELOAD": str(sanitizer)}
    found = folder / "found" / target
    found.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "tests/fuzz/fuzz.py", target, str(corpus)]
    options = [*options, *LIMITS, f"-artifact_prefix={found}/"]
    ended = subprocess.run(
        command + options,
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    n_cases = re.findall(r"^Done (\d+) runs", ended.stderr, re.MULTILINE)
    if ended.returncode:
        print(ended.stdout[-10_000:], ended.stderr[-10_000:])
    return int(n_cases[-1]) if n_cases else 0, ended.returncode == 0


def main():
    """Build, run all targets, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="all targets together")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--folder", type=Path, default=ROOT / ".fuzz")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    build(folder)
    seconds = max(1, options.seconds // len(options.targets))
    all_well = True
    for target in options.targets:
        n_cases, is_well = fuzz(target, folder, [f"-max_total_time={seconds}"])
        print(f"{target}: {n_cases} cases, {'sound' if is_well else 'FAULTS'}")
        all_well &= is_well and n_cases > 0
    if not all_well:
        sys.exit(f"what was found is in {folder / 'found'}")


if __name__ == "__main__":
    main()
